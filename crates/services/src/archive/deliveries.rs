//! Questions about deliveries and their attempts, answered out of both tiers.

use std::collections::BTreeMap;
use std::sync::Arc;

use db::attempts::Attempt;
use db::deliveries::{Delivery, DeliveryFilter};
use db::events::EventFilter;
use domain::id::{AttemptId, DeliveryId, EventId, ProjectId};
use domain::page::{MAX_PER_PAGE, Page, PageRequest};
use domain::segment::Kind;
use domain::state::DeliveryState;
use uuid::Uuid;

use super::cold::Cold;
use super::cost::{Read, Tier};
use super::fault::Fault;
use super::merge::{Counting, List, count_archived, merge};
use super::scan::{Rows, Scan};
use super::span::Span;
use super::{events, one, rows};
use crate::Services;
use crate::erasure::Masks;
use crate::error::Result;

/// A page of a project's deliveries.
///
/// # Errors
/// [`crate::Error::TooSlow`] when too much would have to be read; [`crate::Error::Unavailable`] while
/// a store is away that has rows of the page.
pub(crate) async fn page(
    services: &Services,
    project: ProjectId,
    filter: &DeliveryFilter,
    request: PageRequest,
) -> Result<Read<Page<Delivery>>> {
    let mut cold = Cold::new(services, project);
    let (found, tier) = loop {
        match try_page(&cold, filter, request).await {
            Ok(found) => break found,
            Err(fault) => cold.again(fault)?,
        }
    };
    let page = Page::cut(request, found, request.cursor.is_some(), |delivery| delivery.id.0);
    Ok(cold.meter.read(&services.archive, page, tier))
}

async fn try_page(
    cold: &Cold<'_>,
    filter: &DeliveryFilter,
    request: PageRequest,
) -> std::result::Result<(Vec<Delivery>, Option<Tier>), Fault> {
    let list = Arc::new(DeliveryList::new(cold, filter, Some(request)).await?);
    let merged = merge(cold, &list).await?;
    if merged.stopped.is_some() {
        return Err(Fault::Spent);
    }
    let tier = Tier::of(
        merged
            .rows
            .iter()
            .take(request.limit())
            .map(|(_, archived)| *archived),
    );
    Ok((
        merged.rows.into_iter().map(|(delivery, _)| delivery).collect(),
        tier,
    ))
}

/// One delivery of a project.
///
/// # Errors
/// As [`page`].
pub(crate) async fn find(
    services: &Services,
    project: ProjectId,
    id: DeliveryId,
) -> Result<Option<Read<Delivery>>> {
    let mut cold = Cold::new(services, project);
    if let Some(delivery) = db::deliveries::find(&services.db, id).await? {
        let own = (delivery.project_id == project).then_some(delivery);
        return Ok(own.map(|delivery| cold.meter.read(&services.archive, delivery, Some(Tier::Hot))));
    }
    let found = one::find(&mut cold, Kind::Deliveries, id.0, read_delivery).await?;
    Ok(found.map(|delivery| cold.meter.read(&services.archive, delivery, Some(Tier::Archive))))
}

/// Archived deliveries per state, on top of `totals` and up to `limit` each. Only states that
/// `totals` names are counted.
///
/// # Errors
/// As [`page`].
pub(crate) async fn add_archived(
    services: &Services,
    project: ProjectId,
    filter: &DeliveryFilter,
    totals: &mut BTreeMap<&'static str, i64>,
    limit: i64,
) -> Result<()> {
    if open(totals, limit) == Counting::Enough {
        return Ok(());
    }
    let mut cold = Cold::new(services, project);
    loop {
        let mut counted = totals.clone();
        match try_add_archived(&cold, filter, &mut counted, limit).await {
            Ok(()) => {
                *totals = counted;
                return Ok(());
            }
            Err(fault) => cold.again(fault)?,
        }
    }
}

