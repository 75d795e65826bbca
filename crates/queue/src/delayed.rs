//! Delayed entries: members of a sorted set, and the task that promotes what is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::clock::Clock;
use redis::Script;

use crate::backoff::RECONNECT;
use crate::connection::Redis;
use crate::error::QueueError;
use crate::name::Keys;

/// Most entries promoted by one call, so that Redis is never held up for long.
const BATCH_ENTRIES: u32 = 500;
/// A call stops early after so many bytes.
const BATCH_BYTES: u32 = 8 << 20;
/// Longest sleep: entries pushed elsewhere, and clocks that jump, are noticed after it.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// Bytes before the payload in a member: running number, process tag, failed attempts.
const HEADER: usize = 20;

/// Makes members of the sorted set unique, and sorted by age where due times are equal.
#[derive(Debug)]
pub(crate) struct Stamper {
    tag: u64,
    next: AtomicU64,
}

impl Stamper {
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        let start = u64::try_from(clock.now().timestamp_micros()).unwrap_or(0);
        Self {
            tag: rand::random(),
            next: AtomicU64::new(start),
        }
    }

    /// The part of a member before the payload. The scripts read it: `promote.lua`, `retry.lua`.
    pub(crate) fn header(&self, attempts: u32) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        header[8..16].copy_from_slice(&self.tag.to_be_bytes());
        header[16..].copy_from_slice(&attempts.to_be_bytes());
        header
    }

    /// The member of a fresh entry.
    pub(crate) fn member(&self, payload: &[u8]) -> Vec<u8> {
        let mut member = Vec::with_capacity(HEADER + payload.len());
        member.extend_from_slice(&self.header(0));
        member.extend_from_slice(payload);
        member
    }
}

/// Moves due entries to the stream. Any number may run: each call of the script is atomic.
pub(crate) struct Promoter {
    pub(crate) redis: Redis,
    pub(crate) keys: Arc<Keys>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Promoter {
    /// Runs until dropped.
    pub(crate) async fn run(self) {
        let script = Script::new(include_str!("lua/promote.lua"));
        let mut failures = 0;
        loop {
            let pause = match self.promote(&script).await {
                Ok(pause) => {
                    failures = 0;
                    pause
                }
                Err(error) => {
                    failures += 1;
                    tracing::debug!(%error, "cannot promote delayed entries");
                    RECONNECT.delay(failures)
                }
            };
            if pause.is_zero() {
                // More is due: let the other tasks run in between.
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Promotes one batch; answers how long to sleep.
    async fn promote(&self, script: &Script) -> Result<Duration, QueueError> {
        let now = self.clock.now().timestamp_millis();
        let mut call = script.key(&self.keys.delayed);
        call.key(&self.keys.stream)
            .arg(now)
            .arg(BATCH_ENTRIES)
            .arg(BATCH_BYTES);
        let (moved, next_due): (u64, Option<i64>) = self.redis.invoke(&call).await?;
        if moved > 0 {
            tracing::trace!(moved, "promoted delayed entries");
        }
        let wait = next_due.map_or(LONGEST_SLEEP, |due| {
            Duration::from_millis(u64::try_from(due.saturating_sub(now)).unwrap_or(0))
        });
        Ok(wait.min(LONGEST_SLEEP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::clock::SystemClock;

    #[test]
    fn equal_payloads_give_different_members_in_order_of_age() {
        let stamper = Stamper::new(&SystemClock);
        let members: Vec<_> = (0..1000).map(|_| stamper.member(b"same")).collect();
        assert!(members.is_sorted_by(|a, b| a < b));
    }
}
