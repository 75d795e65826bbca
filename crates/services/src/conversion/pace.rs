//! How many rows a batch takes, and how long to wait between two tries.

use std::time::Duration;

/// Most rows of a batch.
const MOST: u32 = 5_000;
/// Fewest rows of a batch, for tables with payloads of megabytes.
const FEWEST: u32 = 20;
/// A batch that kept writers out for longer was too large.
const LONG: Duration = Duration::from_millis(250);
/// A batch that kept writers out for less may grow.
const SHORT: Duration = Duration::from_millis(100);
/// First and longest wait after a try that did not get its lock.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Finds the size of batches that writers do not feel.
#[derive(Debug)]
pub(super) struct Pace {
    limit: u32,
    misses: u32,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            limit: 1_000,
            misses: 0,
        }
    }

    /// Rows of the next batch.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// A batch kept writers out for so long. Returns how long to leave them alone.
    pub(super) fn held(&mut self, held: Duration) -> Duration {
        self.misses = 0;
        if held > LONG {
            self.limit = (self.limit / 2).max(FEWEST);
        } else if held < SHORT {
            self.limit = (self.limit + self.limit / 2).min(MOST);
        }
        // At least half of the time is the writers'.
        held.clamp(Duration::from_millis(1), LONG)
    }

    /// A try did not get its lock, or took too long. Returns how long to wait for the next one.
    pub(super) fn missed(&mut self) -> Duration {
        self.limit = (self.limit / 2).max(FEWEST);
        let wait = WAITS.0 * 2_u32.pow(self.misses.min(10));
        self.misses += 1;
        wait.min(WAITS.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_while_they_are_short_and_shrink_when_they_are_long() {
        let mut pace = Pace::new();
        for _ in 0..10 {
            pace.held(Duration::from_millis(10));
        }
        assert_eq!(pace.limit(), MOST);
        for _ in 0..20 {
            pace.held(Duration::from_secs(1));
        }
        assert_eq!(pace.limit(), FEWEST);
    }

    #[test]
    fn tries_that_miss_wait_longer_each_time_up_to_a_bound() {
        let mut pace = Pace::new();
        let waits: Vec<Duration> = (0..10).map(|_| pace.missed()).collect();
        assert_eq!(waits[0], WAITS.0);
        assert!(waits.windows(2).all(|w| w[0] <= w[1]), "{waits:?}");
        assert_eq!(waits[9], WAITS.1);
        pace.held(Duration::ZERO);
        assert_eq!(pace.missed(), WAITS.0);
    }
}
