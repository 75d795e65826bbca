//! Tells Redis and the other consumers that this one lives and works.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::time::{Instant, MissedTickBehavior};

use super::Shared;
use crate::entry::EntryId;
use crate::error::QueueError;
use crate::name::GROUP;

/// Ids per call.
const BATCH: usize = 512;

/// Renews the heartbeat and the idle time of long-running entries, until aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let renewal = shared.options.visibility_timeout / 3;
    let tick = shared
        .options
        .heartbeat_interval
        .min(renewal)
        .max(Duration::from_millis(10));
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    loop {
        ticks.tick().await;
        let mut outcome = shared.beat().await;
        if outcome.is_ok() && renewed.elapsed() >= renewal {
            outcome = renew(&shared, renewal).await;
            renewed = Instant::now();
        }
        if let Err(error) = outcome {
            tracing::debug!(%error, "cannot renew the heartbeat");
        }
    }
}

/// Resets the idle time of entries that are in flight for at least `age`, so that nobody takes them.
async fn renew(shared: &Shared, age: Duration) -> Result<(), QueueError> {
    let old: Vec<EntryId> = {
        let in_flight = shared.in_flight();
        in_flight
            .iter()
            .filter(|(_, since)| since.elapsed() >= age)
            .map(|(id, _)| *id)
            .collect()
    };
    for ids in old.chunks(BATCH) {
        let mut command = redis::cmd("XCLAIM");
        command
            .arg(&shared.keys.stream)
            .arg(GROUP)
            .arg(&shared.name)
            .arg(0);
        for id in ids {
            command.arg(id.to_string());
        }
        command.arg("JUSTID");
        match shared.redis.query::<Value>(&command).await {
            Err(error) if !error.is_missing_group() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
