//! Time as an argument: who needs "now" is handed a [`Clock`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use chrono::{DateTime, Utc};

/// Tells the current time in UTC.
///
/// Passed in everywhere, so that tests and demonstrations can live through months in seconds.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current instant.
    fn now(&self) -> DateTime<Utc>;

    /// Moves the clock to `instant`; `false` when this clock cannot be set.
    fn set(&self, instant: DateTime<Utc>) -> bool {
        let _ = instant;
        false
    }
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the machine's clock"
        )]
        DateTime::from(SystemTime::now())
    }
}

/// A clock that runs on from whatever instant it was last set to.
///
/// Used by tests and, with `LONGHAUL_DEV_CLOCK=1`, by a whole process.
#[derive(Debug, Default)]
pub struct DevClock {
    /// Microseconds added to the machine's clock.
    offset_us: AtomicI64,
}

impl DevClock {
    /// A clock that starts at `instant`.
    pub fn starting_at(instant: DateTime<Utc>) -> Self {
        let clock = Self::default();
        clock.set(instant);
        clock
    }
}

impl Clock for DevClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + chrono::TimeDelta::microseconds(self.offset_us.load(Ordering::Relaxed))
    }

    fn set(&self, instant: DateTime<Utc>) -> bool {
        let offset = instant - SystemClock.now();
        self.offset_us
            .store(offset.num_microseconds().unwrap_or(0), Ordering::Relaxed);
        true
    }
}

/// Cuts `instant` to whole milliseconds, the precision of every id and `accepted_at`.
pub fn to_millis(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(instant.timestamp_millis()).unwrap_or(instant)
}
