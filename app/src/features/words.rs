//! Facts in words, as several features print them.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    event::EventKind,
    lifecycle::KeepDays,
    project::{DigestEncoding, HashKind, ProjectKind, StrategyConfig},
    retry::RetryPolicy,
};
use services::deliveries::Attempt;

use crate::{
    format::{self, NBSP},
    ui::{
        code::Payload,
        html::{Html, json_tree},
    },
};

/// Longest payload that is shown as a tree, in bytes.
const TREE_BYTES: usize = 128 * 1024;
/// Longest payload that is shown at all, in bytes.
const RAW_BYTES: usize = 256 * 1024;
/// Most nodes of a tree.
const TREE_NODES: usize = 2_000;

/// Which way a project's events travel.
pub fn kind(kind: ProjectKind) -> &'static str {
    match kind {
        ProjectKind::Outgoing => "Outgoing",
        ProjectKind::Incoming => "Incoming",
    }
}

/// How an event came.
pub fn source(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Single => "REST",
        EventKind::Fanout => "REST, fanout",
        EventKind::Broadcast => "REST, broadcast",
        EventKind::Ingest => "Ingest",
    }
}

/// The day and keep class that hold a row: `20 Nov 2026, class k30`.
pub fn partition(accepted_at: DateTime<Utc>, keep: KeepDays) -> String {
    format!("{}, class k{}", accepted_at.format("%-d\u{a0}%b\u{a0}%Y"), keep.0)
}

/// Until when a row is kept: `until 20 Dec`, `for ever`.
pub fn kept_until(accepted_at: DateTime<Utc>, keep: KeepDays, now: DateTime<Utc>) -> String {
    if keep == KeepDays::FOR_EVER {
        return "for ever".to_owned();
    }
    let last = accepted_at.date_naive() + TimeDelta::days(i64::from(keep.0));
    format!("until {}", format::day(last, now))
}

/// A retry rule: `Exponential from 10 s, 5 attempts`.
pub fn retry(policy: &RetryPolicy) -> String {
    match policy {
        RetryPolicy::Linear {
            interval_seconds,
            limit,
        } => {
            format!("Every {}, {}", seconds(*interval_seconds), attempts(*limit))
        }
        RetryPolicy::Exponential {
            base_seconds, limit, ..
        } => {
            format!(
                "Exponential from {}, {}",
                seconds(*base_seconds),
                attempts(*limit)
            )
        }
        RetryPolicy::List { seconds: list } => {
            let waits = list.iter().map(|s| seconds(*s)).collect::<Vec<_>>().join(", ");
            format!("After {waits}")
        }
    }
}

/// A configured duration: `5 s`, `1 min 40 s`.
pub fn seconds(n: u32) -> String {
    if n < 60 {
        format!("{n}{NBSP}s")
    } else {
        format::duration_ms(u64::from(n) * 1000)
    }
}

fn attempts(n: u32) -> String {
    if n == 1 {
        "1 attempt".to_owned()
    } else {
        format!("{n} attempts")
    }
}

/// The waits of a list, as the settings form shows them.
pub fn intervals(strategy: &StrategyConfig) -> String {
    strategy
        .intervals
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A hash function.
pub fn hash(kind: HashKind) -> &'static str {
    match kind {
        HashKind::Sha256 => "SHA-256",
        HashKind::Sha512 => "SHA-512",
    }
}

/// A text form of a digest.
pub fn encoding(kind: DigestEncoding) -> &'static str {
    match kind {
        DigestEncoding::Hex => "hex",
        DigestEncoding::Base64 => "base64",
    }
}

/// A payload, ready to show.
pub fn payload(raw: &str) -> Payload {
    let tree = if raw.len() <= TREE_BYTES {
        serde_json::from_str(raw)
            .map(|value| json_tree(&value, TREE_NODES))
            .unwrap_or_default()
    } else {
        Html::default()
    };
    let end = (0..=raw.len().min(RAW_BYTES))
        .rev()
        .find(|i| raw.is_char_boundary(*i))
        .unwrap_or(0);
    Payload {
        tree,
        raw: raw[..end].to_owned(),
        size: format::bytes(raw.len() as u64),
        cut: end < raw.len(),
    }
}

/// Headers from a JSON object of texts or lists of texts.
pub fn json_headers(text: Option<&str>) -> Vec<(String, String)> {
    let Some(Ok(serde_json::Value::Object(map))) = text.map(serde_json::from_str) else {
        return Vec::new();
    };
    map.into_iter()
        .map(|(name, value)| {
            let value = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Array(list) => list
                    .iter()
                    .filter_map(|v| v.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
                other => other.to_string(),
            };
            (name, value)
        })
        .collect()
}

