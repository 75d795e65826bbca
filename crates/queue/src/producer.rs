//! The writing end: pushes that arrive together share one pipelined round trip.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::clock::Clock;
use redis::{Cmd, Pipeline, Value};
use smallvec::SmallVec;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::connection::Redis;
use crate::delayed::Stamper;
use crate::entry::number_of;
use crate::error::QueueError;
use crate::name::{Keys, QueueName};

/// Most entries in one round trip.
const GROUP_ENTRIES: usize = 512;
/// Most payload bytes in one round trip, unless a single payload is larger.
const GROUP_BYTES: usize = 4 << 20;
/// How long a known length may be used to refuse pushes.
const LENGTH_AGE: Duration = Duration::from_millis(200);

/// How one queue is kept.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// Name of the queue.
    pub name: QueueName,
    /// First part of every key.
    pub prefix: String,
    /// Most entries, waiting, handed out and delayed together; more are refused with
    /// [`QueueError::Full`]. Kept to within what other processes push in the same moment.
    pub max_len: Option<u64>,
    /// Most dead entries; the oldest are dropped, and counted, beyond it.
    pub dead_limit: u64,
    /// Replicas that must confirm a push; fewer give [`QueueError::NotReplicated`].
    pub wait_replicas: u32,
    /// How long to wait for them.
    pub wait_timeout: Duration,
}

impl QueueOptions {
    /// Defaults for the queue `name`.
    pub fn new(name: QueueName) -> Self {
        Self {
            name,
            prefix: "lh".to_owned(),
            max_len: None,
            dead_limit: 100_000,
            wait_replicas: 0,
            wait_timeout: Duration::from_millis(500),
        }
    }
}

/// A queue of this process: pushes, looks after dead entries, and is what workers are run on.
/// Clones are cheap and share one writer.
#[derive(Clone)]
pub struct Queue {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    keys: Arc<Keys>,
    options: QueueOptions,
    clock: Arc<dyn Clock>,
    sender: mpsc::Sender<Request>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Queue")
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}

impl Queue {
    /// A queue on `redis`; due times are measured by `clock`.
    ///
    /// Starts the writer task, which ends with the last clone; does not wait for Redis.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(redis: Redis, options: QueueOptions, clock: Arc<dyn Clock>) -> Self {
        let keys = Arc::new(Keys::new(&options.prefix, &options.name));
        let (sender, receiver) = mpsc::channel(2 * GROUP_ENTRIES);
        // WAIT blocks its connection, so it must not stand before other commands.
        let link = if options.wait_replicas > 0 {
            redis.dedicated(options.wait_timeout)
        } else {
            redis.clone()
        };
        let writer = Writer {
            redis: link,
            keys: Arc::clone(&keys),
            options: options.clone(),
            stamper: Stamper::new(clock.as_ref()),
            length: None,
        };
        tokio::spawn(writer.run(receiver));
        Self {
            inner: Arc::new(Inner {
                redis,
                keys,
                options,
                clock,
                sender,
            }),
        }
    }

    /// Adds one entry; `Ok` once Redis confirmed it.
    ///
    /// After [`QueueError::Unavailable`] and [`QueueError::NotReplicated`] the entry may be there all
    /// the same: pushing it again, or elsewhere, can double it but not lose it.
    pub async fn push(&self, payload: Bytes) -> Result<(), QueueError> {
        self.write(SmallVec::from_buf([Item::Now(payload)])).await
    }

    /// Adds many entries in their order; after an error some may have been added.
    pub async fn push_many(&self, payloads: impl IntoIterator<Item = Bytes>) -> Result<(), QueueError> {
        self.write(payloads.into_iter().map(Item::Now).collect()).await
    }

    /// Adds an entry that is handed out once the clock has reached `due`. Equal payloads stay apart.
    pub async fn push_at(&self, due: DateTime<Utc>, payload: Bytes) -> Result<(), QueueError> {
        self.write(SmallVec::from_buf([Item::At(due.timestamp_millis(), payload)]))
            .await
    }

    /// Adds many delayed entries; after an error some may have been added.
    pub async fn push_at_many(
        &self,
        items: impl IntoIterator<Item = (DateTime<Utc>, Bytes)>,
    ) -> Result<(), QueueError> {
        let items = items
            .into_iter()
            .map(|(due, payload)| Item::At(due.timestamp_millis(), payload));
        self.write(items.collect()).await
    }

    /// The options it was made with.
    pub fn options(&self) -> &QueueOptions {
        &self.inner.options
    }

    pub(crate) fn redis(&self) -> &Redis {
        &self.inner.redis
    }

    pub(crate) fn keys(&self) -> &Arc<Keys> {
        &self.inner.keys
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    async fn write(&self, items: SmallVec<[Item; 1]>) -> Result<(), QueueError> {
        if items.is_empty() {
            return Ok(());
        }
        let answer_limit = self.inner.redis.options().response_timeout + self.inner.options.wait_timeout;
        let groups = 2 + items.len() / GROUP_ENTRIES;
        let (reply, answer) = oneshot::channel();
        let push = async {
            let request = Request { items, reply };
            self.inner
                .sender
                .send(request)
                .await
                .map_err(|_| QueueError::Closed)?;
            answer.await.map_err(|_| QueueError::Closed)?
        };
        match tokio::time::timeout(answer_limit * groups as u32, push).await {
            Ok(outcome) => outcome,
            Err(_) => Err(QueueError::Unavailable(Arc::from("no answer in time"))),
        }
    }
}

