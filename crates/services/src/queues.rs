//! The queues of the product, and what else lives in Redis.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use queue::connection::Redis;
use queue::limiter::Limiter;
use queue::name::QueueName;
use queue::producer::{Queue, QueueOptions};

use crate::error::{Error, Result};

/// Queue of accepted events.
pub const EVENTS: &str = "events";
/// Queue of deliveries that are due later, or again.
pub const DELIVERIES: &str = "deliveries";

/// All queues, and the limiter beside them.
#[derive(Clone, Debug)]
pub struct Queues {
    /// Accepted events on their way to a worker.
    pub events: Queue,
    /// Deliveries that are due later, or again.
    pub deliveries: Queue,
    /// Rate limits.
    pub limiter: Limiter,
    /// The connection under them.
    pub redis: Redis,
}

/// How queues behave.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// First part of every key.
    pub prefix: String,
    /// Most waiting entries of a queue before events go the way of PostgreSQL.
    pub max_len: Option<u64>,
    /// Most dead entries kept.
    pub dead_limit: u64,
    /// Replicas that must confirm an accepted event.
    pub wait_replicas: u32,
    /// How long to wait for them.
    pub wait_timeout: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            prefix: "lh".to_owned(),
            max_len: Some(5_000_000),
            dead_limit: 100_000,
            wait_replicas: 0,
            wait_timeout: Duration::from_millis(250),
        }
    }
}

impl Queues {
    /// Queues over `redis`. Must be called inside a tokio runtime; Redis may be away.
    ///
    /// # Errors
    /// [`Error::Internal`] when the prefix is no part of a key.
    pub fn open(redis: &Redis, settings: &QueueSettings, clock: &Arc<dyn Clock>) -> Result<Self> {
        let open = |name: &str, wait_replicas: u32, max_len: Option<u64>| -> Result<Queue> {
            let name = QueueName::new(name).map_err(Error::internal)?;
            let options = QueueOptions {
                prefix: settings.prefix.clone(),
                max_len,
                dead_limit: settings.dead_limit,
                wait_replicas,
                wait_timeout: settings.wait_timeout,
                ..QueueOptions::new(name)
            };
            Ok(Queue::new(redis.clone(), options, Arc::clone(clock)))
        };
        Ok(Self {
            events: open(EVENTS, settings.wait_replicas, settings.max_len)?,
            // PostgreSQL knows every delivery, so neither replicas nor a bound are needed here.
            deliveries: open(DELIVERIES, 0, None)?,
            limiter: Limiter::new(redis.clone(), &settings.prefix),
            redis: redis.clone(),
        })
    }
}
