//! Lengths of time as operators write them: `720h`, `24h30m`, `10s`, `500ms`, or plain seconds.

use std::time::Duration;

use thiserror::Error;

/// The longest length that is read: 100 years of 365 days.
pub const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// Why a text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DurationError {
    /// Nothing was given.
    #[error("a length of time is missing, for example 30s or 24h")]
    Empty,
    /// A minus sign.
    #[error("a length of time cannot be negative")]
    Negative,
    /// Something that is neither a number nor a unit, or a number without a unit after another part.
    #[error("`{0}` is not a length of time, write for example 30s, 24h30m or 500ms")]
    Malformed(String),
    /// More than [`LONGEST`].
    #[error("`{0}` is longer than 100 years")]
    TooLong(String),
}

/// Units and their nanoseconds, longest first; two-letter names stand before their first letter.
const UNITS: [(&str, u64); 8] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

/// Reads `text`: numbers with units in any order (`1h30m`, `1.5h`), or one plain number of seconds.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(DurationError::Empty);
    }
    if trimmed.starts_with('-') {
        return Err(DurationError::Negative);
    }
    let malformed = || DurationError::Malformed(shown(trimmed));
    let mut rest = trimmed.strip_prefix('+').unwrap_or(trimmed);
    let mut nanos: u128 = 0;
    let mut first = true;
    while !rest.is_empty() || first {
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let (unit, tail) = match UNITS.iter().find(|(name, _)| tail.starts_with(name)) {
            Some((name, unit)) => (*unit, &tail[name.len()..]),
            None if first && tail.is_empty() => (1_000_000_000, tail),
            None => return Err(malformed()),
        };
        let part = scaled(number, unit).ok_or_else(malformed)?;
        nanos = nanos.saturating_add(part);
        rest = tail;
        first = false;
    }
    if nanos > LONGEST.as_nanos() {
        return Err(DurationError::TooLong(shown(trimmed)));
    }
    let nanos_per_second = 1_000_000_000;
    Ok(Duration::new(
        (nanos / nanos_per_second) as u64,
        (nanos % nanos_per_second) as u32,
    ))
}

/// `number`, a decimal text, times `unit` nanoseconds; `None` when it is not a number.
fn scaled(number: &str, unit: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    // A number too long for the type is too long for a length of time as well.
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u128>().unwrap_or(u128::from(u64::MAX))
    };
    let mut total = whole.saturating_mul(u128::from(unit));
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        total = total.saturating_add(u128::from(place) * u128::from(digit - b'0'));
    }
    Some(total)
}

/// The start of `text`, for a message.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// How `length` is shown: `720h`, `24h30m`, `10s`, `500ms`, `0s`. [`parse`] reads it back.
pub fn format(length: Duration) -> String {
    use std::fmt::Write as _;

    let (hours, minutes, seconds) = (
        length.as_secs() / 3_600,
        length.as_secs() / 60 % 60,
        length.as_secs() % 60,
    );
    let nanos = length.subsec_nanos();
    let mut out = String::new();
    let parts = [
        (hours, "h"),
        (minutes, "m"),
        (seconds, "s"),
        (u64::from(nanos / 1_000_000), "ms"),
    ]
    .into_iter()
    .chain([
        (u64::from(nanos / 1_000 % 1_000), "us"),
        (u64::from(nanos % 1_000), "ns"),
    ]);
    for (count, unit) in parts.filter(|(count, _)| *count > 0) {
        // Writing to a text cannot fail.
        let _ = write!(out, "{count}{unit}");
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// For `#[serde(with = "domain::duration::text")]`: reads a text or a number of seconds, writes a text.
pub mod text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(u64),
        Fraction(f64),
        Text(String),
    }

    /// Writes `length` as [`super::format`] shows it.
    pub fn serialize<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format(*length))
    }

    /// Reads a text, or a number of seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = match Written::deserialize(deserializer) {
            Ok(Written::Text(text)) => text,
            Ok(Written::Seconds(seconds)) => seconds.to_string(),
            Ok(Written::Fraction(seconds)) => seconds.to_string(),
            Err(_) => return Err(de::Error::custom("expected a length of time such as 30s")),
        };
        super::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn documented_forms_are_read() {
        for (text, millis) in [
            ("720h", 720 * 3_600_000),
            ("24h30m", 88_200_000),
            ("10s", 10_000),
            ("1m", 60_000),
            ("500ms", 500),
            ("30", 30_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("2d", 172_800_000),
            (" 1m ", 60_000),
            ("0", 0),
            ("720h0m0s", 720 * 3_600_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_length_is_refused_with_its_reason() {
        assert_eq!(parse(""), Err(DurationError::Empty));
        assert_eq!(parse("-5s"), Err(DurationError::Negative));
        for text in ["h", "5x", "1h30", "1..5s", "5 s", "ten", "1h-3m", "+", "."] {
            assert!(matches!(parse(text), Err(DurationError::Malformed(_))), "{text}");
        }
        assert!(matches!(
            parse("9999999999999999999999999999999999999999999h"),
            Err(DurationError::TooLong(_))
        ));
    }

    proptest! {
        #[test]
        fn a_shown_length_reads_back(seconds in 0_u64..3_000_000_000, nanos in 0_u32..1_000_000_000) {
            let length = Duration::new(seconds, nanos);
            prop_assert_eq!(parse(&format(length)), Ok(length));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = parse(&text);
        }
    }
}
