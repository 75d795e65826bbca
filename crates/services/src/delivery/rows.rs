//! Rows as the delivery path first writes them: an event, and where a delivery stands before any
//! attempt.

use bytestring::ByteString;
use chrono::{DateTime, Utc};
use db::hot::{NewEvent, Standing};
use domain::event::Target;
use domain::lifecycle::KeepDays;
use domain::state::{DeliveryState, EventState};
use queue::payload::Facts;

/// The row of an event. Whoever stores one that still waits sets its `due_at`.
pub(crate) fn new_event(
    facts: &Facts,
    (event_type, payload): (ByteString, ByteString),
    keep_days: KeepDays,
    state: EventState,
    failure_reason: Option<&'static str>,
) -> NewEvent<ByteString> {
    let (endpoint_id, owner_id) = match &facts.target {
        Target::Endpoint(id) => (Some(*id), None),
        Target::Owner(owner) => (None, Some(ByteString::from(owner.as_str()))),
        Target::Broadcast => (None, None),
    };
    NewEvent {
        id: facts.id,
        keep_days,
        project_id: facts.project,
        kind: facts.target.kind(),
        state,
        due_at: None,
        duplicate: false,
        endpoint_id,
        source_id: None,
        event_type,
        payload,
        headers: headers_json(&facts.headers),
        owner_id,
        idempotency_key: facts.idempotency_key.as_deref().map(ByteString::from),
        failure_reason,
    }
}

/// Custom headers as the JSON object that is stored; `None` when there are none.
fn headers_json(headers: &[(String, String)]) -> Option<String> {
    if headers.is_empty() {
        return None;
    }
    let object: serde_json::Map<String, serde_json::Value> = headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    serde_json::to_string(&object).ok()
}

fn standing(state: DeliveryState) -> Standing {
    Standing {
        state,
        due_at: None,
        ended_at: None,
        latency_ms: None,
        attempts: 0,
        last_status: None,
        description: None,
        retry: None,
    }
}

/// A delivery that ends without an attempt.
pub(super) fn ended(state: DeliveryState, reason: &str, now: DateTime<Utc>) -> Standing {
    Standing {
        ended_at: Some(now),
        description: Some(reason.to_owned()),
        ..standing(state)
    }
}

/// A delivery that waits without an attempt.
pub(super) fn waiting(due: DateTime<Utc>, reason: &str) -> Standing {
    Standing {
        due_at: Some(due),
        description: Some(reason.to_owned()),
        ..standing(DeliveryState::Scheduled)
    }
}

/// A delivery whose attempt is under way until `lease` at the latest.
pub(super) fn under_way(lease: DateTime<Utc>) -> Standing {
    Standing {
        due_at: Some(lease),
        ..standing(DeliveryState::Processing)
    }
}
