//! Text of counts, shares, bytes and durations.

use super::NBSP;

/// A count with a no-break space every three digits: `1 284 310`, `−12`.
pub fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + 8);
    if n < 0 {
        text.push('−');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(NBSP);
        }
        text.push(digit);
    }
    text
}

/// A count that was only counted up to `limit`: `10 000+`.
pub fn count_at_most(n: i64, limit: i64) -> String {
    if n >= limit {
        format!("{}+", count(limit))
    } else {
        count(n)
    }
}

/// A count for summaries: whole below a million, then `12.6 M`, `1.28 G`.
pub fn short_count(n: i64) -> String {
    let size = n.unsigned_abs();
    if size < 1_000_000 {
        return count(n);
    }
    let (value, unit) = if size < 1_000_000_000 {
        (size as f64 / 1e6, "M")
    } else {
        (size as f64 / 1e9, "G")
    };
    let sign = if n < 0 { "−" } else { "" };
    format!("{sign}{}{NBSP}{unit}", three_digits(value))
}

/// A share of one as percent, with two digits near 100: `99.69 %`, `84.2 %`.
///
/// Rounds towards less than all, so that `100 %` means every single one; `0 %` means none.
pub fn percent(share: f64) -> String {
    let value = share.clamp(0.0, 1.0) * 100.0;
    let text = if value >= 100.0 {
        "100".to_owned()
    } else if value <= 0.0 {
        "0".to_owned()
    } else if value >= 90.0 {
        format!("{:.2}", (value * 100.0).floor() / 100.0)
    } else {
        format!("{value:.1}")
    };
    format!("{text}{NBSP}%")
}

/// Bytes in decimal units with three digits: `528 MB`, `1.40 GB`, `252 kB`, `394 B`.
pub fn bytes(n: u64) -> String {
    if n < 1000 {
        return format!("{n}{NBSP}B");
    }
    let mut value = n as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB", "PB"] {
        value /= 1000.0;
        unit = next;
        if value < 999.5 {
            break;
        }
    }
    format!("{}{NBSP}{unit}", three_digits(value))
}

/// A duration in milliseconds: `96 ms`, `1.84 s`, `10.0 s`, `4 min 12 s`, `15 h 33 min`, `3 d 4 h`.
pub fn duration_ms(ms: u64) -> String {
    if ms < 1000 {
        return format!("{ms}{NBSP}ms");
    }
    if ms < 59_950 {
        return format!("{}{NBSP}s", three_digits(ms as f64 / 1000.0));
    }
    let seconds = (ms + 500) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, _) => two_units((minutes, "min"), (seconds % 60, "s")),
        (0, _, _) => two_units((hours, "h"), (minutes % 60, "min")),
        _ => two_units((days, "d"), (hours % 24, "h")),
    }
}

fn two_units((big, big_unit): (u64, &str), (small, small_unit): (u64, &str)) -> String {
    if small == 0 {
        format!("{big}{NBSP}{big_unit}")
    } else {
        format!("{big}{NBSP}{big_unit}{NBSP}{small}{NBSP}{small_unit}")
    }
}

fn three_digits(value: f64) -> String {
    if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace(NBSP, " ")
    }

    #[test]
    fn counts_are_grouped_by_three_digits() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (1_284_310, "1 284 310"),
            (-12_345, "−12 345"),
        ];
        for (n, want) in cases {
            assert_eq!(plain(&count(n)), want);
        }
        assert_eq!(plain(&count(i64::MIN)), "−9 223 372 036 854 775 808");
    }

    #[test]
    fn cut_off_counts_say_so() {
        assert_eq!(plain(&count_at_most(10_000, 10_000)), "10 000+");
        assert_eq!(plain(&count_at_most(9_999, 10_000)), "9 999");
    }

    #[test]
    fn summaries_shorten_from_a_million_on() {
        assert_eq!(plain(&short_count(999_999)), "999 999");
        assert_eq!(plain(&short_count(12_649_000)), "12.6 M");
        assert_eq!(plain(&short_count(1_284_310_000)), "1.28 G");
    }

    #[test]
    fn a_hundred_percent_means_every_one_and_zero_means_none() {
        let cases = [
            (1.0, "100 %"),
            (0.999_999, "99.99 %"),
            (0.996_95, "99.69 %"),
            (0.842, "84.2 %"),
            (0.000_1, "0.0 %"),
            (0.0, "0 %"),
        ];
        for (share, want) in cases {
            assert_eq!(plain(&percent(share)), want);
        }
    }

    #[test]
    fn bytes_have_three_digits_in_decimal_units() {
        let cases = [
            (0, "0 B"),
            (394, "394 B"),
            (1_000, "1.00 kB"),
            (252_300, "252 kB"),
            (999_600, "1.00 MB"),
            (528_000_000, "528 MB"),
            (1_400_000_000, "1.40 GB"),
        ];
        for (n, want) in cases {
            assert_eq!(plain(&bytes(n)), want);
        }
    }

    #[test]
    fn durations_pick_the_two_units_that_matter() {
        let cases = [
            (0, "0 ms"),
            (96, "96 ms"),
            (1_840, "1.84 s"),
            (10_000, "10.0 s"),
            (59_999, "1 min"),
            (252_000, "4 min 12 s"),
            (55_980_000, "15 h 33 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (ms, want) in cases {
            assert_eq!(plain(&duration_ms(ms)), want);
        }
    }
}
