//! Rate limits over all processes: at most so many in any window, counted in Redis.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::Script;

use crate::connection::Redis;
use crate::error::QueueError;

/// Keeps the instants of the last takes. Answers 0 for a take, otherwise the milliseconds until
/// the oldest one leaves the window.
static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/take.lua")));

/// A sliding window per key.
#[derive(Debug, Clone)]
pub struct Limiter {
    redis: Redis,
    prefix: Arc<str>,
}

impl Limiter {
    /// A limiter whose keys start with `prefix`.
    pub fn new(redis: Redis, prefix: &str) -> Self {
        Self {
            redis,
            prefix: Arc::from(prefix),
        }
    }

    /// Takes one of `count` in any `window`; `Some` tells how long to wait when there is none left.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] while Redis is away.
    pub async fn take(
        &self,
        key: &str,
        count: u32,
        window: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<Duration>, QueueError> {
        let mut call = TAKE.key(format!("{}:{{rate:{key}}}", self.prefix));
        call.arg(count)
            .arg(window.as_millis() as u64)
            .arg(now.timestamp_millis());
        let wait: u64 = self.redis.invoke(&call).await?;
        Ok((wait > 0).then(|| Duration::from_millis(wait)))
    }
}
