//! How attempts look on the wire.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::id::EndpointId;
use http::StatusCode;
use serde::Serialize;
use services::deliveries::Attempt;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::headers::NEWEST_VERSION;

/// One request to an endpoint, and its answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryAttemptResponse {
    uid: Uuid,
    url: String,
    /// Always `POST`.
    #[schema(value_type = String)]
    method: &'static str,
    endpoint_id: Uuid,
    #[schema(value_type = String, example = "2025-11-24")]
    api_version: &'static str,
    project_id: Uuid,
    /// The delivery.
    msg_id: Uuid,
    /// 1 for the first attempt of a delivery.
    number: u32,
    /// Network address that was sent to; empty when none was reached.
    ip_address: String,
    request_http_header: BTreeMap<String, String>,
    response_http_header: BTreeMap<String, String>,
    /// Status of the answer; empty without one.
    #[schema(example = "200 OK")]
    http_status: String,
    /// Body of the answer, cut to a bounded length.
    response_data: String,
    /// Why there was no answer, or why it does not count; empty otherwise.
    error: String,
    /// Whether the endpoint took the event.
    status: bool,
    requested_at: DateTime<Utc>,
    responded_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Always null: deleted attempts are not shown.
    deleted_at: Option<DateTime<Utc>>,
}

impl DeliveryAttemptResponse {
    /// The attempt of a delivery to `endpoint`.
    pub fn new(attempt: Attempt, endpoint: EndpointId) -> Self {
        let code = attempt
            .http_status
            .and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
        let responded_at = attempt.requested_at + TimeDelta::microseconds(attempt.duration_us.into());
        Self {
            uid: attempt.id.0,
            url: attempt.url,
            method: "POST",
            endpoint_id: endpoint.0,
            api_version: NEWEST_VERSION,
            project_id: attempt.project_id.0,
            msg_id: attempt.delivery_id.0,
            number: u32::try_from(attempt.number).unwrap_or(0),
            ip_address: attempt.address.unwrap_or_default(),
            request_http_header: lines(&attempt.request_headers),
            response_http_header: lines(attempt.response_headers.as_deref().unwrap_or_default()),
            http_status: code.map(|code| code.to_string()).unwrap_or_default(),
            response_data: attempt
                .response_body
                .map(|body| String::from_utf8_lossy(&body).into_owned())
                .unwrap_or_default(),
            status: attempt.error.is_none() && code.is_some_and(|code| code.is_success()),
            error: attempt.error.unwrap_or_default(),
            requested_at: attempt.requested_at,
            responded_at,
            created_at: attempt.requested_at,
            updated_at: responded_at,
            deleted_at: None,
        }
    }
}

/// Lines `name: value`; the values of a repeated name are joined by commas.
fn lines(text: &str) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(": ")) {
        headers
            .entry(name.to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_headers_are_joined() {
        let shown = lines("via: a\ncontent-type: text/plain\nvia: b");
        assert_eq!(shown["via"], "a, b");
        assert_eq!(shown.len(), 2);
    }
}