/// Headers from lines `name: value`.
pub fn line_headers(lines: &str) -> Vec<(String, String)> {
    lines
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect()
}

/// The status line of an attempt's answer: `500 Internal Server Error`; empty without an answer.
pub fn status(attempt: &Attempt) -> String {
    let code = attempt
        .http_status
        .and_then(|code| http::StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    code.map_or_else(String::new, |code| {
        code.canonical_reason().map_or_else(
            || code.as_str().to_owned(),
            |reason| format!("{} {reason}", code.as_u16()),
        )
    })
}

/// What stands where a status code would: the code, or a word for why there is none.
pub fn code(attempt: &Attempt) -> String {
    match (attempt.http_status, attempt.error.as_deref()) {
        (Some(code), _) => code.to_string(),
        (None, Some(error)) if error.contains("time") => "timeout".to_owned(),
        (None, _) => "no answer".to_owned(),
    }
}

/// Duration of an attempt.
pub fn took(attempt: &Attempt) -> String {
    format::duration_ms((attempt.duration_us.max(0) as u64).div_ceil(1000))
}

/// `1 delivery`, `1 846 deliveries`, `10 000+ deliveries` when counting stopped there.
pub fn deliveries(n: i64) -> String {
    if n == 1 {
        "1 delivery".to_owned()
    } else {
        format!("{} deliveries", counted(n))
    }
}

/// `1 attempt tried again`, `12 attempts tried again`.
pub fn tried_again(n: i64) -> String {
    format!(
        "{} {} tried again",
        format::count(n),
        if n == 1 { "attempt" } else { "attempts" }
    )
}

/// A count that stops at the limit of counting.
pub fn counted(n: i64) -> String {
    let limit = services::events::COUNT_LIMIT - 1;
    if n > limit {
        format!("{}+", format::count(limit))
    } else {
        format::count(n)
    }
}

/// Milliseconds of a latency: value and unit.
pub fn latency(ms: Option<f64>) -> (String, String) {
    let Some(ms) = ms else {
        return (format::NONE.to_owned(), String::new());
    };
    let text = format::duration_ms(ms.max(0.0).round() as u64);
    match text.rsplit_once(NBSP) {
        Some((value, unit)) => (value.replace(NBSP, " "), unit.to_owned()),
        None => (text, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace(NBSP, " ")
    }

    #[test]
    fn retry_rules_are_told_in_words() {
        let linear = RetryPolicy::Linear {
            interval_seconds: 100,
            limit: 10,
        };
        assert_eq!(plain(&retry(&linear)), "Every 1 min 40 s, 10 attempts");
        let list = RetryPolicy::List { seconds: vec![5, 60] };
        assert_eq!(plain(&retry(&list)), "After 5 s, 1 min");
    }

    #[test]
    fn rows_of_the_class_for_ever_never_end() {
        let at = "2026-11-20T06:41:07Z".parse().expect("valid");
        assert_eq!(kept_until(at, KeepDays::FOR_EVER, at), "for ever");
        assert_eq!(plain(&kept_until(at, KeepDays(30), at)), "until 20 Dec");
        assert_eq!(plain(&partition(at, KeepDays(30))), "20 Nov 2026, class k30");
    }

    #[test]
    fn payloads_that_are_no_json_have_no_tree() {
        let shown = payload("not json");
        assert!(shown.tree.is_empty() && shown.raw == "not json" && !shown.cut);
        assert!(!payload("{\"a\": 1}").tree.is_empty());
    }

    #[test]
    fn long_payloads_are_cut_between_characters() {
        let shown = payload(&"ü".repeat(RAW_BYTES));
        assert!(shown.cut && shown.raw.len() <= RAW_BYTES);
    }

    #[test]
    fn counts_say_where_counting_stopped() {
        assert_eq!(plain(&counted(10_001)), "10 000+");
        assert_eq!(plain(&deliveries(10_001)), "10 000+ deliveries");
        assert_eq!(plain(&deliveries(1_846)), "1 846 deliveries");
    }

    #[test]
    fn headers_are_read_from_both_forms() {
        let json = json_headers(Some("{\"x-a\": \"1\", \"x-b\": [\"2\", \"3\"]}"));
        assert_eq!(
            json,
            [
                ("x-a".to_owned(), "1".to_owned()),
                ("x-b".to_owned(), "2, 3".to_owned())
            ]
        );
        assert_eq!(line_headers("a: b\nbroken\nc: d: e").len(), 2);
    }
}
