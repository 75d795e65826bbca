//! From the use cases to the pages about subscriptions.

use domain::{
    filter::FilterSpec,
    id::{EndpointId, SubscriptionId},
    page::PageRequest,
};
use serde_json::Value;
use services::subscriptions::{self, Subscription, SubscriptionQuery};

use super::dto::{SubscriptionDto, SubscriptionForm, SubscriptionRow, SubscriptionsDto, TestOutcome};
use crate::{
    context::{InProject, in_project, parse_id, take_kept},
    error::{Code, UiError},
    features::{common::NamedRef, query::value_of},
    format::Stamp,
    ui::load::Place,
};

/// Most subscriptions in the list.
const ROWS: u32 = 500;

/// Key under which a tested form is kept for the next page.
pub fn tested_key(subscription: &str) -> String {
    format!("tested:{subscription}")
}

/// What the list of subscriptions shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
pub async fn list(place: Place) -> Result<SubscriptionsDto, UiError> {
    let at = in_project(&place.project).await?;
    let query = SubscriptionQuery {
        page: PageRequest::first(ROWS),
        ..SubscriptionQuery::default()
    };
    let mut list = subscriptions::list(&at.by.services, &at.by.actor, at.id, query)
        .await?
        .items;
    list.sort_by_key(|s| s.name.to_lowercase());
    let now = at.by.now;
    let rows = list.iter().map(|s| SubscriptionRow {
        id: s.id.to_string(),
        name: s.name.clone(),
        enabled: s.enabled,
        endpoint: NamedRef {
            id: s.endpoint.id.to_string(),
            name: s.endpoint.name.clone(),
        },
        event_types: types(s),
        filter: scopes(s),
        updated: Stamp::ago(s.updated_at, now),
    });
    Ok(SubscriptionsDto {
        rows: rows.collect(),
        project: at.project,
    })
}

fn types(subscription: &Subscription) -> String {
    if subscription.event_types.iter().any(|t| t == "*") && subscription.event_types.len() == 1 {
        return "every type".to_owned();
    }
    subscription.event_types.join(", ")
}

/// Names of the parts that are filtered.
fn scopes(subscription: &Subscription) -> String {
    let mut specs = subscription.filters.iter().map(|f| &f.spec);
    let differ = subscription
        .filters
        .windows(2)
        .any(|pair| pair[0].spec != pair[1].spec);
    if differ {
        return "different per type".to_owned();
    }
    let Some(FilterSpec {
        headers,
        body,
        query,
        path,
    }) = specs.next()
    else {
        return String::new();
    };
    let parts = [
        ("body", body),
        ("headers", headers),
        ("query", query),
        ("path", path),
    ];
    parts
        .into_iter()
        .filter(|(_, spec)| spec.is_some())
        .map(|(name, _)| name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What the page of one subscription shows; without an id, that of a new one.
///
/// # Errors
/// When the subscription does not exist in the project or a store is away.
pub async fn form(place: Place) -> Result<SubscriptionDto, UiError> {
    let at = in_project(&place.project).await?;
    let known = if place.item.is_empty() {
        None
    } else {
        Some(get(&at, &place.item).await?)
    };
    if known.is_none() && !at.project.can_edit {
        return Err(UiError::new(Code::Forbidden));
    }
    let tested: Option<(SubscriptionForm, TestOutcome)> = take_kept(&tested_key(&place.item)).await?;
    let (tested, outcome) = tested.unzip();
    let asked = value_of(&place.query, "endpoint").unwrap_or_default();
    let form = tested.unwrap_or_else(|| match &known {
        Some(known) => filled(known),
        None => SubscriptionForm {
            endpoint_id: asked,
            ..SubscriptionForm::default()
        },
    });
    let mixed = known
        .as_ref()
        .is_some_and(|s| s.filters.windows(2).any(|pair| pair[0].spec != pair[1].spec));
    Ok(SubscriptionDto {
        id: place.item,
        name: known.as_ref().map(|s| s.name.clone()).unwrap_or_default(),
        enabled: known.as_ref().is_none_or(|s| s.enabled),
        mixed,
        form,
        endpoints: endpoints(&at, known.as_ref()),
        outcome,
        project: at.project,
    })
}

/// The subscription with the id in `text`.
///
/// # Errors
/// When it does not exist in the project.
pub async fn get(at: &InProject, text: &str) -> Result<Subscription, UiError> {
    let id: SubscriptionId = parse_id(text)?;
    Ok(subscriptions::get(&at.by.services, &at.by.actor, at.id, id).await?)
}

fn endpoints(at: &InProject, known: Option<&Subscription>) -> Vec<NamedRef> {
    let own: Option<EndpointId> = known.map(|s| s.endpoint.id);
    let live = at.by.services.catalog.project(at.id);
    let mut list: Vec<NamedRef> = live
        .iter()
        .flat_map(|p| p.endpoints.values())
        .filter(|e| Some(e.id) != own)
        .map(|e| NamedRef {
            id: e.id.to_string(),
            name: e.name.clone(),
        })
        .collect();
    if let Some(known) = known {
        list.push(NamedRef {
            id: known.endpoint.id.to_string(),
            name: known.endpoint.name.clone(),
        });
    }
    list.sort_by_key(|e| e.name.to_lowercase());
    list
}

fn filled(known: &Subscription) -> SubscriptionForm {
    let text = |spec: &Option<Value>| {
        spec.as_ref().map_or_else(String::new, |v| {
            serde_json::to_string_pretty(v).unwrap_or_default()
        })
    };
    SubscriptionForm {
        name: known.name.clone(),
        endpoint_id: known.endpoint.id.to_string(),
        event_types: known.event_types.join("\n"),
        body: text(&known.filter.body),
        headers: text(&known.filter.headers),
        query: text(&known.filter.query),
        path: text(&known.filter.path),
        ..SubscriptionForm::default()
    }
}
