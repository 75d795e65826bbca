//! Recurring jobs.
//!
//! Any number of schedulers may run; the one with the leader lease acts. Jobs take no input and are
//! harmless to repeat, so a lease that changes hands in the middle costs nothing but time. Times
//! are those of the clock that everything else goes by.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use services::{Services, jobs};
use tokio_util::sync::CancellationToken;

/// How often the schedule is looked at.
const TICK: Duration = Duration::from_millis(500);

/// When a job ran last, as far as this process knows.
type LastRuns = HashMap<&'static str, DateTime<Utc>>;

/// Does recurring jobs until `stop`, while this process leads.
pub async fn run(services: Arc<Services>, stop: CancellationToken) {
    let leader = jobs::Leader::new(&services);
    let mut last = LastRuns::new();
    loop {
        match leader.lead().await {
            Ok(true) => tick(&services, &mut last).await,
            Ok(false) => last.clear(),
            Err(error) => tracing::debug!(%error, "leadership is unknown"),
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(TICK) => {}
        }
    }
    leader.resign().await;
}

async fn tick(services: &Services, last: &mut LastRuns) {
    for job in jobs::ALL {
        let now = services.clock.now();
        let due = last
            .get(job.name)
            .is_none_or(|at| now - *at >= job.every || now < *at - TimeDelta::minutes(1));
        if due {
            last.insert(job.name, now);
            jobs::run(services, job, jobs::Trigger::Schedule).await;
        }
    }
}
