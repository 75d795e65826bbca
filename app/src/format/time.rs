//! Text of instants and days, always UTC.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::NBSP;

/// An instant as a page shows it: formatted once, on the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// ISO 8601 with milliseconds, for machines and for copying.
    pub iso: String,
    /// What stands on the page: relative, a clock or a day.
    pub text: String,
    /// The whole instant in words: `20 Nov 2026, 06:41:07 UTC`.
    pub abs: String,
}

impl Stamp {
    /// Relative up to seven days, then the day.
    pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self::of(at, relative(at, now))
    }

    /// The clock of today's instants, the day and the clock of older ones; for rows.
    pub fn row(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let text = if at.date_naive() == now.date_naive() {
            clock(at)
        } else {
            day_time(at, now)
        };
        Self::of(at, text)
    }

    /// The clock with milliseconds, for the steps of one delivery.
    pub fn step(at: DateTime<Utc>) -> Self {
        Self::of(at, at.format("%H:%M:%S%.3f").to_string())
    }

    /// The day only.
    pub fn day(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self::of(at, day(at.date_naive(), now))
    }

    fn of(at: DateTime<Utc>, text: String) -> Self {
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            text,
            abs: at.format("%-d %b %Y, %H:%M:%S UTC").to_string(),
        }
    }
}

/// `10:42:17`.
pub fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S").to_string()
}

/// `21 Oct`, with the year when it is not that of `now`.
pub fn day(date: NaiveDate, now: DateTime<Utc>) -> String {
    let pattern = if date.year() == now.year() {
        "%-d\u{a0}%b"
    } else {
        "%-d\u{a0}%b\u{a0}%Y"
    };
    date.format(pattern).to_string()
}

/// `20261021`, for names and addresses.
pub fn day_compact(date: NaiveDate) -> String {
    date.format("%Y%m%d").to_string()
}

/// `21 Nov, 02:15`.
pub fn day_time(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{}, {}", day(at.date_naive(), now), at.format("%H:%M"))
}

/// `4 h ago`, `in 38 s`, `just now`; beyond seven days the day.
pub fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    if seconds.unsigned_abs() > 7 * 86_400 {
        return day(at.date_naive(), now);
    }
    if seconds.unsigned_abs() < 1 {
        return "just now".to_owned();
    }
    let text = span(seconds.unsigned_abs());
    if seconds > 0 {
        format!("{text}{NBSP}ago")
    } else {
        format!("in{NBSP}{text}")
    }
}

/// Seconds in their largest whole unit: `38 s`, `12 min`, `4 h`, `2 d`.
pub fn span(seconds: u64) -> String {
    let (n, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..86_400 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{n}{NBSP}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn now() -> DateTime<Utc> {
        "2026-11-20T10:42:18Z".parse().expect("valid")
    }

    fn plain(text: &str) -> String {
        text.replace(NBSP, " ")
    }

    #[test]
    fn the_past_and_the_future_are_relative_up_to_seven_days() {
        let cases = [
            (0, "just now"),
            (-42, "42 s ago"),
            (38, "in 38 s"),
            (-11 * 60, "11 min ago"),
            (-4 * 3_600 - 60, "4 h ago"),
            (-2 * 86_400, "2 d ago"),
            (-7 * 86_400, "7 d ago"),
            (-30 * 86_400, "21 Oct"),
            (-400 * 86_400, "16 Oct 2025"),
        ];
        for (offset, want) in cases {
            assert_eq!(plain(&relative(now() + TimeDelta::seconds(offset), now())), want);
        }
    }

    #[test]
    fn rows_print_the_clock_today_and_the_day_before() {
        assert_eq!(Stamp::row(now() - TimeDelta::hours(2), now()).text, "08:42:18");
        assert_eq!(
            plain(&Stamp::row(now() - TimeDelta::hours(12), now()).text),
            "19 Nov, 22:42"
        );
    }

    #[test]
    fn a_stamp_carries_the_whole_instant() {
        let stamp = Stamp::step("2026-11-20T06:41:07.318Z".parse().expect("valid"));
        assert_eq!(stamp.text, "06:41:07.318");
        assert_eq!(stamp.iso, "2026-11-20T06:41:07.318Z");
        assert_eq!(stamp.abs, "20 Nov 2026, 06:41:07 UTC");
    }

    #[test]
    fn days_name_the_year_only_when_it_is_another() {
        let date = NaiveDate::from_ymd_opt(2026, 10, 21).expect("valid");
        assert_eq!(plain(&day(date, now())), "21 Oct");
        assert_eq!(day_compact(date), "20261021");
        let old = NaiveDate::from_ymd_opt(2025, 1, 2).expect("valid");
        assert_eq!(plain(&day(old, now())), "2 Jan 2025");
    }
}
