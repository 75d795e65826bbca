//! Growing, jittered pauses between tries.

use std::time::Duration;

/// Doubles from `base` to `cap`; every pause is spread over 80 to 120 % of its length, so that many
/// who failed together do not come back together.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Pause after the first failure.
    pub base: Duration,
    /// Longest pause before the jitter.
    pub cap: Duration,
}

impl Backoff {
    /// From `base` doubling up to `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    /// The pause after the `failures`-th failure in a row, counted from 1.
    pub fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let plain = self.base.saturating_mul(1 << doublings).min(self.cap);
        plain.mul_f64(rand::random_range(0.8..=1.2))
    }
}

/// How background tasks wait while Redis is away.
pub(crate) const RECONNECT: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_within_the_jitter() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (40, 60.0)] {
            let pause = backoff.delay(failures).as_secs_f64();
            assert!(
                pause >= seconds * 0.799 && pause <= seconds * 1.201,
                "{failures}: {pause}"
            );
        }
    }
}
