//! From the use cases to the pages about deliveries.

use std::collections::{HashMap, HashSet};

use domain::{
    id::{DeliveryId, EndpointId},
    state::DeliveryState,
};
use services::{
    batches,
    deliveries::{self, Delivery, DeliveryFilter},
    endpoints,
    overview::{self, Overview},
};

use super::dto::{DeliveriesDto, DeliveryRow};
use crate::{
    context::{InProject, in_project, parse_id},
    error::{Code, UiError},
    features::{query::ListQuery, words},
    format::{self, Stamp},
    ui::{load::Place, tabs::Tab},
};

/// Filter words of the list.
pub const KEYS: &[&str] = &["type", "endpoint", "event", "id", "day"];
/// Tabs: the state they show, and their word.
const TABS: [(Option<DeliveryState>, &str); 6] = [
    (None, "All"),
    (Some(DeliveryState::Success), "Delivered"),
    (Some(DeliveryState::Retry), "Retrying"),
    (Some(DeliveryState::Failure), "Failed"),
    (Some(DeliveryState::Scheduled), "Scheduled"),
    (Some(DeliveryState::Discarded), "Discarded"),
];

/// Names of endpoints, deleted ones included.
pub struct Names(HashMap<EndpointId, String>);

impl Names {
    /// The names of `ids`.
    ///
    /// # Errors
    /// When a store is away.
    pub async fn of(at: &InProject, ids: impl Iterator<Item = EndpointId>) -> Result<Self, UiError> {
        let ids: Vec<EndpointId> = ids.collect::<HashSet<_>>().into_iter().collect();
        let list = endpoints::by_ids(&at.by.services, &at.by.actor, at.id, &ids).await?;
        Ok(Self(list.into_iter().map(|e| (e.id, e.name)).collect()))
    }

    /// The name of one endpoint.
    pub fn get(&self, id: EndpointId) -> String {
        self.0
            .get(&id)
            .cloned()
            .unwrap_or_else(|| "Deleted endpoint".to_owned())
    }
}

/// Deliveries as rows; `at` gives the time that the list shows.
pub fn rows(list: &[Delivery], names: &Names, at: impl Fn(&Delivery) -> Stamp) -> Vec<DeliveryRow> {
    list.iter()
        .map(|delivery| DeliveryRow {
            id: delivery.id.to_string(),
            event_type: delivery.event_type.clone(),
            state: delivery.state,
            endpoint: names.get(delivery.endpoint_id),
            code: delivery
                .last_status
                .map_or_else(String::new, |code| code.to_string()),
            reason: delivery.description.clone().unwrap_or_default(),
            attempts: if delivery.attempts > 0 {
                delivery.attempts.to_string()
            } else {
                String::new()
            },
            took: delivery
                .latency_ms
                .map_or_else(String::new, |ms| format::duration_ms(ms.max(0) as u64)),
            at: at(delivery),
        })
        .collect()
}

/// What the list of deliveries shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
pub async fn list(place: Place) -> Result<DeliveriesDto, UiError> {
    let at = in_project(&place.project).await?;
    let query = ListQuery::parse(&place.query, KEYS, "type");
    let filter = filter_of(&at, &query)?;
    let started = std::time::Instant::now();
    let page = deliveries::list(&at.by.services, &at.by.actor, at.id, &filter, query.page()).await?;
    let took = format::duration_ms(started.elapsed().as_millis() as u64);
    let any = !page.items.is_empty() || exists(&at).await?;
    let names = Names::of(&at, page.items.iter().map(|d| d.endpoint_id)).await?;
    let now = at.by.now;
    let counts = counts(&at, &query).await?;
    let matching = matching(&at, &filter).await?;
    let note = match page.items.len() {
        1 => "1 row".to_owned(),
        n => format!("{n} rows"),
    };
    Ok(DeliveriesDto {
        tabs: tabs(&query, counts.as_ref()),
        filter: query.filter(true),
        rows: rows(&page.items, &names, |d| Stamp::row(d.accepted_at, now)),
        pager: query.pager(&page, note, format!("Query took {took}")),
        any,
        matching,
        query: query.text(),
        batch: batch(&at).await?,
        project: at.project,
    })
}

