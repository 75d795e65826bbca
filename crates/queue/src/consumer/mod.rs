//! The reading end: one member of the consumer group with its background tasks.
//!
//! | task | does |
//! |---|---|
//! | `reader` | reads new entries while places are free, on a connection of its own |
//! | `claimer` | takes over what vanished or stuck consumers hold |
//! | `acker` | acknowledges, delays or buries handled entries in groups |
//! | `keeper` | keeps the heartbeat and the claim on entries in flight |
//! | `Promoter` | moves due delayed entries to the stream |

mod acker;
mod claimer;
mod keeper;
mod reader;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::clock::Clock;
use redis::Script;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backend::StreamBackend;
use crate::backoff::Backoff;
use crate::codec::Payload;
use crate::connection::Redis;
use crate::delayed::Promoter;
use crate::entry::{EntryId, RawEntry};
use crate::error::QueueError;
use crate::name::{GROUP, Keys};
use crate::producer::Queue;

pub(crate) use acker::{Ticket, Verdict};

/// How a worker takes entries and what happens to those that fail.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// First part of the consumer's name; a random part follows, so every start is a new consumer.
    pub name: String,
    /// Most entries read and not yet acknowledged.
    pub max_in_flight: usize,
    /// Most handlers at a time; `None` leaves it to `max_in_flight`.
    pub concurrency: Option<usize>,
    /// Most entries per read.
    pub read_count: usize,
    /// How long a read waits for an entry.
    pub block: Duration,
    /// An entry without a sign of life for so long is taken from its consumer.
    pub visibility_timeout: Duration,
    /// How often abandoned entries are looked for.
    pub claim_interval: Duration,
    /// How often the heartbeat is renewed.
    pub heartbeat_interval: Duration,
    /// How long a consumer is believed alive after its last heartbeat.
    pub heartbeat_ttl: Duration,
    /// After so many failed attempts an entry is buried.
    pub max_attempts: u32,
    /// An entry given out so often without any outcome is buried: it may be what kills its consumers.
    pub max_deliveries: u32,
    /// Pause before a failed entry is handed out again.
    pub backoff: Backoff,
    /// How long a shutdown waits for handlers that run.
    pub drain_limit: Duration,
}

impl WorkerOptions {
    /// Defaults for consumers called `name-…`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            max_in_flight: 2048,
            concurrency: None,
            read_count: 256,
            block: Duration::from_secs(1),
            visibility_timeout: Duration::from_mins(1),
            claim_interval: Duration::from_secs(3),
            heartbeat_interval: Duration::from_secs(5),
            heartbeat_ttl: Duration::from_secs(15),
            max_attempts: 10,
            max_deliveries: 50,
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_mins(1)),
            drain_limit: Duration::from_secs(20),
        }
    }
}

/// Handled entries on their way to the acker. Their number is bounded by `max_in_flight`.
pub(crate) type Outcomes = mpsc::UnboundedSender<(Ticket, Verdict)>;

/// What the tasks of one consumer share.
pub(crate) struct Shared {
    pub(crate) redis: Redis,
    pub(crate) keys: Arc<Keys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: WorkerOptions,
    pub(crate) dead_limit: u64,
    /// Full name in the consumer group.
    pub(crate) name: String,
    pub(crate) alive_key: String,
    beat_script: Script,
    /// No entry is taken any more once it is cancelled.
    pub(crate) stop: CancellationToken,
    /// One permit per entry that may still be read.
    places: Semaphore,
    /// Entries read and not yet acknowledged, with the time when they were read.
    in_flight: Mutex<HashMap<EntryId, Instant>>,
}

impl Shared {
    fn in_flight(&self) -> MutexGuard<'_, HashMap<EntryId, Instant>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for at least one free place and takes up to `most`.
    async fn take_places(&self, most: usize) -> usize {
        let Ok(first) = self.places.acquire().await else {
            return 0;
        };
        first.forget();
        let more = self.places.available_permits().min(most.saturating_sub(1));
        match self.places.try_acquire_many(more as u32) {
            Ok(permits) => {
                permits.forget();
                more + 1
            }
            Err(_) => 1,
        }
    }

    fn free_places(&self, number: usize) {
        self.places.add_permits(number);
    }

    /// Writes the heartbeat.
    async fn beat(&self) -> Result<(), QueueError> {
        let mut call = self.beat_script.key(&self.alive_key);
        call.arg(self.options.heartbeat_ttl.as_millis() as u64);
        self.redis.invoke(&call).await
    }

    /// Makes this consumer known as alive, then makes sure that the group is there.
    ///
    /// In this order: whoever holds entries without a heartbeat is taken for dead.
    async fn join(&self) -> Result<(), QueueError> {
        let mut call = self.beat_script.key(&self.alive_key);
        call.key(&self.keys.stream)
            .arg(self.options.heartbeat_ttl.as_millis() as u64)
            .arg(GROUP);
        self.redis.invoke(&call).await
    }
}