enum Item {
    Now(Bytes),
    /// With the due time in milliseconds.
    At(i64, Bytes),
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Self::Now(payload) | Self::At(_, payload) => payload.len(),
        }
    }
}

struct Request {
    items: SmallVec<[Item; 1]>,
    reply: oneshot::Sender<Result<(), QueueError>>,
}

/// A request of which some items are still to be written.
struct Open {
    reply: Option<oneshot::Sender<Result<(), QueueError>>>,
    left: usize,
    failed: Option<QueueError>,
}

struct Writer {
    redis: Redis,
    keys: Arc<Keys>,
    options: QueueOptions,
    stamper: Stamper,
    length: Option<Length>,
}

/// The length of the queue as last seen.
#[derive(Clone, Copy)]
struct Length {
    entries: u64,
    seen: Instant,
}

impl Writer {
    async fn run(mut self, mut receiver: mpsc::Receiver<Request>) {
        let mut requests = Vec::with_capacity(GROUP_ENTRIES);
        let mut open = Vec::with_capacity(GROUP_ENTRIES);
        let mut items = Vec::with_capacity(GROUP_ENTRIES);
        while receiver.recv_many(&mut requests, GROUP_ENTRIES).await > 0 {
            for request in requests.drain(..) {
                // Whoever gave up waiting has gone another way already.
                if request.reply.is_closed() {
                    continue;
                }
                let owner = open.len();
                open.push(Open {
                    reply: Some(request.reply),
                    left: request.items.len(),
                    failed: None,
                });
                items.extend(request.items.into_iter().map(|item| (owner, item)));
            }
            self.write_all(&items, &mut open).await;
            items.clear();
            open.clear();
        }
    }

    async fn write_all(&mut self, mut items: &[(usize, Item)], open: &mut [Open]) {
        while !items.is_empty() {
            let (group, rest) = items.split_at(group_len(items));
            let outcomes = self.write_group(group).await;
            for ((owner, _), outcome) in group.iter().zip(outcomes) {
                let request = &mut open[*owner];
                request.left -= 1;
                if let Err(error) = outcome {
                    request.failed.get_or_insert(error);
                }
                if request.left == 0
                    && let Some(reply) = request.reply.take()
                {
                    let _ = reply.send(request.failed.take().map_or(Ok(()), Err));
                }
            }
            items = rest;
        }
    }

    /// Writes one group; the outcomes stand in the order of its items.
    async fn write_group(&mut self, group: &[(usize, Item)]) -> Vec<Result<(), QueueError>> {
        let room = match self.room(group.len()).await {
            Ok(room) => room,
            Err(error) => return vec![Err(error); group.len()],
        };
        let (fitting, surplus) = group.split_at(room);
        let mut outcomes = if fitting.is_empty() {
            Vec::new()
        } else {
            self.send(fitting).await
        };
        let full = || QueueError::Full(Arc::from("the queue has reached its maximum length"));
        outcomes.extend(surplus.iter().map(|_| Err(full())));
        outcomes
    }

