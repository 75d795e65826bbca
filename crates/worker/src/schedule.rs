//! Recurring jobs.
//!
//! Any number of schedulers may run; the one with the leader lease acts. When a job ran last stands
//! in its runs, so a new leader goes on where the old one stopped. Each run has a lease of its own:
//! when the leader changes, what is under way goes on.

use std::sync::Arc;
use std::time::Duration;

use services::{Services, jobs};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the schedule is looked at.
const TICK: Duration = Duration::from_millis(500);
/// How often runs of dead processes are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// How often figures for `/metrics` are taken.
const MEASURE: Duration = Duration::from_mins(1);

/// Starts recurring jobs until `stop`, while this process leads.
pub async fn run(services: Arc<Services>, stop: CancellationToken) {
    let leader = jobs::Leader::new(&services);
    let mut swept = None;
    let mut measured = None;
    loop {
        // Leading or not: every process tells the same figures.
        if measured.is_none_or(|at: Instant| at.elapsed() >= MEASURE) {
            measured = Some(Instant::now());
            if let Err(error) = services::archive::maintain::gauges::measure(&services).await {
                tracing::debug!(%error, "figures of the archive stay as they were");
            }
        }
        let round = async {
            if !leader.lead().await? {
                return Ok(());
            }
            if swept.is_none_or(|at: Instant| at.elapsed() >= SWEEP) {
                jobs::fail_dead(&services).await?;
                swept = Some(Instant::now());
            }
            jobs::start_due(&services, jobs::ALL).await.map(drop)
        };
        let done: services::Result<()> = round.await;
        if let Err(error) = done {
            tracing::debug!(%error, "the schedule waits");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(TICK) => {}
        }
    }
    leader.resign().await;
}
