//! What the hourly counters count.
//!
//! Counters are written with the rows they count, so pages never scan. Latencies are counted in
//! buckets that grow by the square root of two, which gives percentiles within 20 %.

/// One counter of a project or an endpoint and hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Events accepted (project).
    Accepted,
    /// Bytes of their payloads (project).
    AcceptedBytes,
    /// Events known already by their idempotency key (project).
    Duplicate,
    /// Events that no subscription matched (project).
    Unmatched,
    /// Deliveries that ended well (endpoint).
    Delivered,
    /// Deliveries whose attempts were used up (endpoint).
    Failed,
    /// Deliveries that were not sent (endpoint).
    Discarded,
    /// Attempts that failed and are followed by another (endpoint).
    Retried,
    /// Deliveries whose time from accepted to delivered fell in this bucket (endpoint).
    Latency(u8),
}

/// Latency counters start at this number in storage.
const LATENCY_BASE: i16 = 100;
/// The last bucket takes everything slower than about 12 days.
pub const LATENCY_BUCKETS: u8 = 60;

impl Metric {
    /// The number in storage.
    pub fn code(self) -> i16 {
        match self {
            Self::Accepted => 1,
            Self::AcceptedBytes => 2,
            Self::Duplicate => 3,
            Self::Unmatched => 4,
            Self::Delivered => 5,
            Self::Failed => 6,
            Self::Discarded => 7,
            Self::Retried => 8,
            Self::Latency(bucket) => LATENCY_BASE + i16::from(bucket),
        }
    }

    /// The metric stored as `code`.
    pub fn from_code(code: i16) -> Option<Self> {
        Some(match code {
            1 => Self::Accepted,
            2 => Self::AcceptedBytes,
            3 => Self::Duplicate,
            4 => Self::Unmatched,
            5 => Self::Delivered,
            6 => Self::Failed,
            7 => Self::Discarded,
            8 => Self::Retried,
            _ => Self::Latency(
                u8::try_from(code - LATENCY_BASE)
                    .ok()
                    .filter(|b| *b <= LATENCY_BUCKETS)?,
            ),
        })
    }

    /// The bucket of a latency.
    pub fn latency(millis: u32) -> Self {
        let bucket = f64::from(millis.max(1)).log2() * 2.0;
        Self::Latency((bucket.round() as u8).min(LATENCY_BUCKETS))
    }
}

/// The latency in milliseconds that stands for a bucket.
pub fn bucket_millis(bucket: u8) -> f64 {
    (f64::from(bucket) / 2.0).exp2()
}

/// The latency below which the share `quantile` of all counted deliveries fell, in milliseconds;
/// `None` when nothing was counted. `buckets` need not be sorted.
pub fn percentile(buckets: &[(u8, u64)], quantile: f64) -> Option<f64> {
    let total: u64 = buckets.iter().map(|(_, n)| n).sum();
    if total == 0 {
        return None;
    }
    let mut sorted = buckets.to_vec();
    sorted.sort_unstable();
    let wanted = (total as f64 * quantile).ceil().max(1.0) as u64;
    let mut seen = 0;
    for (bucket, n) in sorted {
        seen += n;
        if seen >= wanted {
            return Some(bucket_millis(bucket));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_read_back_from_their_codes() {
        for code in (1..=8).chain(100..=160) {
            assert_eq!(Metric::from_code(code).map(Metric::code), Some(code));
        }
        assert_eq!(Metric::from_code(99), None);
        assert_eq!(Metric::from_code(161), None);
    }

    #[test]
    fn a_bucket_stands_for_its_latencies_within_a_fifth() {
        for millis in [1u32, 2, 3, 7, 40, 96, 1_000, 9_999, 86_400_000] {
            let Metric::Latency(bucket) = Metric::latency(millis) else {
                panic!("not a latency")
            };
            let off = bucket_millis(bucket) / f64::from(millis);
            assert!((0.8..1.25).contains(&off), "{millis} -> {off}");
        }
    }

    #[test]
    fn percentiles_come_from_the_bucket_that_holds_them() {
        let buckets = [(4, 90), (10, 9), (20, 1)];
        assert_eq!(percentile(&buckets, 0.5), Some(bucket_millis(4)));
        assert_eq!(percentile(&buckets, 0.95), Some(bucket_millis(10)));
        assert_eq!(percentile(&buckets, 1.0), Some(bucket_millis(20)));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