/// Hands what was read to the backend, without what this consumer already has in flight.
#[derive(Clone)]
pub(crate) struct Intake {
    shared: Arc<Shared>,
    batches: mpsc::UnboundedSender<Vec<RawEntry>>,
    outcomes: Outcomes,
}

impl Intake {
    /// Takes `entries` for which `places` were taken before; surplus places become free.
    fn accept(&self, mut entries: Vec<RawEntry>, places: usize) {
        {
            let now = Instant::now();
            let mut in_flight = self.shared.in_flight();
            entries.retain(|entry| in_flight.insert(entry.id, now).is_none());
        }
        debug_assert!(entries.len() <= places, "more entries than places");
        self.shared.free_places(places.saturating_sub(entries.len()));
        let limit = self.shared.options.max_deliveries;
        for entry in entries.extract_if(.., |entry| entry.deliveries > limit) {
            let reason = format!("given out {} times without an outcome", entry.deliveries - 1);
            let _ = self
                .outcomes
                .send((Ticket::from(&entry), Verdict::Bury { reason }));
        }
        if !entries.is_empty() {
            // Fails only when the worker is gone; then the entries stay pending for others.
            let _ = self.batches.send(entries);
        }
    }
}

/// A running consumer. Dropping it without [`finish`](Self::finish) is like a crash: what it holds is
/// claimed by others after its heartbeat has expired.
pub struct Consumer {
    shared: Arc<Shared>,
    takers: JoinSet<()>,
    acker: JoinSet<()>,
    keeper: JoinSet<()>,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Consumer")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}

impl Consumer {
    /// Joins the consumer group of `queue` and starts to read.
    ///
    /// The backend belongs into an apalis worker, which ends by itself after `stop` is cancelled;
    /// then call [`finish`](Self::finish). [`run_worker`](crate::run_worker) does all of it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start<T: Payload>(
        queue: &Queue,
        mut options: WorkerOptions,
        stop: &CancellationToken,
    ) -> (Self, StreamBackend<T>) {
        options.max_in_flight = options.max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        options.read_count = options.read_count.max(1);
        let name = format!("{}-{:016x}", options.name, rand::random::<u64>());
        let shared = Arc::new(Shared {
            redis: queue.redis().clone(),
            keys: Arc::clone(queue.keys()),
            clock: Arc::clone(queue.clock()),
            dead_limit: queue.options().dead_limit,
            alive_key: queue.keys().alive(&name),
            beat_script: Script::new(include_str!("../lua/beat.lua")),
            stop: stop.child_token(),
            places: Semaphore::new(options.max_in_flight),
            in_flight: Mutex::default(),
            name,
            options,
        });
        let (batches, receiver) = mpsc::unbounded_channel();
        let (outcomes, handled) = mpsc::unbounded_channel();
        let intake = Intake {
            shared: Arc::clone(&shared),
            batches,
            outcomes: outcomes.clone(),
        };
        let promoter = Promoter {
            redis: shared.redis.clone(),
            keys: Arc::clone(&shared.keys),
            clock: Arc::clone(&shared.clock),
        };

        let mut takers = JoinSet::new();
        takers.spawn(until(shared.stop.clone(), reader::run(intake.clone())));
        takers.spawn(until(shared.stop.clone(), claimer::run(intake)));
        takers.spawn(until(shared.stop.clone(), promoter.run()));
        let mut acker = JoinSet::new();
        acker.spawn(acker::run(Arc::clone(&shared), handled));
        let mut keeper = JoinSet::new();
        keeper.spawn(keeper::run(Arc::clone(&shared)));
        let backend = StreamBackend::new(receiver, outcomes, shared.stop.clone());
        (
            Self {
                shared,
                takers,
                acker,
                keeper,
            },
            backend,
        )
    }

    /// The name in the consumer group.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Entries read and not yet acknowledged.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight().len()
    }

    /// Stops reading, sends the last acknowledgements and hands back what is left.
    ///
    /// The worker must have ended before. Waits for Redis no longer than a few seconds.
    pub async fn finish(mut self) {
        self.shared.stop.cancel();
        while self.takers.join_next().await.is_some() {}
        // Ends by itself with the worker's end of the channel.
        let flush_limit = self.shared.redis.options().response_timeout * 2;
        if tokio::time::timeout(flush_limit, self.acker.join_next())
            .await
            .is_err()
        {
            tracing::warn!(
                consumer = self.name(),
                "stopped before all acknowledgements were sent"
            );
        }
        self.acker.shutdown().await;
        self.keeper.shutdown().await;
        let left = self.in_flight();
        if let Err(error) = claimer::leave(&self.shared).await {
            tracing::warn!(consumer = self.name(), left, %error, "could not hand back entries; others wait for the heartbeat");
        } else if left > 0 {
            tracing::info!(consumer = self.name(), left, "handed back entries");
        }
    }
}

/// Drops `task` at the first moment when nothing more may be taken.
async fn until(stop: CancellationToken, task: impl Future<Output = ()>) {
    let _ = stop.run_until_cancelled(task).await;
}
