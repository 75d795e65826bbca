//! Days, keep classes and the names of partitions.
//!
//! The hot tables are split by UTC day and then by keep class. A leaf holds the rows of one day
//! that are kept equally long, so it expires as a whole.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

/// The four tables split by day, in the order in which they are converted and dropped.
pub const PARTITIONED_TABLES: [&str; 4] =
    ["delivery_attempts", "event_deliveries", "events", "events_search"];

/// How many days rows are kept; 0 means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeepDays(pub i16);

impl KeepDays {
    /// Nothing of this class is ever deleted.
    pub const FOR_EVER: Self = Self(0);
}

impl std::fmt::Display for KeepDays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => f.write_str("for ever"),
            1 => f.write_str("1 day"),
            n => write!(f, "{n} days"),
        }
    }
}

/// What of a project's day is backed up together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The events.
    Events,
    /// Their deliveries and attempts: once nothing of the day is live any more.
    Deliveries,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Events, Self::Deliveries];

    /// The name in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Deliveries => "deliveries",
        }
    }

    /// The part called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.as_str() == name)
    }
}

/// When rows of `day` and `class` have been kept for as long as promised; `None`: never.
///
/// The days count from the end of the UTC day on which the event was accepted.
pub fn expires_at(day: NaiveDate, class: KeepDays) -> Option<DateTime<Utc>> {
    let days = u64::try_from(class.0).ok().filter(|days| *days > 0)?;
    day.checked_add_days(Days::new(days + 1)).map(start_of)
}

/// Midnight at which `day` starts.
pub fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The day after `day`.
pub fn next_day(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(day)
}

/// Name of the partition that holds `day` of `table`: `events_20261120`.
pub fn day_name(table: &str, day: NaiveDate) -> String {
    format!("{table}_{}", day.format("%Y%m%d"))
}

/// Name of the leaf that holds `day` and `class` of `table`: `events_20261120_k30`.
pub fn leaf_name(table: &str, day: NaiveDate, class: KeepDays) -> String {
    format!("{}_k{}", day_name(table, day), class.0)
}

/// Reads a leaf's name back into table, day and class.
pub fn parse_leaf_name(name: &str) -> Option<(&'static str, NaiveDate, KeepDays)> {
    let table = PARTITIONED_TABLES.into_iter().find(|t| {
        name.strip_prefix(t)
            .is_some_and(|rest| rest.starts_with("_2") || rest.starts_with("_1"))
    })?;
    let (day, class) = name.strip_prefix(table)?.strip_prefix('_')?.split_once("_k")?;
    Some((
        table,
        NaiveDate::parse_from_str(day, "%Y%m%d").ok()?,
        KeepDays(class.parse().ok()?),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_counts_from_the_end_of_the_day() {
        let day = NaiveDate::from_ymd_opt(2026, 10, 21).expect("valid");
        let end = expires_at(day, KeepDays(30)).expect("ends");
        assert_eq!(end.to_rfc3339(), "2026-11-21T00:00:00+00:00");
        assert_eq!(expires_at(day, KeepDays::FOR_EVER), None);
    }

    #[test]
    fn leaf_names_read_back() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 20).expect("valid");
        for table in PARTITIONED_TABLES {
            let name = leaf_name(table, day, KeepDays(30));
            assert_eq!(parse_leaf_name(&name), Some((table, day, KeepDays(30))), "{name}");
        }
        assert_eq!(parse_leaf_name("events_default"), None);
        assert_eq!(parse_leaf_name("events_20261120"), None);
    }
}
