//! Retry schedules against the period: a delivery must have ended before its event leaves.

use std::time::Duration;

use db::Txn;
use db::retention::RetentionRow;
use domain::project::ProjectConfig;
use domain::retry::RetryPolicy;

use super::Policy;
use crate::Services;
use crate::error::{Error, Result};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Why `policy` does not fit the retry schedules of the project; `None` when it does.
pub(super) async fn conflict(
    services: &Services,
    txn: &Txn,
    row: &RetentionRow,
    policy: Policy,
) -> Result<Option<String>> {
    if !policy.on {
        return Ok(None);
    }
    let period = Duration::from_secs(u64::from(policy.days) * DAY);
    let Some((whose, span)) = longest(services, txn, row).await? else {
        return Ok(None);
    };
    if span <= period {
        return Ok(None);
    }
    Ok(Some(format!(
        "must be at least {}: a delivery may be retried for {} ({whose}), and {} are only {}",
        span.as_secs().div_ceil(DAY),
        domain::duration::format(whole_seconds(span)),
        policy.class(),
        domain::duration::format(period),
    )))
}

/// The longest schedule of the project and its subscriptions, and whose it is.
async fn longest(services: &Services, txn: &Txn, row: &RetentionRow) -> Result<Option<(String, Duration)>> {
    let most = services.options.delivery.max_retry_seconds;
    let config: ProjectConfig = serde_json::from_value(row.config.clone()).map_err(Error::internal)?;
    let own = RetryPolicy::try_from(&config.strategy).unwrap_or_default();
    let mut spans = vec![("the project's retry schedule".to_owned(), own)];
    for (name, retry) in db::retention::own_retries(txn.orm(), row.id).await? {
        // What cannot be read is not in use: the project's schedule takes its place.
        if let Ok(retry) = serde_json::from_value::<RetryPolicy>(retry) {
            spans.push((format!("subscription {name}"), retry));
        }
    }
    Ok(spans
        .into_iter()
        .map(|(whose, retry)| (whose, retry.capped(most).longest_span()))
        .max_by_key(|(_, span)| *span))
}

fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}
