//! Changing a project's configuration key by key.
//!
//! Keys that are present replace theirs, objects are merged, null brings the default back. Every
//! mistake is named by its path: `config.strategy.retry_count`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use domain::id::uuid_at;
use domain::lifecycle::KeepDays;
use domain::project::{CircuitBreakerConfig, MetaEventConfig, ProjectConfig, StrategyConfig, StrategyKind};
use domain::retry::{MAX_ATTEMPTS, MAX_WAIT_SECONDS, RetryPolicy};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Services;
use crate::endpoints::REDACTED;
use crate::error::{Error, Result};
use crate::fields::{Fields, MAX_TEXT};

/// Longest time from the first attempt to the last, in seconds: a year.
const MAX_SPAN_SECONDS: u64 = 366 * DAY_SECONDS;
const DAY_SECONDS: u64 = 86_400;
/// Most ways to sign at once.
const MAX_SIGNATURE_VERSIONS: usize = 5;
/// Most items of any list.
const MAX_ITEMS: usize = 1_000;
/// Stands before a secret that is stored encrypted.
const SEALED: &str = "sealed:";

/// What a key holds.
#[derive(Clone, Copy)]
enum Shape {
    Bool,
    Number,
    Text,
    Word(&'static [&'static str]),
    Object(&'static [(&'static str, Shape)]),
    List(&'static Shape),
}

const CONFIG: &[(&str, Shape)] = &[
    ("max_payload_read_size", Shape::Number),
    ("replay_attacks_prevention_enabled", Shape::Bool),
    ("add_event_id_trace_headers", Shape::Bool),
    ("disable_endpoint", Shape::Bool),
    ("multiple_endpoint_subscriptions", Shape::Bool),
    ("verify_dynamic_events", Shape::Bool),
    ("allow_unmatched_dynamic_urls", Shape::Bool),
    ("search_policy", Shape::Text),
    ("ssl", Shape::Object(&[("enforce_secure_endpoints", Shape::Bool)])),
    (
        "ratelimit",
        Shape::Object(&[("count", Shape::Number), ("duration", Shape::Number)]),
    ),
    (
        "strategy",
        Shape::Object(&[
            ("type", Shape::Word(&["linear", "exponential", "list"])),
            ("duration", Shape::Number),
            ("retry_count", Shape::Number),
            ("intervals", Shape::List(&Shape::Number)),
        ]),
    ),
    (
        "signature",
        Shape::Object(&[
            ("header", Shape::Text),
            (
                "versions",
                Shape::List(&Shape::Object(&[
                    ("uid", Shape::Text),
                    ("hash", Shape::Word(&["SHA256", "SHA512", "sha256", "sha512"])),
                    ("encoding", Shape::Word(&["hex", "base64"])),
                    ("created_at", Shape::Text),
                ])),
            ),
        ]),
    ),
    ("request_id_header", Shape::Text),
    ("subject_pointer", Shape::Text),
    (
        "meta_event",
        Shape::Object(&[
            ("is_enabled", Shape::Bool),
            ("type", Shape::Word(&["http"])),
            ("event_type", Shape::List(&Shape::Text)),
            ("url", Shape::Text),
            ("secret", Shape::Text),
        ]),
    ),
    (
        "circuit_breaker",
        Shape::Object(&[
            ("sample_rate", Shape::Number),
            ("error_timeout", Shape::Number),
            ("failure_threshold", Shape::Number),
            ("success_threshold", Shape::Number),
            ("minimum_request_count", Shape::Number),
            ("observability_window", Shape::Number),
            ("consecutive_failure_threshold", Shape::Number),
        ]),
    ),
];

/// The configuration as it is stored, after `changes`. `before` is stored configuration, too; `keep`
/// is for how long the project keeps its events.
///
/// What was refused stands in `fields`; the result is then of no use.
pub(super) fn merge(
    services: &Services,
    fields: &mut Fields,
    (before, keep): (&ProjectConfig, KeepDays),
    changes: &Map<String, Value>,
    at: DateTime<Utc>,
) -> Result<ProjectConfig> {
    let refused = fields.count();
    for (key, value) in changes {
        check_key(fields, "config", key, value, CONFIG);
    }
    if fields.count() > refused {
        // What has the wrong shape cannot be judged further.
        return Ok(before.clone());
    }
    let mut merged = to_object(before)?;
    lay_over(&mut merged, changes, &to_object(&ProjectConfig::default())?);
    complete_versions(fields, before, &mut merged, at);
    if fields.count() > refused {
        return Ok(before.clone());
    }
    let mut config: ProjectConfig = serde_json::from_value(Value::Object(merged)).map_err(Error::internal)?;
    for text in [
        &mut config.signature.header,
        &mut config.request_id_header,
        &mut config.search_policy,
        &mut config.meta_event.url,
        &mut config.subject_pointer,
    ] {
        *text = text.trim().to_owned();
    }
    check(services, fields, (before, keep), &config);
    if config.strategy.kind == StrategyKind::List {
        let waits = u32::try_from(config.strategy.intervals.len()).unwrap_or(u32::MAX);
        config.strategy.retry_count = waits.saturating_add(1);
    }
    seal_secret(services, before, &mut config)?;
    Ok(config)
}

