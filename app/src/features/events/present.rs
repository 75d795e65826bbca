//! From the use cases to the pages about events.

use std::time::Duration;

use domain::{
    id::{EventId, SourceId},
    page::PageRequest,
    state::EventState,
};
use services::{
    deliveries::{self, DeliveryFilter},
    events::{self, Event, EventFilter},
};

use super::dto::{EventDto, EventRow, EventsDto};
use crate::{
    context::{InProject, in_project, parse_id},
    error::UiError,
    features::{
        deliveries::present::{Names, rows},
        overview::present::first_event,
        query::ListQuery,
        words,
    },
    format::{self, Stamp},
    ui::load::Place,
};

/// Filter words of the list.
const KEYS: &[&str] = &["type", "id", "key", "owner", "day", "text"];
/// Most deliveries shown on the page of an event.
const DELIVERIES: u32 = 50;
/// An accepted event is written by a worker a moment later. Its page waits for it this long.
const WRITE_PATIENCE: (u32, Duration) = (20, Duration::from_millis(100));

/// What the list of events shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
pub async fn list(place: Place) -> Result<EventsDto, UiError> {
    let at = in_project(&place.project).await?;
    let query = ListQuery::parse(&place.query, KEYS, "text");
    let filter = filter_of(&at, &query)?;
    let started = std::time::Instant::now();
    let page = events::list(&at.by.services, &at.by.actor, at.id, &filter, query.page(), false).await?;
    let took = format::duration_ms(started.elapsed().as_millis() as u64);
    let live = at.by.services.catalog.project(at.id);
    let first_event = if page.items.is_empty() {
        first_event(&at.by.services, &at.by.actor, at.id, live.as_deref()).await?
    } else {
        String::new()
    };
    let note = match page.items.len() {
        1 => "1 row".to_owned(),
        n => format!("{n} rows"),
    };
    let kept = live.map_or_else(String::new, |p| format!(". Kept {}", p.keep_days));
    Ok(EventsDto {
        filter: query.filter(true),
        rows: page.items.iter().map(|event| row(event, &at)).collect(),
        pager: query.pager(&page, format!("{note}{kept}"), format!("Query took {took}")),
        first_event,
        project: at.project,
    })
}

fn filter_of(at: &InProject, query: &ListQuery) -> Result<EventFilter, UiError> {
    let (mut from, mut to) = query.window(at.by.now);
    if let Some(text) = query.word("id") {
        // An id tells its millisecond, whatever the range.
        let id: EventId = parse_id(text)?;
        from = Some(id.instant());
        to = Some(id.instant());
    }
    Ok(EventFilter {
        from,
        to,
        sources: query
            .all("source")
            .map(parse_id::<SourceId>)
            .collect::<Result<_, _>>()?,
        owner_id: query.word("owner").map(str::to_owned),
        idempotency_key: query.word("key").map(str::to_owned),
        event_type: query.word("type").map(str::to_owned),
        states: EventState::parse(&query.state).into_iter().collect(),
        query: query.word("id").or(query.word("text")).map(str::to_owned),
        ..EventFilter::default()
    })
}

fn row(event: &Event, at: &InProject) -> EventRow {
    EventRow {
        id: event.id.to_string(),
        event_type: event.event_type.clone(),
        state: event.state,
        reason: event.failure_reason.clone().unwrap_or_default(),
        source: words::source(event.kind).to_owned(),
        key: event.idempotency_key.clone().unwrap_or_default(),
        accepted: Stamp::row(event.accepted_at, at.by.now),
    }
}

/// What the page of one event shows.
///
/// # Errors
/// When the event does not exist in the project or a store is away.
pub async fn detail(place: Place) -> Result<EventDto, UiError> {
    let at = in_project(&place.project).await?;
    let event = patiently(&at, parse_id(&place.item)?).await?;
    let filter = DeliveryFilter {
        event_id: Some(event.id),
        ..DeliveryFilter::default()
    };
    let (services, actor) = (&at.by.services, &at.by.actor);
    let made = deliveries::list(services, actor, at.id, &filter, PageRequest::first(DELIVERIES))
        .await?
        .items;
    let names = Names::of(&at, made.iter().map(|d| d.endpoint_id)).await?;
    let now = at.by.now;
    Ok(EventDto {
        id: event.id.to_string(),
        event_type: event.event_type.clone(),
        state: event.state,
        failure: event.failure_reason.clone().unwrap_or_default(),
        accepted: Stamp::ago(event.accepted_at, now),
        source: words::source(event.kind).to_owned(),
        idempotency_key: event.idempotency_key.clone().unwrap_or_default(),
        duplicate: event.duplicate,
        partition: words::partition(event.accepted_at, event.keep_days),
        keep: words::kept_until(event.accepted_at, event.keep_days, now),
        payload: words::payload(&event.payload),
        headers: words::json_headers(event.headers.as_deref()),
        deliveries: rows(&made, &names, |d| Stamp::row(d.accepted_at, now)),
        project: at.project,
    })
}

/// The event, which may have been accepted so recently that no worker has written it yet.
async fn patiently(at: &InProject, id: EventId) -> Result<Event, UiError> {
    let fresh = at.by.now - id.instant() < chrono::TimeDelta::seconds(30);
    let (tries, wait) = WRITE_PATIENCE;
    for _ in 0..if fresh { tries } else { 0 } {
        match events::get(&at.by.services, &at.by.actor, at.id, id).await {
            Err(services::Error::NotFound(_)) => tokio::time::sleep(wait).await,
            found => return Ok(found?),
        }
    }
    Ok(events::get(&at.by.services, &at.by.actor, at.id, id).await?)
}

/// Matches an event again.
///
/// # Errors
/// When the viewer may not, or the event still waits to be matched.
pub async fn replay(project: String, event: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let id: EventId = parse_id(&event)?;
    events::replay(&at.by.services, &at.by.actor, at.id, id).await?;
    Ok(format!(
        "{}?saved=replayed",
        at.project.at(&format!("events/{id}"))
    ))
}
