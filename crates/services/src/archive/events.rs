//! Questions about events, answered out of both tiers.

use std::collections::HashSet;
use std::sync::Arc;

use db::events::{Event, EventFilter};
use domain::id::{EndpointId, EventId, ProjectId};
use domain::page::{Page, PageRequest};
use domain::segment::Kind;
use uuid::Uuid;

use super::cold::Cold;
use super::cost::{Read, Tier};
use super::deliveries::read_delivery;
use super::fault::Fault;
use super::merge::{Counting, List, Merged, count_archived, merge};
use super::scan::{Rows, Scan};
use super::span::Span;
use super::{one, rows};
use crate::Services;
use crate::erasure::Masks;
use crate::error::Result;

/// A page of a project's events. Without `payload` the payloads stay empty.
///
/// # Errors
/// [`crate::Error::TooSlow`] when too much would have to be read; [`crate::Error::Unavailable`] while
/// a store is away that has rows of the page.
pub(crate) async fn page(
    services: &Services,
    project: ProjectId,
    filter: &EventFilter,
    request: PageRequest,
    payload: bool,
) -> Result<Read<Page<Event>>> {
    let list = Arc::new(EventList {
        project,
        filter: filter.clone(),
        part: Part::Page(request),
        payload,
        masks: Masks::load(services, project).await?,
    });
    let mut cold = Cold::new(services, project);
    let merged = read(&mut cold, &list).await?;
    if merged.stopped.is_some() {
        return Err(Fault::Spent.into());
    }
    let tier = Tier::of(
        merged
            .rows
            .iter()
            .take(request.limit())
            .map(|(_, archived)| *archived),
    );
    let found = merged.rows.into_iter().map(|(event, _)| event).collect();
    let page = Page::cut(request, found, request.cursor.is_some(), |event| event.id.0);
    Ok(cold.meter.read(&services.archive, page, tier))
}

/// One event of a project.
///
/// # Errors
/// As [`page`].
pub(crate) async fn find(
    services: &Services,
    project: ProjectId,
    id: EventId,
) -> Result<Option<Read<Event>>> {
    let masks = Masks::load(services, project).await?;
    let mut cold = Cold::new(services, project);
    if let Some(mut event) = db::events::find(&services.db, id).await? {
        masks.event(&mut event);
        let own = (event.project_id == project).then_some(event);
        return Ok(own.map(|event| cold.meter.read(&services.archive, event, Some(Tier::Hot))));
    }
    let found = one::find(&mut cold, Kind::Events, id.0, read_event).await?;
    Ok(found.map(|mut event| {
        masks.event(&mut event);
        cold.meter.read(&services.archive, event, Some(Tier::Archive))
    }))
}

/// How many events match, counted up to `limit`.
///
/// # Errors
/// As [`page`].
pub(crate) async fn count(
    services: &Services,
    project: ProjectId,
    filter: &EventFilter,
    limit: i64,
) -> Result<i64> {
    let list = Arc::new(EventList {
        project,
        filter: filter.clone(),
        part: Part::All,
        payload: false,
        masks: Masks::load(services, project).await?,
    });
    let mut cold = Cold::new(services, project);
    loop {
        let mut count = db::events::count(&services.db, project, filter, limit).await?;
        if count >= limit {
            return Ok(count);
        }
        let counting = |_: &Event| {
            count += 1;
            if count < limit {
                Counting::GoesOn
            } else {
                Counting::Enough
            }
        };
        match count_archived(&cold, &list, counting).await {
            Ok(()) => return Ok(count),
            Err(fault) => cold.again(fault)?,
        }
    }
}

/// Some events of a long run.
#[derive(Debug)]
pub(crate) struct Step {
    /// Which ones, oldest first.
    pub(crate) ids: Vec<EventId>,
    /// Where the next step begins; `None` when nothing is left.
    pub(crate) reached: Option<Uuid>,
}

