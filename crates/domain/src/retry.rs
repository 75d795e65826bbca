//! When a failed delivery is tried again.
//!
//! On the wire a policy is the project's `strategy`: `{type, duration, retry_count, intervals?}`.
//! `retry_count` counts attempts in all, the first one included; a list makes it superfluous.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::duration;
use crate::project::{StrategyConfig, StrategyKind};

/// Most attempts that a policy may ask for.
pub const MAX_ATTEMPTS: u32 = 1_000;
/// Longest single wait, in seconds: 30 days.
pub const MAX_WAIT_SECONDS: u32 = 30 * 86_400;
/// Longest wait of the exponential policy when nothing else is configured, in seconds.
pub const DEFAULT_MAX_SECONDS: u32 = 7_200;
/// Most that chance adds to a wait of the exponential policy.
const MAX_JITTER: Duration = Duration::from_secs(5);

/// How often and after which waits a delivery is attempted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Strategy", into = "Strategy")]
pub enum RetryPolicy {
    /// The same wait each time.
    Linear {
        /// Seconds between attempts.
        interval_seconds: u32,
        /// Attempts in all.
        limit: u32,
    },
    /// Each wait is twice the one before.
    Exponential {
        /// Seconds before the second attempt.
        base_seconds: u32,
        /// Attempts in all.
        limit: u32,
        /// No wait is longer than this, chance not counted. Seconds.
        max_seconds: u32,
    },
    /// A wait for each attempt after the first.
    List {
        /// Seconds before the second, third, ... attempt. There is one attempt more than waits.
        seconds: Vec<u32>,
    },
}

/// Why a policy is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RetryError {
    /// No attempt, or more than [`MAX_ATTEMPTS`].
    #[error("retry_count must be between 1 and {MAX_ATTEMPTS}")]
    Limit,
    /// A wait of nothing, or longer than [`MAX_WAIT_SECONDS`].
    #[error("duration must be between 1 second and 30 days")]
    Wait,
    /// A wait in the list is longer than [`MAX_WAIT_SECONDS`].
    #[error("intervals[{0}] must be at most 30 days")]
    Interval(usize),
    /// `list` without waits.
    #[error("intervals is required when type is list, and holds at least one wait")]
    NoIntervals,
    /// A type that does not exist.
    #[error("type must be linear, exponential or list, not `{0}`")]
    Type(String),
    /// A duration that cannot be read.
    #[error("duration: {0}")]
    Duration(#[from] duration::DurationError),
}

impl Default for RetryPolicy {
    /// Ten attempts, 100 seconds apart.
    fn default() -> Self {
        Self::Linear {
            interval_seconds: 100,
            limit: 10,
        }
    }
}

impl RetryPolicy {
    /// Refuses counts and waits outside of the limits.
    pub fn validate(&self) -> Result<(), RetryError> {
        if !(1..=MAX_ATTEMPTS).contains(&self.limit()) {
            return Err(RetryError::Limit);
        }
        let wait_is_sane = |seconds: u32| (1..=MAX_WAIT_SECONDS).contains(&seconds);
        match self {
            Self::Linear { interval_seconds, .. } if !wait_is_sane(*interval_seconds) => {
                Err(RetryError::Wait)
            }
            Self::Exponential {
                base_seconds,
                max_seconds,
                ..
            } if !wait_is_sane(*base_seconds) || !wait_is_sane(*max_seconds) => Err(RetryError::Wait),
            Self::List { seconds } => seconds
                .iter()
                .position(|s| *s > MAX_WAIT_SECONDS)
                .map_or(Ok(()), |index| Err(RetryError::Interval(index))),
            Self::Linear { .. } | Self::Exponential { .. } => Ok(()),
        }
    }

