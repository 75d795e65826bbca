//! `kill -9` of the worker at random moments: nothing lost, nothing stuck, few duplicates.
//!
//! What is in flight at a kill is what the dead worker was given and had not acknowledged, and what
//! it held a lease on. Each of these may be delivered a second time, nothing else.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use domain::state::DeliveryState;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::Instant;

use crate::Options;
use crate::bed::Bed;
use crate::driver::{Load, Pace, Until};
use crate::gateway::Role;
use crate::ledger::Ledger;
use crate::measure::{PATIENCE, add_counts, add_refusals, burst_load, drive_beside, settle, unfinished};
use crate::report::{Report, Wanted};

/// Events per second: slow enough that the kills fall into the run.
const RATE: f64 = 1000.0;
/// The receiver takes some time, so that a kill finds requests under way.
const PATH: &str = "/delay/5";
/// Short limits bring work of the dead back sooner; the second must exceed the first.
const LIMITS: [(&str, &str); 2] = [
    ("LONGHAUL_DELIVERY_TIMEOUT", "5s"),
    ("LONGHAUL_QUEUE_VISIBILITY_TIMEOUT", "10s"),
];
const POLL: Duration = Duration::from_millis(1);

/// Sends, kills, restarts, counts.
pub(super) async fn run(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let site = bed.fresh_site(&LIMITS).await?;
    let server = site.start(Role::Server).await?;
    let target = site.endpoint(&server, PATH).await?;
    let mut worker = site.start(Role::Worker).await?;
    let load = Load {
        pace: Pace::Rate(RATE),
        until: Until::Sent(options.deliveries),
        ..burst_load(options)
    };
    let ledger = bed.receiver.open_run(load.capacity());
    let sending = drive_beside(&target, load, &ledger);
    let mut in_flight = InFlight::default();
    for (number, moment) in moments(options.seed, options.kills, options.deliveries)
        .into_iter()
        .enumerate()
    {
        wait_for(&ledger, moment).await?;
        worker.kill().await?;
        let found = in_flight.count(bed).await?;
        eprintln!(
            "kill {}: {} delivered, {found} in flight",
            number + 1,
            ledger.delivered()
        );
        worker = site.start(Role::Worker).await?;
    }
    let refusals = sending.await??;
    settle(bed, &ledger).await?;
    let unfinished = unfinished(bed).await?;

    let mut report = Report::new("kill");
    add_counts(&mut report, bed, &ledger);
    add_refusals(&mut report, &refusals, &ledger);
    report.add("kills", f64::from(options.kills), "");
    report.add("in flight at the kills", in_flight.total as f64, "");
    report.want(
        "duplicates",
        ledger.duplicates() as f64,
        "",
        Wanted::NoMoreThan(in_flight.total as f64),
    );
    report.want_none("not ended", unfinished);
    let rows = bed.stores.events().await?;
    report.want_none("accepted without a row", ledger.accepted().saturating_sub(rows));
    worker.stop().await?;
    server.stop().await?;
    Ok(report)
}

/// Counts of deliveries, ascending, at which the worker is killed.
fn moments(seed: u64, kills: u32, deliveries: u32) -> Vec<u64> {
    let mut random = StdRng::seed_from_u64(seed);
    let last = u64::from(deliveries.max(2)) - 1;
    let mut moments: Vec<u64> = (0..kills).map(|_| random.random_range(1..=last)).collect();
    moments.sort_unstable();
    moments
}

async fn wait_for(ledger: &Arc<Ledger>, delivered: u64) -> anyhow::Result<()> {
    let (mut seen, mut since) = (0, Instant::now());
    while ledger.delivered() < delivered {
        if ledger.delivered() != seen {
            (seen, since) = (ledger.delivered(), Instant::now());
        } else if since.elapsed() >= PATIENCE {
            bail!("deliveries stopped at {seen}");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// What dead workers held. What an earlier one held and nobody took over yet is counted once.
#[derive(Default)]
struct InFlight {
    dead: HashSet<String>,
    leased: HashSet<String>,
    total: u64,
}

impl InFlight {
    /// Counts what the worker held that was killed just now.
    async fn count(&mut self, bed: &Bed) -> anyhow::Result<u64> {
        let mut found = 0;
        for (consumer, held) in bed.stores.held_entries().await? {
            if self.dead.insert(consumer) {
                found += held;
            }
        }
        let state = DeliveryState::Processing.code();
        let leased = bed
            .stores
            .sql(&format!(
                "SELECT id, attempts FROM event_deliveries WHERE state = {state}"
            ))
            .await?;
        found += leased
            .lines()
            .filter(|line| self.leased.insert((*line).to_owned()))
            .count() as u64;
        self.total += found;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_fall_between_the_first_delivery_and_the_last_and_repeat_with_their_seed() {
        let kills = moments(7, 10, 10_000);
        assert_eq!(kills.len(), 10);
        assert!(kills.is_sorted() && kills.iter().all(|moment| (1..10_000).contains(moment)));
        assert_eq!(kills, moments(7, 10, 10_000));
        assert_ne!(kills, moments(8, 10, 10_000));
    }
}