async fn try_add_archived(
    cold: &Cold<'_>,
    filter: &DeliveryFilter,
    totals: &mut BTreeMap<&'static str, i64>,
    limit: i64,
) -> std::result::Result<(), Fault> {
    let list = Arc::new(DeliveryList::new(cold, filter, None).await?);
    count_archived(cold, &list, |delivery| {
        if let Some(total) = totals.get_mut(delivery.state.as_str()) {
            *total = limit.min(*total + 1);
        }
        open(totals, limit)
    })
    .await
}

/// Whether a total may still grow by what is archived, all of which has ended.
fn open(totals: &BTreeMap<&'static str, i64>, limit: i64) -> Counting {
    let finals = DeliveryState::ALL.iter().filter(|state| state.is_final());
    let mut open = finals
        .filter_map(|state| totals.get(state.as_str()))
        .filter(|total| **total < limit);
    if open.next().is_some() {
        Counting::GoesOn
    } else {
        Counting::Enough
    }
}

/// The newest attempts of a delivery, oldest first, at most `limit`.
///
/// # Errors
/// As [`page`].
pub(crate) async fn attempts(
    services: &Services,
    project: ProjectId,
    delivery: DeliveryId,
    limit: usize,
) -> Result<Read<Vec<Attempt>>> {
    let masks = Masks::load(services, project).await?;
    let mut cold = Cold::new(services, project);
    let wanted = Arc::new(AttemptsOf(delivery));
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut attempts: Vec<(Attempt, bool)> = loop {
        let hot = db::attempts::of_delivery(&services.db, delivery, most).await?;
        match Scan::all(&cold, &wanted).await {
            Ok(archived) => break union(hot, archived),
            Err(fault) => cold.again(fault)?,
        }
    };
    attempts.sort_by_key(|(attempt, _)| (attempt.requested_at, attempt.number));
    attempts.drain(..attempts.len().saturating_sub(limit));
    let tier = Tier::of(attempts.iter().map(|(_, archived)| *archived));
    let mut attempts: Vec<Attempt> = attempts.into_iter().map(|(attempt, _)| attempt).collect();
    masks.attempts(services, &mut attempts).await?;
    Ok(cold.meter.read(&services.archive, attempts, tier))
}

/// Attempts never change, so it does not matter which copy is taken.
fn union(hot: Vec<Attempt>, archived: Vec<Attempt>) -> Vec<(Attempt, bool)> {
    let archived = archived.into_iter().map(|attempt| (attempt.id, (attempt, true)));
    let hot = hot.into_iter().map(|attempt| (attempt.id, (attempt, false)));
    let by_id: BTreeMap<AttemptId, (Attempt, bool)> = archived.chain(hot).collect();
    by_id.into_values().collect()
}

/// One attempt of a project.
///
/// # Errors
/// As [`page`].
pub(crate) async fn attempt(
    services: &Services,
    project: ProjectId,
    id: AttemptId,
) -> Result<Option<Read<Attempt>>> {
    let masks = Masks::load(services, project).await?;
    let mut cold = Cold::new(services, project);
    if let Some(mut attempt) = db::attempts::find(&services.db, id).await? {
        masks
            .attempts(services, std::slice::from_mut(&mut attempt))
            .await?;
        let own = (attempt.project_id == project).then_some(attempt);
        return Ok(own.map(|attempt| cold.meter.read(&services.archive, attempt, Some(Tier::Hot))));
    }
    let Some(mut attempt) = one::find(&mut cold, Kind::Attempts, id.0, read_attempt).await? else {
        return Ok(None);
    };
    masks
        .attempts(services, std::slice::from_mut(&mut attempt))
        .await?;
    Ok(Some(cold.meter.read(
        &services.archive,
        attempt,
        Some(Tier::Archive),
    )))
}

/// A delivery as it stands in a segment.
pub(super) fn read_delivery(json: &str) -> std::result::Result<Delivery, serde_json::Error> {
    rows::read_delivery(json.as_bytes())
}