    async fn send(&mut self, group: &[(usize, Item)]) -> Vec<Result<(), QueueError>> {
        let mut commands = Pipeline::with_capacity(group.len() + 3);
        for (_, item) in group {
            commands.add_command(self.command(item));
        }
        let replicas = self.options.wait_replicas;
        if replicas > 0 {
            commands
                .cmd("WAIT")
                .arg(replicas)
                .arg(self.options.wait_timeout.as_millis() as u64);
        }
        if self.options.max_len.is_some() {
            commands
                .cmd("XLEN")
                .arg(&self.keys.stream)
                .cmd("ZCARD")
                .arg(&self.keys.delayed);
        }
        let answers = match self.redis.pipeline(&commands).await {
            Ok(answers) if answers.len() == commands.len() => answers,
            Ok(_) => return vec![Err(QueueError::unexpected("too few answers")); group.len()],
            Err(error) => return vec![Err(error); group.len()],
        };
        let (written, mut after) = answers.split_at(group.len());
        let mut lacking = None;
        if replicas > 0 {
            let reached = number_of(&after[0]).unwrap_or(0);
            lacking = (reached < replicas).then_some(QueueError::NotReplicated {
                wanted: replicas,
                reached,
            });
            after = &after[1..];
        }
        self.note_length(after);
        let outcome = |answer: &Value| match (answer, &lacking) {
            (Value::ServerError(error), _) => Err(QueueError::from(error)),
            (_, Some(lacking)) => Err(lacking.clone()),
            _ => Ok(()),
        };
        written.iter().map(outcome).collect()
    }

    fn command(&self, item: &Item) -> Cmd {
        match item {
            Item::Now(payload) => {
                let mut command = Cmd::with_capacity(5, self.keys.stream.len() + payload.len() + 8);
                command
                    .arg("XADD")
                    .arg(&self.keys.stream)
                    .arg("*")
                    .arg("p")
                    .arg(payload.as_ref());
                command
            }
            Item::At(due, payload) => {
                let member = self.stamper.member(payload);
                let mut command = Cmd::with_capacity(4, self.keys.delayed.len() + member.len() + 32);
                command
                    .arg("ZADD")
                    .arg(&self.keys.delayed)
                    .arg(*due)
                    .arg(&member[..]);
                command
            }
        }
    }

    /// How many of `wanted` entries still fit.
    async fn room(&mut self, wanted: usize) -> Result<usize, QueueError> {
        let Some(max) = self.options.max_len else {
            return Ok(wanted);
        };
        let fits = |length: Length| usize::try_from(max.saturating_sub(length.entries)).unwrap_or(usize::MAX);
        if let Some(length) = self.length
            && (fits(length) >= wanted || length.seen.elapsed() < LENGTH_AGE)
        {
            return Ok(fits(length).min(wanted));
        }
        let mut commands = Pipeline::new();
        commands
            .cmd("XLEN")
            .arg(&self.keys.stream)
            .cmd("ZCARD")
            .arg(&self.keys.delayed);
        let answers = self.redis.pipeline(&commands).await?;
        self.note_length(&answers);
        let length = self.length.ok_or_else(|| QueueError::unexpected("no length"))?;
        Ok(fits(length).min(wanted))
    }

    /// Takes the answers of `XLEN` and `ZCARD`.
    fn note_length(&mut self, answers: &[Value]) {
        let [stream, delayed] = answers else { return };
        if let (Some(stream), Some(delayed)) = (number_of::<u64>(stream), number_of::<u64>(delayed)) {
            self.length = Some(Length {
                entries: stream + delayed,
                seen: Instant::now(),
            });
        }
    }
}

/// How many of the first items share one round trip.
fn group_len(items: &[(usize, Item)]) -> usize {
    let mut bytes = 0;
    let fits = |(_, item): &&(usize, Item)| {
        bytes += item.size();
        bytes <= GROUP_BYTES
    };
    items.iter().take(GROUP_ENTRIES).take_while(fits).count().max(1)
}