/// Stored configuration as it is shown: secrets are masked.
pub(super) fn shown(mut stored: ProjectConfig) -> ProjectConfig {
    if !stored.meta_event.secret.is_empty() {
        REDACTED.clone_into(&mut stored.meta_event.secret);
    }
    stored
}

fn to_object(config: &ProjectConfig) -> Result<Map<String, Value>> {
    match serde_json::to_value(config).map_err(Error::internal)? {
        Value::Object(entries) => Ok(entries),
        other => Err(Error::internal(format!("a configuration became {other}"))),
    }
}

fn check_key(fields: &mut Fields, path: &str, key: &str, value: &Value, known: &[(&str, Shape)]) {
    let path = format!("{path}.{key}");
    if path == "config.sync_dynamic_event_ack" {
        return fields.refuse(&path, "was renamed: use verify_dynamic_events");
    }
    match known.iter().find(|(name, _)| *name == key) {
        // Null brings the default back, whatever the key holds.
        Some(_) if value.is_null() => {}
        Some((_, shape)) => check_shape(fields, &path, value, *shape),
        None => fields.refuse(&path, "is not a known key"),
    }
}

fn check_shape(fields: &mut Fields, path: &str, value: &Value, shape: Shape) {
    match (shape, value) {
        (Shape::Bool, Value::Bool(_)) => {}
        (Shape::Bool, _) => fields.refuse(path, "must be true or false"),
        (Shape::Number, value) => {
            let small = value.as_u64().is_some_and(|n| u32::try_from(n).is_ok());
            fields.check(small, path, "must be a whole number from 0 to 4294967295");
        }
        (Shape::Text, Value::String(text)) => {
            fields.line(path, text, MAX_TEXT);
        }
        (Shape::Text, _) => fields.refuse(path, "must be text"),
        (Shape::Word(words), Value::String(word)) => {
            fields.word(path, word, words);
        }
        (Shape::Word(words), _) => fields.refuse(path, format!("must be one of {}", words.join(", "))),
        (Shape::Object(known), Value::Object(entries)) => {
            for (key, value) in entries {
                check_key(fields, path, key, value, known);
            }
        }
        (Shape::Object(_), _) => fields.refuse(path, "must be an object"),
        (Shape::List(item), Value::Array(items)) if items.len() <= MAX_ITEMS => {
            for (index, value) in items.iter().enumerate() {
                check_shape(fields, &format!("{path}[{index}]"), value, *item);
            }
        }
        (Shape::List(_), _) => fields.refuse(path, format!("must be a list of at most {MAX_ITEMS}")),
    }
}

fn lay_over(below: &mut Map<String, Value>, changes: &Map<String, Value>, defaults: &Map<String, Value>) {
    for (key, change) in changes {
        let default = defaults.get(key);
        match (change, below.get_mut(key)) {
            (Value::Null, _) => match default {
                Some(default) => drop(below.insert(key.clone(), default.clone())),
                None => drop(below.remove(key)),
            },
            (Value::Object(change), Some(Value::Object(inner))) => {
                let none = Map::new();
                lay_over(inner, change, default.and_then(Value::as_object).unwrap_or(&none));
            }
            _ => drop(below.insert(key.clone(), change.clone())),
        }
    }
}

