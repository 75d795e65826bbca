//! apalis workers on the queues of events and deliveries.

use std::time::Duration;

use queue::payload::{AcceptedEvent, DueDelivery};
use queue::{Entry, Failure, WorkerOptions, run_worker};
use services::delivery::Engine;
use services::queues::Queues;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How entries are handled.
#[derive(Clone, Debug)]
pub struct QueueWorkers {
    /// Workers per queue; each keeps one core busy at most.
    pub workers: usize,
    /// Entries under way in one worker.
    pub max_in_flight: usize,
    /// How long a live worker may keep an entry before another one takes it.
    pub visibility_timeout: Duration,
    /// How long handlers may go on after the stop.
    pub drain_limit: Duration,
}

impl QueueWorkers {
    fn options(&self) -> WorkerOptions {
        WorkerOptions {
            max_in_flight: self.max_in_flight,
            visibility_timeout: self.visibility_timeout,
            drain_limit: self.drain_limit,
            ..WorkerOptions::new(format!("worker-{}", std::process::id()))
        }
    }
}

/// Works on both queues until `stop`, and returns when everything under way has ended or was
/// handed back.
pub async fn run(engine: &Engine, queues: &Queues, settings: &QueueWorkers, stop: &CancellationToken) {
    let mut workers = JoinSet::new();
    for _ in 0..settings.workers.max(1) {
        let (queue, options, engine, stop) = (queues.events.clone(), settings.options(), engine.clone(), stop.clone());
        workers.spawn(async move {
            run_worker(&queue, options, move |entry| on_event(engine.clone(), entry), stop).await;
        });
    }
    let (queue, options, engine, stop) = (queues.deliveries.clone(), settings.options(), engine.clone(), stop.clone());
    workers.spawn(async move {
        run_worker(&queue, options, move |entry| on_delivery(engine.clone(), entry), stop).await;
    });
    while workers.join_next().await.is_some() {}
}

/// Trigger: an accepted event. Harmless to repeat: ids of deliveries follow from the event's id.
async fn on_event(engine: Engine, entry: Entry<AcceptedEvent>) -> Result<(), Failure> {
    let again = entry.deliveries > 1 || entry.attempts > 0;
    engine.process(entry.payload, again).await.map_err(|error| failure(&error))
}

/// Trigger: a delivery that is due. Harmless to repeat: only one caller gets the lease.
async fn on_delivery(engine: Engine, entry: Entry<DueDelivery>) -> Result<(), Failure> {
    engine.look_at(entry.payload.0).await.map_err(|error| failure(&error))
}

/// Stores that are away come back; everything else is kept as a dead entry after some tries.
fn failure(error: &services::Error) -> Failure {
    match error {
        services::Error::Unavailable { retry_after, .. } => {
            Failure::retry_after(error.to_string(), Duration::from_secs(*retry_after))
        }
        other => Failure::retry(other.to_string()),
    }
}
