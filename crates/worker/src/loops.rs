//! Work that is found in PostgreSQL: what the sweeper brings back, and batches.

use std::time::Duration;

use services::Services;
use services::delivery::Engine;
use tokio_util::sync::CancellationToken;

/// Pause between two looks for batches.
const BATCHES_EVERY: Duration = Duration::from_secs(1);

/// Sweeps and works on batches until `stop`.
pub async fn run(engine: &Engine, services: &Services, stop: &CancellationToken) {
    tokio::join!(engine.sweep(stop.clone()), batches(services, stop));
}

async fn batches(services: &Services, stop: &CancellationToken) {
    loop {
        if let Err(error) = services::batches::work(services, stop).await {
            tracing::debug!(%error, "batches wait");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BATCHES_EVERY) => {}
        }
    }
}