    /// Attempts in all, the first one included.
    pub fn limit(&self) -> u32 {
        match self {
            Self::Linear { limit, .. } | Self::Exponential { limit, .. } => *limit,
            Self::List { seconds } => u32::try_from(seconds.len()).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    /// The same policy with no exponential wait longer than `seconds`.
    #[must_use]
    pub fn capped(self, seconds: u32) -> Self {
        match self {
            Self::Exponential {
                base_seconds,
                limit,
                max_seconds,
            } => Self::Exponential {
                base_seconds,
                limit,
                max_seconds: max_seconds.min(seconds),
            },
            other => other,
        }
    }

    /// The wait after `attempts_made` failed attempts, or `None` when they are used up.
    ///
    /// `jitter` is a random number from 0 to 1. Only the exponential policy uses it: it adds up to
    /// five seconds, but never more than the wait itself.
    pub fn next_delay(&self, attempts_made: u32, jitter: f64) -> Option<Duration> {
        if attempts_made >= self.limit() {
            return None;
        }
        let step = attempts_made.saturating_sub(1);
        Some(match self {
            Self::Linear { interval_seconds, .. } => seconds(*interval_seconds),
            Self::Exponential {
                base_seconds,
                max_seconds,
                ..
            } => {
                let factor = 1_u32.checked_shl(step).unwrap_or(u32::MAX);
                let wait = seconds(base_seconds.saturating_mul(factor).min(*max_seconds));
                let share = if jitter.is_finite() {
                    jitter.clamp(0.0, 1.0)
                } else {
                    0.0
                };
                wait + wait.min(MAX_JITTER).mul_f64(share)
            }
            Self::List { seconds: waits } => seconds(waits.get(step as usize).copied().unwrap_or(0)),
        })
    }

    /// The longest time from the first attempt to the last, answers taking no time.
    pub fn longest_span(&self) -> Duration {
        (1..self.limit())
            .filter_map(|made| self.next_delay(made, 1.0))
            .sum()
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// A policy as it is written in a project's configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Strategy {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<Wait>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intervals: Option<Vec<Wait>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_retry_seconds: Option<u32>,
}

/// Seconds as a number, or a text such as `10s`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Wait {
    Seconds(u32),
    Text(String),
}

impl Wait {
    fn seconds(&self) -> Result<u32, RetryError> {
        match self {
            Self::Seconds(count) => Ok(*count),
            Self::Text(text) => u32::try_from(duration::parse(text)?.as_secs()).map_err(|_| RetryError::Wait),
        }
    }
}

impl TryFrom<Strategy> for RetryPolicy {
    type Error = RetryError;

    fn try_from(written: Strategy) -> Result<Self, RetryError> {
        let wait = || written.duration.as_ref().map_or(Ok(100), Wait::seconds);
        let limit = written.retry_count.unwrap_or(10);
        let policy = match written.kind.as_str() {
            "linear" => Self::Linear {
                interval_seconds: wait()?,
                limit,
            },
            "exponential" => Self::Exponential {
                base_seconds: wait()?,
                limit,
                max_seconds: written.max_retry_seconds.unwrap_or(DEFAULT_MAX_SECONDS),
            },
            "list" => Self::from_intervals(written.intervals.as_deref().unwrap_or_default())?,
            other => return Err(RetryError::Type(other.chars().take(40).collect())),
        };
        policy.validate()?;
        Ok(policy)
    }
}

impl RetryPolicy {
    fn from_intervals(intervals: &[Wait]) -> Result<Self, RetryError> {
        if intervals.is_empty() {
            return Err(RetryError::NoIntervals);
        }
        Ok(Self::List {
            seconds: intervals.iter().map(Wait::seconds).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<&StrategyConfig> for RetryPolicy {
    type Error = RetryError;

    /// A list says itself how many attempts there are; its `retry_count` is not read.
    fn try_from(config: &StrategyConfig) -> Result<Self, RetryError> {
        let policy = match config.kind {
            StrategyKind::Linear => Self::Linear {
                interval_seconds: config.duration,
                limit: config.retry_count,
            },
            StrategyKind::Exponential => Self::Exponential {
                base_seconds: config.duration,
                limit: config.retry_count,
                max_seconds: DEFAULT_MAX_SECONDS,
            },
            StrategyKind::List if config.intervals.is_empty() => return Err(RetryError::NoIntervals),
            StrategyKind::List => Self::List {
                seconds: config.intervals.clone(),
            },
        };
        policy.validate()?;
        Ok(policy)
    }
}

impl From<RetryPolicy> for Strategy {
    fn from(policy: RetryPolicy) -> Self {
        let retry_count = Some(policy.limit());
        let (kind, duration, intervals, max) = match policy {
            RetryPolicy::Linear { interval_seconds, .. } => ("linear", interval_seconds, None, None),
            RetryPolicy::Exponential {
                base_seconds,
                max_seconds,
                ..
            } => {
                // Written only when it says something, so that the usual shape stays the known one.
                let max = (max_seconds != DEFAULT_MAX_SECONDS).then_some(max_seconds);
                ("exponential", base_seconds, None, max)
            }
            RetryPolicy::List { seconds } => {
                let first = seconds.first().copied().unwrap_or(0);
                (
                    "list",
                    first,
                    Some(seconds.into_iter().map(Wait::Seconds).collect()),
                    None,
                )
            }
        };
        Self {
            kind: kind.to_owned(),
            duration: Some(Wait::Seconds(duration)),
            retry_count,
            intervals,
            max_retry_seconds: max,
        }
    }
}

/// Forms of a date in HTTP: the usual one and two old ones that must still be read.
const HTTP_DATES: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// The wait that a `Retry-After` header asks for: seconds, or a date in HTTP form.
///
/// A date that has passed means no wait; never longer than `cap`. `None` when `text` is neither.
pub fn parse_retry_after(text: &str, now: DateTime<Utc>, cap: Duration) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // Too many digits for the type are longer than any cap.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)).min(cap));
    }
    let date = HTTP_DATES
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some((date.and_utc() - now).to_std().unwrap_or_default().min(cap))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn waits(policy: &RetryPolicy) -> Vec<u64> {
        (1..)
            .map_while(|made| policy.next_delay(made, 0.0))
            .map(|wait| wait.as_secs())
            .collect()
    }

    #[test]
    fn retry_count_counts_attempts_in_all() {
        let policy = RetryPolicy::Linear {
            interval_seconds: 7,
            limit: 4,
        };
        assert_eq!(waits(&policy), [7, 7, 7]);
        assert_eq!(policy.next_delay(4, 0.0), None);
        assert_eq!(policy.longest_span(), Duration::from_secs(21));
    }

    #[test]
    fn exponential_doubles_up_to_its_cap() {
        let policy = RetryPolicy::Exponential {
            base_seconds: 10,
            limit: 6,
            max_seconds: 60,
        };
        assert_eq!(waits(&policy), [10, 20, 40, 60, 60]);
        assert_eq!(policy.next_delay(1, 1.0), Some(Duration::from_secs(15)));
        assert_eq!(waits(&policy.capped(15)), [10, 15, 15, 15, 15]);
    }

    #[test]
    fn a_list_makes_one_attempt_more_than_waits() {
        let policy = RetryPolicy::List {
            seconds: vec![1, 0, 60],
        };
        assert_eq!(policy.limit(), 4);
        assert_eq!(waits(&policy), [1, 0, 60]);
    }

    #[test]
    fn the_project_strategy_is_read_and_written() {
        for (written, policy) in [
            (
                json!({"type": "linear", "duration": 100, "retry_count": 10}),
                RetryPolicy::default(),
            ),
            (
                json!({"type": "exponential", "duration": 3, "retry_count": 5}),
                RetryPolicy::Exponential {
                    base_seconds: 3,
                    limit: 5,
                    max_seconds: DEFAULT_MAX_SECONDS,
                },
            ),
            (
                json!({"type": "list", "duration": 1, "retry_count": 3, "intervals": [1, 5]}),
                RetryPolicy::List { seconds: vec![1, 5] },
            ),
        ] {
            assert_eq!(
                serde_json::from_value::<RetryPolicy>(written.clone()).expect("valid"),
                policy
            );
            assert_eq!(serde_json::to_value(&policy).expect("serialises"), written);
        }
        let old_form = json!({"type": "linear", "duration": "1m30s", "retry_count": 2});
        assert_eq!(
            serde_json::from_value::<RetryPolicy>(old_form).expect("valid"),
            RetryPolicy::Linear {
                interval_seconds: 90,
                limit: 2
            }
        );
    }

    #[test]
    fn the_default_of_a_project_is_the_default_policy() {
        assert_eq!(
            RetryPolicy::try_from(&StrategyConfig::default()),
            Ok(RetryPolicy::default())
        );
        let list = StrategyConfig {
            kind: StrategyKind::List,
            ..StrategyConfig::default()
        };
        assert_eq!(RetryPolicy::try_from(&list), Err(RetryError::NoIntervals));
        let list = StrategyConfig {
            intervals: vec![5, 9],
            ..list
        };
        assert_eq!(
            RetryPolicy::try_from(&list),
            Ok(RetryPolicy::List { seconds: vec![5, 9] })
        );
    }

    #[test]
    fn a_wrong_strategy_names_its_key() {
        for (written, part) in [
            (
                json!({"type": "linear", "duration": 0, "retry_count": 3}),
                "duration",
            ),
            (
                json!({"type": "linear", "duration": 5, "retry_count": 0}),
                "retry_count",
            ),
            (
                json!({"type": "linear", "duration": 5, "retry_count": 1001}),
                "retry_count",
            ),
            (
                json!({"type": "linear", "duration": "soon", "retry_count": 1}),
                "duration",
            ),
            (json!({"type": "list"}), "intervals"),
            (
                json!({"type": "list", "intervals": [1, 2_592_001]}),
                "intervals[1]",
            ),
            (json!({"type": "fibonacci"}), "fibonacci"),
        ] {
            let error = serde_json::from_value::<RetryPolicy>(written.clone())
                .expect_err("refused")
                .to_string();
            assert!(error.contains(part), "{written}: {error}");
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T12:00:00Z")
            .expect("valid")
            .to_utc();
        let cap = Duration::from_hours(2);
        let read = |text: &str| parse_retry_after(text, now, cap).map(|wait| wait.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("99999999999999999999999999"), Some(7_200));
        assert_eq!(read("Fri, 20 Nov 2026 12:01:30 GMT"), Some(90));
        assert_eq!(read("Friday, 20-Nov-26 12:01:30 GMT"), Some(90));
        assert_eq!(read("Fri Nov 20 12:01:30 2026"), Some(90));
        assert_eq!(read("Fri, 20 Nov 2020 12:01:30 GMT"), Some(0));
        for text in ["", "-1", "soon", "1.5", "Fri, 32 Nov 2026 12:01:30 GMT"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_wait_passes_the_cap_and_its_jitter(
            base in 1_u32..100_000, limit in 1_u32..200, max in 1_u32..100_000, made in 0_u32..300, jitter: f64,
        ) {
            let policy = RetryPolicy::Exponential { base_seconds: base, limit, max_seconds: max };
            let wait = policy.next_delay(made, jitter);
            prop_assert_eq!(wait.is_some(), made < limit);
            prop_assert!(wait.is_none_or(|w| w <= seconds(max) + MAX_JITTER));
        }

        #[test]
        fn no_retry_after_makes_it_panic(text in ".{0,40}") {
            let _ = parse_retry_after(&text, DateTime::UNIX_EPOCH, Duration::from_mins(1));
        }
    }
}
