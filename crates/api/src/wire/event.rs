//! How events look on the wire.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::state::EventState;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use services::catalog;
use services::events::Event;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Nothing;
use crate::wire::endpoint::EndpointBriefResponse;

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventResponse {
    uid: Uuid,
    event_type: String,
    /// Where it came from, in an incoming project.
    source_id: Option<Uuid>,
    /// Always empty: there are no apps.
    #[schema(value_type = String)]
    app_id: &'static str,
    project_id: Uuid,
    /// The endpoint asked for; empty for events that were sent to an owner or to everybody.
    endpoints: Vec<Uuid>,
    /// The owner asked for; empty when none was.
    owner_id: String,
    /// Custom headers.
    headers: BTreeMap<String, Vec<String>>,
    /// The endpoint asked for, in a few words.
    endpoint_metadata: Vec<EndpointBriefResponse>,
    /// Always null in this version.
    #[schema(value_type = Option<Object>)]
    source_metadata: Option<Nothing>,
    /// Query of the ingest address.
    url_query_params: String,
    /// Path of the ingest address.
    url_path: String,
    /// The caller's key; empty when none was given.
    idempotency_key: String,
    /// Whether an earlier event has the same idempotency key; such an event is not delivered.
    is_duplicate_event: bool,
    /// The payload.
    #[schema(value_type = Value)]
    data: Option<Box<RawValue>>,
    /// Always empty: see `data`.
    #[schema(value_type = String)]
    raw: &'static str,
    /// `Pending`, `Processing`, `Success` or `Failure`.
    #[schema(value_type = String, example = "Success")]
    status: EventState,
    /// Why it ended without a delivery.
    failure_reason: String,
    acknowledged_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Always null: deleted events are not shown.
    deleted_at: Option<DateTime<Utc>>,
}

impl EventResponse {
    /// The event of a project.
    pub fn new(event: Event, project: Option<&catalog::Project>) -> Self {
        Self {
            uid: event.id.0,
            event_type: event.event_type,
            source_id: event.source_id.map(|id| id.0),
            app_id: "",
            project_id: event.project_id.0,
            endpoints: event.endpoint_id.iter().map(|id| id.0).collect(),
            owner_id: event.owner_id.unwrap_or_default(),
            headers: headers(event.headers.as_deref()),
            endpoint_metadata: event
                .endpoint_id
                .iter()
                .map(|id| EndpointBriefResponse::of(*id, project))
                .collect(),
            source_metadata: None,
            url_query_params: String::new(),
            url_path: String::new(),
            idempotency_key: event.idempotency_key.unwrap_or_default(),
            is_duplicate_event: event.duplicate,
            data: payload(event.payload),
            raw: "",
            status: event.state,
            failure_reason: event.failure_reason.unwrap_or_default(),
            acknowledged_at: event.accepted_at,
            created_at: event.accepted_at,
            updated_at: event.accepted_at,
            deleted_at: None,
        }
    }
}

/// A stored payload, shown as it is.
pub fn payload(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}

/// Stored custom headers: name to values.
pub fn headers(stored: Option<&str>) -> BTreeMap<String, Vec<String>> {
    let object: BTreeMap<String, Value> = stored
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    object
        .into_iter()
        .map(|(name, value)| match value {
            Value::Array(values) => (name, values.into_iter().map(text).collect()),
            one => (name, vec![text(one)]),
        })
        .collect()
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_shown_with_lists_of_values() {
        let shown = headers(Some(r#"{"X-A":"1","X-B":["2","3"]}"#));
        assert_eq!(shown["X-A"], ["1"]);
        assert_eq!(shown["X-B"], ["2", "3"]);
        assert!(headers(None).is_empty());
    }

    #[test]
    fn a_payload_is_shown_byte_for_byte() {
        let text = r#"{"n":1.50,"big":123456789012345678901234567890}"#;
        assert_eq!(payload(text.to_owned()).expect("JSON").get(), text);
    }
}
