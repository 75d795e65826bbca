//! Where an answer came from, and what it took.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::Archive;

/// Where the rows of an answer came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// From PostgreSQL; also an answer without rows.
    #[default]
    Hot,
    /// From the archive.
    Archive,
    /// Some from either.
    Mixed,
}

impl Tier {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Archive => "archive",
            Self::Mixed => "mixed",
        }
    }

    /// The tier of rows, each of which says whether it came from the archive; `None` without rows.
    pub(super) fn of(archived: impl IntoIterator<Item = bool>) -> Option<Self> {
        let tier = |archived| if archived { Self::Archive } else { Self::Hot };
        archived.into_iter().map(tier).reduce(Self::and)
    }

    /// Of two answers together.
    fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Mixed }
    }
}

/// What the archive had to do for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests to object stores.
    pub requests: u64,
    /// Bytes that came from them.
    pub bytes: u64,
    /// Blocks that were in memory already.
    pub cached_blocks: u64,
    /// How long the whole read took, PostgreSQL included.
    pub took: Duration,
}

impl Cost {
    /// Whether any segment was looked into.
    pub fn is_archive(&self) -> bool {
        self.requests + self.cached_blocks > 0
    }
}

/// An answer with where it came from and what it took.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// The answer.
    pub data: T,
    /// Where its rows came from; `None` when it has none.
    tier: Option<Tier>,
    /// What it took.
    pub cost: Cost,
}

impl<T> Read<T> {
    pub(super) fn new(data: T, tier: Option<Tier>, cost: Cost) -> Self {
        Self { data, tier, cost }
    }

    /// Where its rows came from.
    pub fn tier(&self) -> Tier {
        self.tier.unwrap_or_default()
    }

    /// Another view of the answer.
    pub fn map<U>(self, view: impl FnOnce(T) -> U) -> Read<U> {
        Read {
            data: view(self.data),
            tier: self.tier,
            cost: self.cost,
        }
    }

    /// Two answers that are given together.
    pub fn and<U>(self, other: Read<U>) -> Read<(T, U)> {
        let tier = match (self.tier, other.tier) {
            (Some(one), Some(two)) => Some(one.and(two)),
            (one, two) => one.or(two),
        };
        Read {
            data: (self.data, other.data),
            tier,
            cost: Cost {
                requests: self.cost.requests + other.cost.requests,
                bytes: self.cost.bytes + other.cost.bytes,
                cached_blocks: self.cost.cached_blocks + other.cost.cached_blocks,
                took: self.cost.took + other.cost.took,
            },
        }
    }
}

/// Counts what one read takes.
#[derive(Debug)]
pub(super) struct Meter {
    started: Instant,
    budget: u64,
    requests: AtomicU64,
    bytes: AtomicU64,
    cached_blocks: AtomicU64,
}

impl Meter {
    /// For a read that may fetch so many bytes.
    pub(super) fn new(budget: u64) -> Self {
        Self {
            started: Instant::now(),
            budget,
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cached_blocks: AtomicU64::new(0),
        }
    }

    /// Whether `more` bytes may be fetched. The first ones always may, so that no read is stuck.
    pub(super) fn allows(&self, more: u64) -> bool {
        let spent = self.bytes.load(Relaxed);
        spent == 0 || spent + more <= self.budget
    }

    pub(super) fn fetched(&self, bytes: u64) {
        self.requests.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub(super) fn was_cached(&self) {
        self.cached_blocks.fetch_add(1, Relaxed);
    }

    fn cost(&self) -> Cost {
        Cost {
            requests: self.requests.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            cached_blocks: self.cached_blocks.load(Relaxed),
            took: self.started.elapsed(),
        }
    }

    /// The answer, counted.
    pub(super) fn read<T>(&self, archive: &Archive, data: T, tier: Option<Tier>) -> Read<T> {
        let meters = &archive.meters;
        match tier.unwrap_or_default() {
            Tier::Hot => &meters.hot,
            Tier::Archive => &meters.archive,
            Tier::Mixed => &meters.mixed,
        }
        .increment(1);
        Read::new(data, tier, self.cost())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tier_says_where_rows_came_from_and_nothing_of_no_rows() {
        assert_eq!(Tier::of([]), None);
        assert_eq!(Tier::of([false, false]), Some(Tier::Hot));
        assert_eq!(Tier::of([true]), Some(Tier::Archive));
        assert_eq!(Tier::of([true, false]), Some(Tier::Mixed));
        let read = |tier| Read::new((), tier, Cost::default());
        assert_eq!(read(None).tier(), Tier::Hot);
        assert_eq!(read(Some(Tier::Archive)).and(read(None)).tier(), Tier::Archive);
        assert_eq!(
            read(Some(Tier::Hot)).and(read(Some(Tier::Archive))).tier(),
            Tier::Mixed
        );
    }

    #[test]
    fn a_budget_always_lets_the_first_bytes_through() {
        let meter = Meter::new(10);
        assert!(meter.allows(50));
        meter.fetched(4);
        assert!(meter.allows(6) && !meter.allows(7));
    }
}