/// The filter that the address of a list asks for.
///
/// # Errors
/// [`Code::NotFound`] for an id that is none.
pub fn filter_of(at: &InProject, query: &ListQuery) -> Result<DeliveryFilter, UiError> {
    let (from, to) = query.window(at.by.now);
    let live = at.by.services.catalog.project(at.id);
    let mut endpoints = Vec::new();
    for text in query.all("endpoint") {
        // By id, or by name: what nobody is called matches nothing.
        let named = live
            .as_ref()
            .and_then(|p| p.endpoints.values().find(|e| e.name.eq_ignore_ascii_case(text)));
        endpoints.push(match (text.parse::<EndpointId>(), named) {
            (Ok(id), _) => id,
            (Err(_), Some(endpoint)) => endpoint.id,
            (Err(_), None) => EndpointId(uuid::Uuid::nil()),
        });
    }
    let ids = query
        .all("id")
        .map(parse_id)
        .collect::<Result<Vec<DeliveryId>, _>>()?;
    Ok(DeliveryFilter {
        from,
        to,
        ids,
        endpoints,
        event_id: query.word("event").map(parse_id).transpose()?,
        event_type: query.word("type").map(str::to_owned),
        states: DeliveryState::parse(&query.state).into_iter().collect(),
        ..DeliveryFilter::default()
    })
}

async fn exists(at: &InProject) -> Result<bool, UiError> {
    let page = domain::page::PageRequest::first(1);
    let any = deliveries::list(
        &at.by.services,
        &at.by.actor,
        at.id,
        &DeliveryFilter::default(),
        page,
    )
    .await?;
    Ok(!any.items.is_empty())
}

/// Counts of the tabs, from the counters; `None` where the counters do not know the filters.
async fn counts(at: &InProject, query: &ListQuery) -> Result<Option<Overview>, UiError> {
    match query.hours() {
        Some(hours) if query.words.is_empty() => Ok(Some(
            overview::overview(&at.by.services, &at.by.actor, at.id, hours).await?,
        )),
        _ => Ok(None),
    }
}

fn tabs(query: &ListQuery, counts: Option<&Overview>) -> Vec<Tab> {
    let count = |state: Option<DeliveryState>| {
        let counts = counts?;
        Some(match state? {
            DeliveryState::Success => format::count(counts.total.delivered),
            DeliveryState::Failure => format::count(counts.total.failed),
            DeliveryState::Discarded => format::count(counts.total.discarded),
            DeliveryState::Retry => words::counted(counts.retrying),
            DeliveryState::Scheduled => words::counted(counts.scheduled),
            DeliveryState::Processing => return None,
        })
    };
    TABS.iter()
        .map(|(state, word)| {
            let value = state.map_or("", DeliveryState::as_str);
            let count = count(*state).unwrap_or_default();
            let loud = matches!(state, Some(DeliveryState::Retry | DeliveryState::Failure))
                && !matches!(count.as_str(), "" | "0");
            Tab {
                word: (*word).to_owned(),
                href: query.with_state(value),
                current: query.state.eq_ignore_ascii_case(value),
                state: if loud {
                    state.map_or("", |s| s.look().state).to_owned()
                } else {
                    String::new()
                },
                count,
            }
        })
        .collect()
}

/// How many deliveries could be resent, in words; empty unless the list shows such only.
async fn matching(at: &InProject, filter: &DeliveryFilter) -> Result<String, UiError> {
    let resendable = matches!(
        filter.states.as_slice(),
        [DeliveryState::Failure | DeliveryState::Discarded]
    );
    if !resendable || !at.project.can_edit {
        return Ok(String::new());
    }
    let n = deliveries::count(&at.by.services, &at.by.actor, at.id, filter).await?;
    Ok(if n > 0 {
        words::deliveries(n)
    } else {
        String::new()
    })
}

async fn batch(at: &InProject) -> Result<String, UiError> {
    let list = batches::list(&at.by.services, &at.by.actor, at.id).await?;
    let active = list
        .iter()
        .find(|b| matches!(b.state.as_str(), "pending" | "processing"));
    Ok(active.map_or_else(String::new, |b| {
        let what = if b.kind == "retry" {
            "Resending all matches"
        } else {
            "Replaying all matches"
        };
        format!(
            "{what}: {} done, {} could not be done",
            format::count(b.processed),
            format::count(b.failed)
        )
    }))
}

/// Reads the picked ids of a form.
///
/// # Errors
/// [`Code::Invalid`] when nothing was picked.
pub fn picked(ids: &[String]) -> Result<Vec<DeliveryId>, UiError> {
    if ids.is_empty() {
        return Err(UiError::with_detail(Code::Invalid, "Pick at least one delivery."));
    }
    ids.iter().map(|id| parse_id(id)).collect()
}
