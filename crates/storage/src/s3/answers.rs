//! How answers of a store become our own values.

use aws_sdk_s3::primitives::DateTime as Moment;
use chrono::{DateTime, Utc};

/// An etag without its quotes: stores differ in whether lists have them.
pub(super) fn bare_etag(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

/// An etag as a header wants it.
pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// A moment of the store; the epoch when it told none.
pub(super) fn moment(moment: Option<&Moment>) -> DateTime<Utc> {
    moment
        .and_then(|moment| DateTime::from_timestamp(moment.secs(), moment.subsec_nanos()))
        .unwrap_or_default()
}

/// The other way round.
pub(super) fn size(size: Option<i64>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}
