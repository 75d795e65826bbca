//! Trying again, with growing waits.

use std::future::Future;
use std::time::Duration;

use crate::error::StoreError;

/// How often something is tried that somebody waits for.
pub(crate) const READ_TRIES: u32 = 3;
/// How often something is tried that a job does.
pub(crate) const WRITE_TRIES: u32 = 5;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The waits between tries: doubling, a fifth of chance in either direction, so that processes that
/// failed together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    tries_left: u32,
    wait: Duration,
}

impl Backoff {
    /// Waits for this many tries in all.
    pub(crate) fn new(tries: u32) -> Self {
        Self {
            tries_left: tries.saturating_sub(1),
            wait: FIRST_WAIT,
        }
    }

    /// Waits before the next try; false when there is none left or it would not help.
    pub(crate) async fn again(&mut self, error: &StoreError) -> bool {
        if self.tries_left == 0 || !error.is_retryable() {
            return false;
        }
        self.tries_left -= 1;
        tokio::time::sleep(self.wait.mul_f64(rand::random_range(0.8..=1.2))).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        true
    }
}

/// Does `work` until it succeeds, fails for good or was tried `tries` times. Only for what may be done twice.
pub(crate) async fn retrying<T, F, W>(tries: u32, mut work: F) -> Result<T, StoreError>
where
    F: FnMut() -> W,
    W: Future<Output = Result<T, StoreError>>,
{
    let mut backoff = Backoff::new(tries);
    loop {
        match work().await {
            Err(error) if backoff.again(&error).await => {
                tracing::debug!(%error, "the store is asked again");
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::ErrorKind;

    async fn tries_of(kind: ErrorKind) -> u32 {
        let tries = Cell::new(0);
        let result: Result<(), _> = retrying(3, || {
            tries.set(tries.get() + 1);
            async { Err(StoreError::new(kind, "no")) }
        })
        .await;
        assert_eq!(result.expect_err("it never works").kind(), kind);
        tries.get()
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_pass_by_itself_is_tried_again() {
        assert_eq!(tries_of(ErrorKind::Unreachable).await, 3);
        assert_eq!(tries_of(ErrorKind::Throttled).await, 3);
        assert_eq!(tries_of(ErrorKind::Denied).await, 1);
        assert_eq!(tries_of(ErrorKind::Precondition).await, 1);
    }
}