/// Gives ids and times to versions that come without; known ones keep theirs.
fn complete_versions(
    fields: &mut Fields,
    before: &ProjectConfig,
    merged: &mut Map<String, Value>,
    at: DateTime<Utc>,
) {
    let versions = merged
        .get_mut("signature")
        .and_then(|s| s.get_mut("versions"))
        .and_then(Value::as_array_mut);
    for (index, version) in versions.into_iter().flatten().enumerate() {
        let Some(version) = version.as_object_mut() else {
            continue;
        };
        let path = format!("config.signature.versions[{index}]");
        version.retain(|_, value| !value.is_null());
        let text = |key: &str| {
            version
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let uid = match text("uid").as_str() {
            "" => uuid_at(at),
            given => given.parse().unwrap_or_else(|_| {
                fields.refuse(&format!("{path}.uid"), "must be an id");
                Uuid::nil()
            }),
        };
        let uid = if uid.is_nil() { uuid_at(at) } else { uid };
        let known = before.signature.versions.iter().find(|v| v.uid == uid);
        let created_at = match text("created_at").as_str() {
            "" => known.map_or(at, |v| v.created_at),
            given => given.parse::<DateTime<Utc>>().unwrap_or_else(|_| {
                fields.refuse(
                    &format!("{path}.created_at"),
                    "must be a time such as 2026-01-31T12:00:00Z",
                );
                at
            }),
        };
        version.insert("uid".to_owned(), json!(uid));
        version.insert("created_at".to_owned(), json!(created_at));
    }
}

fn check(
    services: &Services,
    fields: &mut Fields,
    (before, keep): (&ProjectConfig, KeepDays),
    config: &ProjectConfig,
) {
    let most = services.options.ingest.max_payload_bytes;
    fields.number(
        "config.max_payload_read_size",
        config.max_payload_read_size,
        0,
        most,
    );
    if !config.search_policy.is_empty()
        && let Err(error) = domain::duration::parse(&config.search_policy)
    {
        fields.refuse(
            "config.search_policy",
            format!("must be a duration such as 720h: {error}"),
        );
    }
    fields.number("config.ratelimit.count", config.ratelimit.count, 0, 1_000_000);
    fields.number("config.ratelimit.duration", config.ratelimit.duration, 1, 86_400);
    fields.header_name("config.signature.header", &config.signature.header);
    fields.header_name("config.request_id_header", &config.request_id_header);
    fields.check(
        !config
            .signature
            .header
            .eq_ignore_ascii_case(&config.request_id_header),
        "config.request_id_header",
        "must differ from the signature header",
    );
    fields.check(
        (1..=MAX_SIGNATURE_VERSIONS).contains(&config.signature.versions.len()),
        "config.signature.versions",
        "must hold between 1 and 5 versions",
    );
    if !config.subject_pointer.is_empty()
        && let Err(reason) = domain::erasure::check_pointer(&config.subject_pointer)
    {
        fields.refuse("config.subject_pointer", reason);
    }
    check_strategy(fields, keep, &config.strategy);
    check_meta_event(fields, before, &config.meta_event);
    check_circuit_breaker(fields, &config.circuit_breaker);
}

fn check_strategy(fields: &mut Fields, keep: KeepDays, strategy: &StrategyConfig) {
    let refused = fields.count();
    if strategy.kind == StrategyKind::List {
        fields.check(
            !strategy.intervals.is_empty(),
            "config.strategy.intervals",
            "is required when the type is list: seconds before each further attempt",
        );
        for (index, wait) in strategy.intervals.iter().enumerate() {
            fields.number(
                &format!("config.strategy.intervals[{index}]"),
                *wait,
                0,
                MAX_WAIT_SECONDS,
            );
        }
    } else {
        fields.number(
            "config.strategy.retry_count",
            strategy.retry_count,
            1,
            MAX_ATTEMPTS,
        );
        fields.number("config.strategy.duration", strategy.duration, 1, MAX_WAIT_SECONDS);
    }
    if fields.count() > refused {
        return;
    }
    let policy = match RetryPolicy::try_from(strategy) {
        Ok(policy) => policy,
        Err(error) => return fields.refuse("config.strategy", error.to_string()),
    };
    fields.check(
        policy.longest_span().as_secs() <= MAX_SPAN_SECONDS,
        "config.strategy",
        "must not take longer than 366 days from the first attempt to the last",
    );
    if let Some(reason) = outlives(&policy, keep) {
        fields.refuse("config.strategy", reason);
    }
}

/// What to say of a schedule that goes on when the events are gone.
pub(crate) fn outlives(policy: &RetryPolicy, keep: KeepDays) -> Option<String> {
    let span = policy.longest_span().as_secs();
    let kept = u64::from(keep.0.unsigned_abs()) * DAY_SECONDS;
    (keep != KeepDays::FOR_EVER && span > kept).then(|| {
        format!(
            "takes {} from the first attempt to the last, but events are kept for {keep}: \
             try fewer times or sooner, or keep events for longer",
            KeepDays(i16::try_from(span.div_ceil(DAY_SECONDS)).unwrap_or(i16::MAX))
        )
    })
}

fn check_meta_event(fields: &mut Fields, before: &ProjectConfig, meta_event: &MetaEventConfig) {
    if meta_event.is_enabled || !meta_event.url.is_empty() {
        fields.url("config.meta_event.url", &meta_event.url, false);
    }
    fields.check(
        meta_event.secret != REDACTED || !before.meta_event.secret.is_empty(),
        "config.meta_event.secret",
        "has no stored value to keep",
    );
}

fn check_circuit_breaker(fields: &mut Fields, breaker: &CircuitBreakerConfig) {
    for (key, number, most) in [
        ("sample_rate", breaker.sample_rate, 86_400),
        ("error_timeout", breaker.error_timeout, 86_400),
        ("failure_threshold", breaker.failure_threshold, 100),
        ("success_threshold", breaker.success_threshold, 100_000),
        ("minimum_request_count", breaker.minimum_request_count, 1_000_000),
        ("observability_window", breaker.observability_window, 1_440),
        (
            "consecutive_failure_threshold",
            breaker.consecutive_failure_threshold,
            100_000,
        ),
    ] {
        fields.number(&format!("config.circuit_breaker.{key}"), number, 1, most);
    }
}

/// Encrypts a secret that is new, keeps one that was shown masked.
fn seal_secret(services: &Services, before: &ProjectConfig, config: &mut ProjectConfig) -> Result<()> {
    let secret = &mut config.meta_event.secret;
    if secret == REDACTED {
        secret.clone_from(&before.meta_event.secret);
    } else if !secret.is_empty() && *secret != before.meta_event.secret {
        *secret = format!("{SEALED}{}", STANDARD.encode(services.vault.seal_text(secret)?));
    }
    Ok(())
}
