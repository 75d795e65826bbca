//! Checking what callers say about a subscription.

use db::entities::subscription;
use domain::id::{EndpointId, SourceId};
use domain::lifecycle::KeepDays;
use domain::project::RateLimitConfig;
use domain::retry::{DEFAULT_MAX_SECONDS, RetryError, RetryPolicy};
use serde_json::Value;

use super::model::{AlertConfig, RetryInput, SubscriptionUpdate};
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::patch::Patch;
use crate::projects::outlives;

/// Applies everything of `update` that stands in the row itself.
///
/// Whether endpoint and source exist is for the caller to see. `keep` is for how long events stay:
/// no retry may come after.
pub(super) fn apply(
    fields: &mut Fields,
    row: &mut subscription::Model,
    update: &SubscriptionUpdate,
    keep: KeepDays,
) -> Result<()> {
    if let Some(name) = &update.name {
        row.name = fields.name("name", name);
    }
    if let Some(endpoint) = &update.endpoint_id
        && let Some(id) = fields.id::<EndpointId>("endpoint_id", endpoint)
    {
        row.endpoint_id = id.0;
    }
    match &update.source_id {
        Patch::Absent => {}
        Patch::Null => row.source_id = None,
        Patch::Value(text) if text.trim().is_empty() => row.source_id = None,
        Patch::Value(text) => row.source_id = fields.id::<SourceId>("source_id", text).map(|id| id.0),
    }
    if let Some(mode) = update.delivery_mode.as_deref().filter(|mode| !mode.is_empty()) {
        row.delivery_mode = fields.word("delivery_mode", mode, &["at_least_once", "at_most_once"]);
    }
    if update
        .function
        .as_deref()
        .is_some_and(|function| !function.trim().is_empty())
    {
        fields.refuse("function", "functions are not supported");
    }
    match &update.retry_config {
        Patch::Absent => {}
        Patch::Null => row.retry = None,
        Patch::Value(input) => row.retry = store(retry(fields, input, keep).as_ref())?,
    }
    match &update.rate_limit_config {
        Patch::Absent => {}
        Patch::Null => row.rate_limit = None,
        Patch::Value(limit) => row.rate_limit = store(rate_limit(fields, limit))?,
    }
    match &update.alert_config {
        Patch::Absent => {}
        Patch::Null => row.alert = None,
        Patch::Value(alert) => row.alert = store(check_alert(fields, alert))?,
    }
    Ok(())
}

fn store<T: serde::Serialize>(value: Option<&T>) -> Result<Option<Value>> {
    value
        .map(serde_json::to_value)
        .transpose()
        .map_err(Error::internal)
}

fn retry(fields: &mut Fields, input: &RetryInput, keep: KeepDays) -> Option<RetryPolicy> {
    let refused = fields.count();
    let limit = input.retry_count.unwrap_or(10);
    let mut wait = || match (input.interval_seconds, input.duration.as_deref()) {
        (Some(seconds), _) if seconds > 0 => seconds,
        (_, None | Some("")) => 100,
        (_, Some(text)) => match domain::duration::parse(text) {
            Ok(wait) => u32::try_from(wait.as_secs()).unwrap_or(u32::MAX),
            Err(error) => {
                fields.refuse(
                    "retry_config.duration",
                    format!("must be a duration such as 10s: {error}"),
                );
                1
            }
        },
    };
    let policy = match input.kind.as_str() {
        "linear" | "" => RetryPolicy::Linear {
            interval_seconds: wait(),
            limit,
        },
        "exponential" => RetryPolicy::Exponential {
            base_seconds: wait(),
            limit,
            max_seconds: DEFAULT_MAX_SECONDS,
        },
        "list" => RetryPolicy::List {
            seconds: input.intervals.clone().unwrap_or_default(),
        },
        _ => {
            fields.refuse("retry_config.type", "must be one of linear, exponential, list");
            return None;
        }
    };
    if matches!(&policy, RetryPolicy::List { seconds } if seconds.is_empty()) {
        fields.refuse("retry_config.intervals", "is required when the type is list");
    } else if let Err(error) = policy.validate() {
        let field = match error {
            RetryError::Limit => "retry_config.retry_count",
            RetryError::Wait => "retry_config.duration",
            RetryError::Interval(_) => "retry_config.intervals",
            _ => "retry_config",
        };
        fields.refuse(field, error.to_string());
    } else if let Some(reason) = outlives(&policy, keep) {
        fields.refuse("retry_config", reason);
    }
    (fields.count() == refused).then_some(policy)
}

/// A limit of nothing is no limit of one's own.
fn rate_limit<'a>(fields: &mut Fields, limit: &'a RateLimitConfig) -> Option<&'a RateLimitConfig> {
    if limit.count == 0 {
        return None;
    }
    fields.number("rate_limit_config.count", limit.count, 1, 1_000_000);
    fields.number("rate_limit_config.duration", limit.duration, 1, 86_400);
    Some(limit)
}

fn check_alert<'a>(fields: &mut Fields, alert: &'a AlertConfig) -> Option<&'a AlertConfig> {
    if alert.count == 0 && alert.threshold.is_empty() {
        return None;
    }
    fields.number("alert_config.count", alert.count, 1, 1_000_000);
    if let Err(error) = domain::duration::parse(&alert.threshold) {
        fields.refuse(
            "alert_config.threshold",
            format!("must be a duration such as 1h: {error}"),
        );
    }
    Some(alert)
}