/// Up to `limit` matching events behind `after`, oldest first. There may be none although more follow.
///
/// # Errors
/// [`crate::Error::Unavailable`] while a store is away that has rows of the step.
pub(crate) async fn step(
    services: &Services,
    project: ProjectId,
    filter: &EventFilter,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Step> {
    let list = Arc::new(EventList {
        project,
        filter: filter.clone(),
        part: Part::Behind(after, limit),
        payload: false,
        masks: Masks::load(services, project).await?,
    });
    let mut cold = Cold::step(services, project);
    let merged = read(&mut cold, &list).await?;
    let ids: Vec<EventId> = merged.rows.into_iter().map(|(event, _)| event.id).collect();
    let last = ids.last().map(|id| id.0);
    Ok(Step {
        reached: merged
            .stopped
            .map_or(last, |at| Some(Uuid::from_u128(at.as_u128().saturating_sub(1)))),
        ids,
    })
}

/// Ids of the first events with an idempotency key, newest first.
pub(super) async fn with_key(
    cold: &Cold<'_>,
    filter: EventFilter,
    most: PageRequest,
) -> std::result::Result<Vec<EventId>, Fault> {
    let list = Arc::new(EventList {
        project: cold.project,
        filter,
        part: Part::Page(most),
        payload: false,
        masks: Masks::load(cold.services, cold.project).await?,
    });
    let merged = merge(cold, &list).await?;
    if merged.stopped.is_some() {
        return Err(Fault::Spent);
    }
    Ok(merged.rows.into_iter().map(|(event, _)| event.id).collect())
}

async fn read(cold: &mut Cold<'_>, list: &Arc<EventList>) -> Result<Merged<Event>> {
    loop {
        match merge(cold, list).await {
            Ok(merged) => return Ok(merged),
            Err(fault) => cold.again(fault)?,
        }
    }
}

/// An event as it stands in a segment: every archived event that anybody is shown comes from here.
fn read_event(json: &str) -> std::result::Result<Event, serde_json::Error> {
    rows::read_event(json.as_bytes())
}

/// Which part of a list is read.
enum Part {
    Page(PageRequest),
    Behind(Option<Uuid>, usize),
    All,
}

/// Events of a project.
struct EventList {
    project: ProjectId,
    filter: EventFilter,
    part: Part,
    payload: bool,
    /// In force since before anything was read.
    masks: Masks,
}

impl EventList {
    /// A row without what was not asked for.
    fn trimmed(&self, mut event: Event) -> Event {
        if !self.payload {
            event.payload = String::new();
        }
        event
    }
}

impl Rows for EventList {
    type Row = Event;
    const KIND: Kind = Kind::Events;

    fn topic(&self) -> Option<&str> {
        self.filter.event_type.as_deref()
    }

    fn key(&self) -> Option<&str> {
        self.filter.idempotency_key.as_deref()
    }

    fn span(&self) -> Span {
        let span = match self.part {
            Part::Page(request) => Span::of(request),
            Part::Behind(after, _) => Span::behind(after),
            Part::All => Span::ALL,
        };
        span.within(self.filter.from, self.filter.to)
    }

    fn pick(&self, json: &str) -> std::result::Result<Option<Event>, serde_json::Error> {
        let mut event = read_event(json)?;
        self.masks.event(&mut event);
        Ok(self.filter.matches(&event).then(|| self.trimmed(event)))
    }

    fn id(event: &Event) -> Uuid {
        event.id.0
    }
}

impl List for EventList {
    fn limit(&self) -> usize {
        match self.part {
            // One more, which tells whether another page follows.
            Part::Page(request) => request.limit() + 1,
            Part::Behind(_, limit) => limit,
            Part::All => usize::MAX,
        }
    }

    async fn hot(&self, services: &Services) -> Result<Vec<Event>> {
        let (db, project, filter) = (&services.db, self.project, &self.filter);
        let mut events = match self.part {
            Part::Page(request) => db::events::page_rows(db, project, filter, request, self.payload).await?,
            Part::Behind(after, limit) => db::events::rows_after(db, project, filter, after, limit).await?,
            Part::All => Vec::new(),
        };
        for event in &mut events {
            self.masks.event(event);
        }
        Ok(events)
    }

    async fn find_hot(&self, services: &Services, id: Uuid) -> Result<Option<Event>> {
        let mut event = db::events::find(&services.db, EventId(id)).await?;
        if let Some(event) = &mut event {
            self.masks.event(event);
        }
        let shown = event.filter(|event| event.project_id == self.project && self.filter.matches(event));
        Ok(shown.map(|event| self.trimmed(event)))
    }

    async fn sift(&self, cold: &Cold<'_>, mut events: Vec<Event>) -> std::result::Result<Vec<Event>, Fault> {
        let filter = &self.filter;
        if events.iter().all(|event| filter.asks_for(event)) {
            return Ok(events);
        }
        let sent = sent_to(cold, &filter.endpoints, &events).await?;
        events.retain(|event| filter.asks_for(event) || sent.contains(&event.id));
        Ok(events)
    }
}

/// Which events in the time of `events` have a delivery to one of `endpoints`.
async fn sent_to(
    cold: &Cold<'_>,
    endpoints: &[EndpointId],
    events: &[Event],
) -> std::result::Result<HashSet<EventId>, Fault> {
    let instants = events.iter().map(|event| event.id.instant());
    let span = Span::ALL.around(instants.clone());
    let at = (
        instants.clone().min().unwrap_or_default(),
        instants.max().unwrap_or_default(),
    );
    let ids = (span.first, span.last);
    let hot = db::segment_reads::sent_to(&cold.services.db, cold.project, endpoints, ids, at).await?;
    let deliveries = Arc::new(SentTo {
        endpoints: endpoints.to_vec(),
        span,
    });
    let archived = Scan::all(cold, &deliveries).await?;
    Ok(hot
        .into_iter()
        .chain(archived.into_iter().map(|(_, event)| event))
        .collect())
}

/// Deliveries to some endpoints.
struct SentTo {
    endpoints: Vec<EndpointId>,
    span: Span,
}

impl Rows for SentTo {
    type Row = (Uuid, EventId);
    const KIND: Kind = Kind::Deliveries;

    fn span(&self) -> Span {
        self.span
    }

    fn pick(&self, json: &str) -> std::result::Result<Option<Self::Row>, serde_json::Error> {
        let delivery = read_delivery(json)?;
        let wanted = self.endpoints.contains(&delivery.endpoint_id);
        Ok(wanted.then_some((delivery.id.0, delivery.event_id)))
    }

    fn id(row: &Self::Row) -> Uuid {
        row.0
    }
}