fn read_attempt(json: &str) -> std::result::Result<Attempt, serde_json::Error> {
    rows::read_attempt(json.as_bytes())
}

/// Deliveries of a project.
struct DeliveryList {
    project: ProjectId,
    filter: DeliveryFilter,
    /// The events that have the idempotency key, when one is asked for.
    events: Option<Vec<EventId>>,
    /// Which page; everything otherwise.
    request: Option<PageRequest>,
}

impl DeliveryList {
    async fn new(
        cold: &Cold<'_>,
        filter: &DeliveryFilter,
        request: Option<PageRequest>,
    ) -> std::result::Result<Self, Fault> {
        let events = match &filter.idempotency_key {
            Some(key) => {
                let with_key = EventFilter {
                    from: filter.from,
                    to: filter.to,
                    idempotency_key: Some(key.clone()),
                    event_type: filter.event_type.clone(),
                    ..EventFilter::default()
                };
                Some(events::with_key(cold, with_key, PageRequest::first(MAX_PER_PAGE)).await?)
            }
            None => None,
        };
        Ok(Self {
            project: cold.project,
            filter: filter.clone(),
            events,
            request,
        })
    }

    fn shows(&self, delivery: &Delivery) -> bool {
        self.filter.matches(delivery)
            && self
                .events
                .as_ref()
                .is_none_or(|events| events.contains(&delivery.event_id))
    }
}

impl Rows for DeliveryList {
    type Row = Delivery;
    const KIND: Kind = Kind::Deliveries;

    fn span(&self) -> Span {
        let filter = &self.filter;
        let span = self
            .request
            .map_or(Span::ALL, Span::of)
            .within(filter.from, filter.to);
        let span = span.around(filter.event_id.iter().map(|event| event.instant()));
        let span = span.around(filter.ids.iter().map(|id| id.instant()));
        match &self.events {
            // Nothing has the key.
            Some(events) if events.is_empty() => span.between(Uuid::max(), Uuid::nil()),
            Some(events) => span.around(events.iter().map(|event| event.instant())),
            None => span,
        }
    }

    fn pick(&self, json: &str) -> std::result::Result<Option<Delivery>, serde_json::Error> {
        let delivery = read_delivery(json)?;
        Ok(self.shows(&delivery).then_some(delivery))
    }

    fn id(delivery: &Delivery) -> Uuid {
        delivery.id.0
    }
}

impl List for DeliveryList {
    fn limit(&self) -> usize {
        self.request.map_or(usize::MAX, |request| request.limit() + 1)
    }

    async fn hot(&self, services: &Services) -> Result<Vec<Delivery>> {
        let Some(request) = self.request else {
            return Ok(Vec::new());
        };
        Ok(db::deliveries::page_rows(&services.db, self.project, &self.filter, request).await?)
    }

    async fn find_hot(&self, services: &Services, id: Uuid) -> Result<Option<Delivery>> {
        let delivery = db::deliveries::find(&services.db, DeliveryId(id)).await?;
        Ok(delivery.filter(|delivery| delivery.project_id == self.project && self.shows(delivery)))
    }

    async fn sift(
        &self,
        _: &Cold<'_>,
        deliveries: Vec<Delivery>,
    ) -> std::result::Result<Vec<Delivery>, Fault> {
        Ok(deliveries)
    }
}

/// Attempts of a delivery.
struct AttemptsOf(DeliveryId);

impl Rows for AttemptsOf {
    type Row = Attempt;
    const KIND: Kind = Kind::Attempts;

    fn span(&self) -> Span {
        Span::ALL.around(std::iter::once(self.0.instant()))
    }

    fn pick(&self, json: &str) -> std::result::Result<Option<Attempt>, serde_json::Error> {
        let attempt = read_attempt(json)?;
        Ok((attempt.delivery_id == self.0).then_some(attempt))
    }

    fn id(attempt: &Attempt) -> Uuid {
        attempt.id.0
    }
}
