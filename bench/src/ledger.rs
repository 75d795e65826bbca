//! What was sent, accepted and delivered in one run, by sequence number.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::payload::Stamp;

const ACCEPTED: u8 = 1;
/// A latency that was not measured.
const NONE: u32 = u32::MAX;

/// The books of one run. Driver and receiver write, everybody reads.
#[derive(Debug)]
pub(crate) struct Ledger {
    run: u16,
    next: AtomicU32,
    rows: Vec<Row>,
    accepted: AtomicU64,
    delivered: AtomicU64,
    put_off: AtomicU64,
    first_sent_ns: AtomicU64,
    last_accepted_ns: AtomicU64,
    last_delivered_ns: AtomicU64,
}

/// One event.
#[derive(Debug)]
struct Row {
    flags: AtomicU8,
    deliveries: AtomicU8,
    latency_us: AtomicU32,
}

impl Ledger {
    /// Books for at most `capacity` events.
    pub(crate) fn new(run: u16, capacity: u32) -> Self {
        let row = || Row {
            flags: AtomicU8::new(0),
            deliveries: AtomicU8::new(0),
            latency_us: AtomicU32::new(NONE),
        };
        Self {
            run,
            next: AtomicU32::new(0),
            rows: (0..capacity).map(|_| row()).collect(),
            accepted: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            put_off: AtomicU64::new(0),
            first_sent_ns: AtomicU64::new(u64::MAX),
            last_accepted_ns: AtomicU64::new(0),
            last_delivered_ns: AtomicU64::new(0),
        }
    }

    /// The stamp of the next event, sent at `at`; `None` when the books are full.
    pub(crate) fn next(&self, at: u64) -> Option<Stamp> {
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        if seq as usize >= self.rows.len() {
            // Keeps the counter from wrapping round.
            self.next.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.first_sent_ns.fetch_min(at, Ordering::Relaxed);
        Some(Stamp {
            run: self.run,
            seq,
            at,
        })
    }

    /// The gateway answered 201 at `now`.
    pub(crate) fn accept(&self, seq: u32, now: u64) {
        let Some(row) = self.rows.get(seq as usize) else {
            return;
        };
        row.flags.fetch_or(ACCEPTED, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.last_accepted_ns.fetch_max(now, Ordering::Relaxed);
    }

    /// A delivery arrived at `now` and is answered with 2xx.
    pub(crate) fn deliver(&self, stamp: Stamp, now: u64) {
        let Some(row) = self.rows.get(stamp.seq as usize) else {
            return;
        };
        // 255 copies of one event are as bad as more.
        let count = |n: u8| Some(n.saturating_add(1));
        if row
            .deliveries
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count)
            != Ok(0)
        {
            return;
        }
        let micros = u32::try_from(now.saturating_sub(stamp.at) / 1000).unwrap_or(NONE);
        row.latency_us.store(micros.min(NONE - 1), Ordering::Relaxed);
        self.delivered.fetch_add(1, Ordering::Relaxed);
        self.last_delivered_ns.fetch_max(now, Ordering::Relaxed);
    }

    /// A delivery arrived and was answered with a status that asks for another attempt.
    pub(crate) fn put_off(&self) {
        self.put_off.fetch_add(1, Ordering::Relaxed);
    }

    /// Events sent so far.
    pub(crate) fn sent(&self) -> u64 {
        u64::from(self.next.load(Ordering::Relaxed)).min(self.rows.len() as u64)
    }

    /// Events answered with 201.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Events delivered at least once, accepted or not.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Attempts that the receiver refused.
    pub(crate) fn refused_attempts(&self) -> u64 {
        self.put_off.load(Ordering::Relaxed)
    }

    /// Accepted events that were not delivered.
    pub(crate) fn lost(&self) -> u64 {
        self.count(|flags, deliveries| flags & ACCEPTED != 0 && deliveries == 0)
    }

    /// Delivered events without a 201: the answer was lost, or the bench gave up waiting for it.
    pub(crate) fn delivered_unanswered(&self) -> u64 {
        self.count(|flags, deliveries| flags & ACCEPTED == 0 && deliveries > 0)
    }

    /// Deliveries beyond the first of each event.
    pub(crate) fn duplicates(&self) -> u64 {
        self.rows
            .iter()
            .map(|row| u64::from(row.deliveries.load(Ordering::Relaxed).saturating_sub(1)))
            .sum()
    }

    /// Accepted events per second, from the first request to the last 201.
    pub(crate) fn accepted_per_second(&self) -> f64 {
        self.rate(self.accepted(), self.last_accepted_ns.load(Ordering::Relaxed))
    }

    /// Delivered events per second, from the first request to the last first delivery.
    pub(crate) fn delivered_per_second(&self) -> f64 {
        self.rate(self.delivered(), self.last_delivered_ns.load(Ordering::Relaxed))
    }

    /// When the last first delivery arrived.
    pub(crate) fn last_delivered_ns(&self) -> u64 {
        self.last_delivered_ns.load(Ordering::Relaxed)
    }

    /// From just before the request was written to the receipt of the first delivery.
    pub(crate) fn latencies(&self) -> Latencies {
        let measured = self.rows.iter().map(|row| row.latency_us.load(Ordering::Relaxed));
        Latencies::new(measured.filter(|us| *us != NONE).collect())
    }

    fn count(&self, wanted: impl Fn(u8, u8) -> bool) -> u64 {
        let is_wanted = |row: &&Row| {
            wanted(
                row.flags.load(Ordering::Relaxed),
                row.deliveries.load(Ordering::Relaxed),
            )
        };
        self.rows.iter().filter(is_wanted).count() as u64
    }

    fn rate(&self, events: u64, end_ns: u64) -> f64 {
        let start = self.first_sent_ns.load(Ordering::Relaxed);
        if events == 0 || end_ns <= start {
            0.0
        } else {
            events as f64 / ((end_ns - start) as f64 / 1e9)
        }
    }
}

/// Sorted latencies, all of them: percentiles are exact.
#[derive(Debug)]
pub(crate) struct Latencies {
    sorted_us: Vec<u32>,
}

impl Latencies {
    fn new(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        Self { sorted_us: micros }
    }

