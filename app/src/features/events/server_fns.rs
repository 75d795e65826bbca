//! Server functions about events.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::{EventDto, EventsDto};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the list of events shows. The query holds `q` (several), `range`, `day`, `before`, `after`.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "events_page")]
pub async fn events_page(place: Place) -> Result<Packed<EventsDto>, UiError> {
    crate::context::page(Box::pin(super::present::list(place))).await
}

/// What the page of one event shows.
///
/// # Errors
/// When the event does not exist in the project or a store is away.
#[server(prefix = "/ui", endpoint = "event_page")]
pub async fn event_page(place: Place) -> Result<Packed<EventDto>, UiError> {
    crate::context::page(Box::pin(super::present::detail(place))).await
}

/// Matches an event again and makes new deliveries.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "replay_event")]
pub async fn replay_event(project: String, event: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::present::replay(project, event))).await
}
