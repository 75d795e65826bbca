//! Rows as they stand in segments: one JSON object each, with the names of the API.
//!
//! Payloads and headers are put in as they were received, byte for byte, and come out so. What is
//! null is left out. Readers accept unknown keys, so that later versions may add some.

use std::borrow::Cow;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, Utc};
use db::attempts::Attempt;
use db::deliveries::Delivery;
use db::events::Event;
use db::export::{AttemptRow, DeliveryRow, EventRow};
use domain::event::EventKind;
use domain::id::{AttemptId, DeliveryId, EndpointId, EventId, ProjectId, SourceId, SubscriptionId};
use domain::lifecycle::KeepDays;
use domain::state::{DeliveryState, EventState};
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Writes one JSON object, key by key.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.out.extend_from_slice(json.as_bytes());
    }

    fn raw_or_none(&mut self, key: &str, json: Option<&str>) {
        if let Some(json) = json {
            self.raw(key, json);
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        // Writing a text into memory cannot fail.
        let _ = serde_json::to_writer(&mut *self.out, text);
    }

    fn text_or_none(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// For what needs no escaping: numbers bare, ids and words in quotes.
    fn bare(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        let _ = write!(self.out, "{value}");
    }

    fn quoted(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        let _ = write!(self.out, "\"{value}\"");
    }

    fn quoted_or_none(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.quoted(key, value);
        }
    }

    fn bare_or_none(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.bare(key, value);
        }
    }

    fn time(&mut self, key: &str, at: DateTime<Utc>) {
        self.quoted(key, at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
}

/// Writes an event.
pub fn write_event(event: &EventRow<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.quoted("uid", event.row.id);
    object.quoted("project_id", event.row.project);
    object.text("event_type", event.event_type);
    object.time("accepted_at", event.row.accepted_at);
    object.bare("keep_days", event.row.keep_days);
    object.bare("kind", event.kind);
    object.quoted(
        "status",
        EventState::from_code(event.state).unwrap_or(EventState::Failure),
    );
    if event.duplicate {
        object.raw("is_duplicate_event", "true");
    }
    object.quoted_or_none("endpoint_id", event.endpoint_id);
    object.quoted_or_none("source_id", event.source_id);
    object.text_or_none("owner_id", event.owner_id);
    object.text_or_none("idempotency_key", event.idempotency_key);
    object.text_or_none("failure_reason", event.failure_reason);
    object.raw_or_none("headers", event.headers);
    object.raw("data", event.payload);
    object.close();
}

/// Writes a delivery.
pub fn write_delivery(delivery: &DeliveryRow<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.quoted("uid", delivery.row.id);
    object.quoted("project_id", delivery.row.project);
    object.quoted("event_id", delivery.event_id);
    object.text("event_type", delivery.event_type);
    object.time("accepted_at", delivery.row.accepted_at);
    object.bare("keep_days", delivery.row.keep_days);
    object.quoted("endpoint_id", delivery.endpoint_id);
    object.quoted_or_none("subscription_id", delivery.subscription_id);
    object.quoted(
        "status",
        DeliveryState::from_code(delivery.state).unwrap_or(DeliveryState::Failure),
    );
    object.bare("attempts", delivery.attempts);
    object.bare_or_none("last_status", delivery.last_status);
    object.bare_or_none("latency_ms", delivery.latency_ms);
    if let Some(at) = delivery.ended_at {
        object.time("ended_at", at);
    }
    object.text_or_none("description", delivery.description);
    object.text_or_none("retry", delivery.retry);
    object.close();
}

/// Writes an attempt.
pub fn write_attempt(attempt: &AttemptRow<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.quoted("uid", attempt.row.id);
    object.quoted("project_id", attempt.row.project);
    object.quoted("delivery_id", attempt.delivery_id);
    object.time("accepted_at", attempt.row.accepted_at);
    object.bare("keep_days", attempt.row.keep_days);
    object.bare("number", attempt.number);
    object.time("requested_at", attempt.requested_at);
    object.bare("duration_us", attempt.duration_us);
    object.bare_or_none("http_status", attempt.http_status);
    object.text("url", attempt.url);
    object.text("request_headers", attempt.request_headers);
    object.text_or_none("response_headers", attempt.response_headers);
    match attempt.response_body.map(std::str::from_utf8) {
        Some(Ok(text)) => object.text("response_body", text),
        // Answers may be anything; what is no text is kept as base64 under another name.
        Some(Err(_)) => object.quoted_or_none(
            "response_body_base64",
            attempt.response_body.map(|body| BASE64.encode(body)),
        ),
        None => {}
    }
    object.text_or_none("address", attempt.address);
    object.text_or_none("error", attempt.error);
    object.close();
}

/// An event as it stands in a segment.
#[derive(Debug, Deserialize)]
struct StoredEvent<'a> {
    uid: Uuid,
    project_id: Uuid,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    accepted_at: DateTime<Utc>,
    #[serde(default)]
    keep_days: i16,
    #[serde(default)]
    kind: i16,
    status: EventState,
    #[serde(default)]
    is_duplicate_event: bool,
    endpoint_id: Option<Uuid>,
    source_id: Option<Uuid>,
    owner_id: Option<String>,
    idempotency_key: Option<String>,
    failure_reason: Option<String>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Reads an event.
///
/// # Errors
/// What is wrong with the JSON.
pub fn read_event(json: &[u8]) -> Result<Event, serde_json::Error> {
    let stored: StoredEvent<'_> = serde_json::from_slice(json)?;
    Ok(Event {
        id: EventId(stored.uid),
        accepted_at: stored.accepted_at,
        keep_days: KeepDays(stored.keep_days),
        project_id: ProjectId(stored.project_id),
        kind: EventKind::from_code(stored.kind).unwrap_or(EventKind::Single),
        state: stored.status,
        duplicate: stored.is_duplicate_event,
        endpoint_id: stored.endpoint_id.map(EndpointId),
        source_id: stored.source_id.map(SourceId),
        event_type: stored.event_type.into_owned(),
        payload: stored.data.get().to_owned(),
        headers: stored.headers.map(|headers| headers.get().to_owned()),
        owner_id: stored.owner_id,
        idempotency_key: stored.idempotency_key,
        failure_reason: stored.failure_reason,
    })
}

/// A delivery as it stands in a segment.
#[derive(Debug, Deserialize)]
struct StoredDelivery {
    uid: Uuid,
    project_id: Uuid,
    event_id: Uuid,
    event_type: String,
    accepted_at: DateTime<Utc>,
    #[serde(default)]
    keep_days: i16,
    endpoint_id: Uuid,
    subscription_id: Option<Uuid>,
    status: DeliveryState,
    attempts: i16,
    last_status: Option<i16>,
    latency_ms: Option<i32>,
    ended_at: Option<DateTime<Utc>>,
    description: Option<String>,
    retry: Option<String>,
}

/// Reads a delivery.
///
/// # Errors
/// What is wrong with the JSON.
pub fn read_delivery(json: &[u8]) -> Result<Delivery, serde_json::Error> {
    let stored: StoredDelivery = serde_json::from_slice(json)?;
    Ok(Delivery {
        id: DeliveryId(stored.uid),
        accepted_at: stored.accepted_at,
        keep_days: KeepDays(stored.keep_days),
        project_id: ProjectId(stored.project_id),
        event_id: EventId(stored.event_id),
        endpoint_id: EndpointId(stored.endpoint_id),
        subscription_id: stored.subscription_id.map(SubscriptionId),
        event_type: stored.event_type,
        state: stored.status,
        due_at: None,
        ended_at: stored.ended_at,
        latency_ms: stored.latency_ms,
        attempts: stored.attempts,
        last_status: stored.last_status,
        description: stored.description,
        retry: stored.retry,
    })
}

/// An attempt as it stands in a segment.
#[derive(Debug, Deserialize)]
struct StoredAttempt {
    uid: Uuid,
    project_id: Uuid,
    delivery_id: Uuid,
    number: i16,
    requested_at: DateTime<Utc>,
    duration_us: i32,
    http_status: Option<i16>,
    url: String,
    request_headers: String,
    response_headers: Option<String>,
    response_body: Option<String>,
    response_body_base64: Option<String>,
    address: Option<String>,
    error: Option<String>,
}

/// Reads an attempt.
///
/// # Errors
/// What is wrong with the JSON.
pub fn read_attempt(json: &[u8]) -> Result<Attempt, serde_json::Error> {
    let stored: StoredAttempt = serde_json::from_slice(json)?;
    let bytes = |text: String| BASE64.decode(text).map_err(serde_json::Error::custom);
    let binary = stored.response_body_base64.map(bytes).transpose()?;
    Ok(Attempt {
        id: AttemptId(stored.uid),
        project_id: ProjectId(stored.project_id),
        delivery_id: DeliveryId(stored.delivery_id),
        number: stored.number,
        requested_at: stored.requested_at,
        duration_us: stored.duration_us,
        http_status: stored.http_status,
        url: stored.url,
        request_headers: stored.request_headers,
        response_headers: stored.response_headers,
        response_body: binary.or(stored.response_body.map(String::into_bytes)),
        address: stored.address,
        error: stored.error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::export::ExportRow;

    fn row() -> ExportRow {
        ExportRow {
            project: Uuid::from_u128(1),
            id: Uuid::from_u128(2),
            keep_days: 30,
            hash: 0,
            accepted_at: DateTime::from_timestamp_millis(1_763_596_800_123).expect("valid"),
        }
    }

    #[test]
    fn an_event_comes_back_byte_for_byte() {
        let payload = "{ \"n\": 1.50, \"big\":123456789012345678901234567890, \"e\":\"\\u00e9\\/\" }";
        let event = EventRow {
            row: row(),
            event_type: "a\"b\\",
            kind: 1,
            state: 2,
            duplicate: true,
            endpoint_id: Some(Uuid::from_u128(3)),
            source_id: None,
            owner_id: Some("o\n"),
            idempotency_key: Some("ключ"),
            failure_reason: None,
            headers: Some(r#"{"X-A":["1"]}"#),
            payload,
        };
        let mut json = Vec::new();
        write_event(&event, &mut json);
        let read = read_event(&json).expect("an event");
        assert_eq!(read.payload, payload);
        assert_eq!(read.headers.as_deref(), Some(r#"{"X-A":["1"]}"#));
        assert_eq!(read.event_type, "a\"b\\");
        assert_eq!(read.owner_id.as_deref(), Some("o\n"));
        assert_eq!(read.idempotency_key.as_deref(), Some("ключ"));
        assert_eq!(read.accepted_at, row().accepted_at);
        assert_eq!((read.keep_days, read.duplicate), (KeepDays(30), true));
        assert_eq!((read.kind, read.state), (EventKind::Fanout, EventState::Success));
    }

    #[test]
    fn an_answer_that_is_no_text_comes_back() {
        for body in [&b"plain"[..], b"\xff\xfe\0"] {
            let attempt = AttemptRow {
                row: row(),
                delivery_id: Uuid::from_u128(4),
                number: 1,
                requested_at: row().accepted_at,
                duration_us: 900,
                http_status: Some(200),
                url: "http://a/",
                request_headers: "a: b\n",
                response_headers: None,
                response_body: Some(body),
                address: None,
                error: None,
            };
            let mut json = Vec::new();
            write_attempt(&attempt, &mut json);
            let read = read_attempt(&json).expect("an attempt");
            assert_eq!(read.response_body.as_deref(), Some(body));
        }
    }
}
