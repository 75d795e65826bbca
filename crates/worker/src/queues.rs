//! apalis workers on the queues of events and deliveries.

use std::time::Duration;

use queue::payload::{AcceptedEvent, DueDelivery};
use queue::{Entry, Failure, WorkerOptions, run_worker};
use services::Error;
use services::delivery::{Engine, Hand};
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
        let (queue, options, engine, stop) = (
            queues.events.clone(),
            settings.options(),
            engine.clone(),
            stop.clone(),
        );
        workers.spawn(async move {
            let token = stop.clone();
            run_worker(
                &queue,
                options,
                move |entry| on_event(engine.clone(), entry, token.clone()),
                stop,
            )
            .await;
        });
    }
    let (queue, options, engine, stop) = (
        queues.deliveries.clone(),
        settings.options(),
        engine.clone(),
        stop.clone(),
    );
    workers.spawn(async move {
        let token = stop.clone();
        run_worker(
            &queue,
            options,
            move |entry| on_delivery(engine.clone(), entry, token.clone()),
            stop,
        )
        .await;
    });
    while workers.join_next().await.is_some() {}
}

/// Trigger: an accepted event. Harmless to repeat: ids of deliveries follow from the event's id.
///
/// While a store is away the entry is kept in hand and tried again: a long outage must not use up
/// its attempts. Meanwhile nothing new is read, because there is no room.
async fn on_event(
    engine: Engine,
    entry: Entry<AcceptedEvent>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mut hand = if entry.deliveries > 1 || entry.attempts > 0 {
        Hand::Another
    } else {
        Hand::First
    };
    loop {
        match engine.process(entry.payload.clone(), hand).await {
            Err(Error::Unavailable { retry_after, .. }) if pause(retry_after, &stop).await => {
                hand = Hand::Another;
            }
            outcome => return outcome.map_err(|error| Failure::retry(error.to_string())),
        }
    }
}

/// Trigger: a delivery that is due. Harmless to repeat: only one caller gets the lease.
async fn on_delivery(
    engine: Engine,
    entry: Entry<DueDelivery>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    loop {
        match engine.look_at(entry.payload.0).await {
            Err(Error::Unavailable { retry_after, .. }) if pause(retry_after, &stop).await => {}
            outcome => return outcome.map_err(|error| Failure::retry(error.to_string())),
        }
    }
}

/// Waits; `false` when the process is told to stop, which hands the entry back.
async fn pause(seconds: u64, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(Duration::from_secs(seconds)) => true,
    }
}
