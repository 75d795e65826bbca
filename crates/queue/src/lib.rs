//! The road: apalis workers over a queue of our own in Redis Streams.
//!
//! Immediate work is an entry of a stream read by one consumer group, delayed work a sorted set that
//! is promoted to the stream in bounded batches, and work that failed for good is kept in a second
//! stream where it can be listed and redriven. Every entry is handled at least once: it leaves the
//! stream only after its handler ended, and what a vanished consumer held is claimed by the others.
//!
//! May import: `domain`.
//!
//! Needs Redis 6.2 or newer with `maxmemory-policy noeviction`. Keys of a queue, all in one slot of a Redis Cluster (`lh` is the default prefix):
//!
//! | key | type | holds |
//! |---|---|---|
//! | `lh:{NAME}:stream` | stream | waiting and handed-out entries; fields `p` payload, `a` failed attempts (absent = 0) |
//! | `lh:{NAME}:delayed` | sorted set | delayed entries, scored by due time in milliseconds |
//! | `lh:{NAME}:dead` | stream | dead entries; fields `p`, `r` reason, `t` time in milliseconds, `a`, `d` deliveries, `i` first id |
//! | `lh:{NAME}:counters` | hash | `dead_trimmed`: dead entries dropped because there were too many |
//! | `lh:{NAME}:alive:CONSUMER` | string | heartbeat of one consumer, expires by itself |
//!
//! The walk of an entry: [`Queue::push`] (`producer`) → reader (`consumer::reader`) → apalis worker
//! (`backend`, `worker`) → acknowledged, delayed again or buried (`consumer::acker`).

pub mod backend;
pub mod backoff;
pub mod codec;
pub mod connection;
pub mod consumer;
pub mod dead;
mod delayed;
pub mod entry;
pub mod error;
pub mod limiter;
pub mod name;
pub mod payload;
pub mod producer;
pub mod stats;
pub mod worker;

pub use backend::StreamBackend;
pub use backoff::Backoff;
pub use codec::{Payload, PayloadError};
pub use connection::{Redis, RedisOptions};
pub use consumer::{Consumer, WorkerOptions};
pub use dead::{DeadEntry, Redrive};
pub use entry::{Entry, EntryId};
pub use error::{Failure, QueueError};
pub use name::QueueName;
pub use producer::{Queue, QueueOptions};
pub use stats::QueueStats;
pub use worker::run_worker;
