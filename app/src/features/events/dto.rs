//! What the pages about events show.

use domain::state::EventState;
use serde::{Deserialize, Serialize};

use crate::{
    features::{common::ProjectRef, deliveries::dto::DeliveryRow},
    format::Stamp,
    ui::{code::Payload, filter::FilterDto, pager::Pager},
};

/// One event in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Id.
    pub id: String,
    /// Event type.
    pub event_type: String,
    /// State.
    pub state: EventState,
    /// Why it has no delivery; empty otherwise.
    pub reason: String,
    /// How it came: `REST`, `REST, fanout`.
    pub source: String,
    /// Idempotency key; empty for none.
    pub key: String,
    /// When it was accepted.
    pub accepted: Stamp,
}

/// What the list of events shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsDto {
    /// The project.
    pub project: ProjectRef,
    /// The filters.
    pub filter: FilterDto,
    /// The events, newest first.
    pub rows: Vec<EventRow>,
    /// Newer and older.
    pub pager: Pager,
    /// Command that sends the first event; empty once there was one.
    pub first_event: String,
}

/// What the page of one event shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDto {
    /// The project.
    pub project: ProjectRef,
    /// Id.
    pub id: String,
    /// Event type.
    pub event_type: String,
    /// State.
    pub state: EventState,
    /// Why it has no delivery; empty otherwise.
    pub failure: String,
    /// When it was accepted.
    pub accepted: Stamp,
    /// Where it came from.
    pub source: String,
    /// Idempotency key; empty for none.
    pub idempotency_key: String,
    /// Whether an earlier event had the same idempotency key.
    pub duplicate: bool,
    /// Day and keep class: `20 Nov 2026, class k30`.
    pub partition: String,
    /// How long it is kept: `until 20 Dec`, `for ever`.
    pub keep: String,
    /// The payload.
    pub payload: Payload,
    /// Headers that go along with each delivery.
    pub headers: Vec<(String, String)>,
    /// Its deliveries.
    pub deliveries: Vec<DeliveryRow>,
}