    /// The smallest latency that `percent` of all do not exceed, in milliseconds; 0 without any.
    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.sorted_us.len() as f64).ceil() as usize;
        self.sorted_us
            .get(rank.saturating_sub(1))
            .map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(seq: u32) -> Stamp {
        Stamp {
            run: 1,
            seq,
            at: 1_000_000,
        }
    }

    #[test]
    fn an_accepted_event_without_delivery_is_lost_and_a_second_delivery_is_a_duplicate() {
        let ledger = Ledger::new(1, 10);
        for _ in 0..4 {
            ledger.next(0).expect("has room");
        }
        for seq in 0..3 {
            ledger.accept(seq, 10);
        }
        for seq in [0, 0, 0, 1, 3] {
            ledger.deliver(stamp(seq), 2_000_000);
        }
        assert_eq!((ledger.sent(), ledger.accepted(), ledger.delivered()), (4, 3, 3));
        assert_eq!(
            (ledger.lost(), ledger.duplicates(), ledger.delivered_unanswered()),
            (1, 2, 1)
        );
    }

    #[test]
    fn rates_run_from_the_first_request_to_the_last_outcome() {
        let ledger = Ledger::new(1, 10);
        for at in [2_000_000_000, 1_000_000_000] {
            ledger.next(at).expect("has room");
        }
        ledger.accept(0, 1_500_000_000);
        ledger.accept(1, 2_000_000_000);
        ledger.deliver(stamp(0), 5_000_000_000);
        assert!((ledger.accepted_per_second() - 2.0).abs() < 1e-9);
        assert!((ledger.delivered_per_second() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn full_books_give_no_further_stamp() {
        let ledger = Ledger::new(1, 2);
        assert_eq!(
            [ledger.next(0), ledger.next(0), ledger.next(0)]
                .iter()
                .flatten()
                .count(),
            2
        );
        assert_eq!(ledger.sent(), 2);
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let latencies = Latencies::new((1..=1000).rev().collect());
        let at = |percent| (latencies.percentile_ms(percent) * 1000.0).round() as u32;
        assert_eq!([at(50.0), at(95.0), at(99.0), at(100.0)], [500, 950, 990, 1000]);
        assert_eq!(Latencies::new(Vec::new()).percentile_ms(50.0).to_bits(), 0);
    }
}
