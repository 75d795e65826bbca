//! From the use cases to the pages about endpoints.

use domain::{
    id::EndpointId,
    page::PageRequest,
    state::{DeliveryState, EndpointState},
};
use services::{
    deliveries::{self, DeliveryFilter},
    endpoints::{self, Authentication, Endpoint, EndpointQuery, SignatureFormat},
    overview::{self, EndpointTally},
    subscriptions::{self, SubscriptionQuery},
};

use super::dto::{EndpointDto, EndpointForm, EndpointFormDto, EndpointRow, EndpointsDto, SecretRow};
use crate::{
    context::{InProject, in_project, parse_id, take_kept},
    error::{Code, UiError},
    features::{
        common::NamedRef,
        deliveries::present::{Names, rows},
        query::value_of,
        words,
    },
    format::{self, Stamp},
    ui::{load::Place, stat::Stat},
};

/// Most endpoints in the list.
const ROWS: u32 = 500;
/// Deliveries on the page of an endpoint.
const DELIVERIES: u32 = 8;

/// Key under which fresh or revealed secrets are kept for the next page of an endpoint.
pub fn secrets_key(id: EndpointId) -> String {
    format!("secrets:{id}")
}

/// What the list of endpoints shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
pub async fn list(place: Place) -> Result<EndpointsDto, UiError> {
    let at = in_project(&place.project).await?;
    let search = value_of(&place.query, "q").unwrap_or_default();
    let q = (!search.trim().is_empty()).then(|| search.trim().to_owned());
    let query = EndpointQuery {
        q,
        page: PageRequest::first(ROWS),
        ..EndpointQuery::default()
    };
    let page = endpoints::list(&at.by.services, &at.by.actor, at.id, query).await?;
    let day = overview::overview(&at.by.services, &at.by.actor, at.id, 24).await?;
    let live = at.by.services.catalog.project(at.id);
    let mut list: Vec<_> = page.items.iter().collect();
    list.sort_by_key(|e| e.name.to_lowercase());
    let rows = list.into_iter().map(|endpoint| {
        let tally = tally_of(&day.endpoints, endpoint.id)
            .map(|t| t.tally)
            .unwrap_or_default();
        let subscriptions = live.as_ref().map_or(0, |p| {
            p.subscriptions
                .iter()
                .filter(|s| s.endpoint_id == endpoint.id)
                .count()
        });
        EndpointRow {
            id: endpoint.id.to_string(),
            name: endpoint.name.clone(),
            state: endpoint.state,
            url: endpoint.url.clone(),
            success: tally
                .success_rate()
                .map_or_else(String::new, |rate| format::percent(rate / 100.0)),
            failed: format::count(tally.failed),
            subscriptions: format::count(subscriptions as i64),
        }
    });
    let rows: Vec<_> = rows.collect();
    let any = !rows.is_empty() || live.is_some_and(|p| !p.endpoints.is_empty());
    Ok(EndpointsDto {
        rows,
        search,
        any,
        project: at.project,
    })
}

fn tally_of(list: &[EndpointTally], id: EndpointId) -> Option<&EndpointTally> {
    list.iter().find(|t| t.id == Some(id))
}

/// What the page of one endpoint shows.
///
/// # Errors
/// When the endpoint does not exist in the project or a store is away.
pub async fn detail(place: Place) -> Result<EndpointDto, UiError> {
    let at = in_project(&place.project).await?;
    let id: EndpointId = parse_id(&place.item)?;
    let (services, actor) = (&at.by.services, &at.by.actor);
    let endpoint = endpoints::get(services, actor, at.id, id).await?;
    let day = overview::overview(services, actor, at.id, 24).await?;
    let of = DeliveryFilter {
        endpoints: vec![id],
        ..DeliveryFilter::default()
    };
    let last = deliveries::list(services, actor, at.id, &of, PageRequest::first(DELIVERIES))
        .await?
        .items;
    let names = Names::of(&at, last.iter().map(|d| d.endpoint_id)).await?;
    let open = DeliveryFilter {
        states: vec![DeliveryState::Scheduled, DeliveryState::Retry],
        ..of
    };
    let waiting = deliveries::count(services, actor, at.id, &open).await?;
    let clear: Vec<(String, String)> = take_kept(&secrets_key(id)).await?.unwrap_or_default();
    let live = services.catalog.project(at.id);
    let own = SubscriptionQuery {
        endpoints: vec![id],
        page: PageRequest::first(ROWS),
        ..SubscriptionQuery::default()
    };
    let subscriptions = subscriptions::list(services, actor, at.id, own).await?.items;
    let now = at.by.now;
    Ok(EndpointDto {
        id: id.to_string(),
        name: endpoint.name.clone(),
        state: endpoint.state,
        state_reason: state_reason(&endpoint, waiting, now),
        url: endpoint.url.clone(),
        stats: stats(tally_of(&day.endpoints, id), waiting),
        settings: settings(&endpoint, live.as_deref()),
        secrets: secrets(&endpoint, &clear, now),
        subscriptions: subscriptions
            .into_iter()
            .map(|s| NamedRef {
                id: s.id.to_string(),
                name: s.name,
            })
            .collect(),
        deliveries: rows(&last, &names, |d| Stamp::row(d.accepted_at, now)),
        waiting: words::counted(waiting),
        project: at.project,
    })
}

fn state_reason(endpoint: &Endpoint, waiting: i64, now: chrono::DateTime<chrono::Utc>) -> String {
    let since = endpoint
        .state_changed_at
        .map_or_else(String::new, |at| format!("Since {}: ", format::relative(at, now)));
    let reason = endpoint.state_reason.clone().unwrap_or_default();
    match endpoint.state {
        EndpointState::Active => String::new(),
        EndpointState::Paused => {
            format!(
                "{since}{reason}. {} waiting until it is activated.",
                words::deliveries(waiting)
            )
        }
        EndpointState::Inactive => {
            format!("{since}{reason}. New deliveries are discarded until it is activated.")
        }
    }
}

fn stats(tally: Option<&EndpointTally>, waiting: i64) -> Vec<Stat> {
    let counts = tally.map(|t| t.tally).unwrap_or_default();
    let latency = tally.map(|t| t.latency).unwrap_or_default();
    let (value, unit) = words::latency(latency.p95);
    let stat = |label: &str, value: String, unit: &str, note: String| Stat {
        label: label.to_owned(),
        value,
        unit: unit.to_owned(),
        note,
        ..Stat::default()
    };
    let rate = counts.success_rate();
    let share = rate.map_or_else(
        || format::NONE.to_owned(),
        |r| format::percent(r / 100.0).replace([format::NBSP, '%'], ""),
    );
    vec![
        stat(
            "Delivered",
            share,
            if rate.is_some() { "%" } else { "" },
            format!(
                "{} of {}",
                format::count(counts.delivered),
                format::count(counts.delivered + counts.failed)
            ),
        ),
        stat(
            "Failed",
            format::count(counts.failed),
            "",
            words::tried_again(counts.retried),
        ),
        stat("Accepted to delivered, p95", value, &unit, String::new()),
        stat(
            "Waiting",
            words::counted(waiting),
            "",
            "scheduled or retrying".to_owned(),
        ),
    ]
}

fn settings(endpoint: &Endpoint, live: Option<&services::catalog::Project>) -> Vec<(String, String)> {
    let seconds = words::seconds;
    let signature = match (endpoint.signature_format, endpoint.advanced_signatures) {
        (SignatureFormat::Standard, _) => "Standard Webhooks",
        (SignatureFormat::Convoy, true) => "Convoy, advanced",
        (SignatureFormat::Convoy, false) => "Convoy, simple",
    };
    let body = if endpoint.content_type == "application/json" {
        "JSON"
    } else {
        "Form"
    };
    let timeout = if endpoint.http_timeout == 0 {
        "Instance default".to_owned()
    } else {
        seconds(endpoint.http_timeout)
    };
    let limit = match (endpoint.rate_limit, live.map_or(0, |p| p.config.ratelimit.count)) {
        (0, 0) => "None".to_owned(),
        (0, n) => format!("{} of the project", format::count(i64::from(n))),
        (n, _) => format!(
            "{} in {}",
            format::count(i64::from(n)),
            seconds(endpoint.rate_limit_duration.max(1))
        ),
    };
    let authentication = match &endpoint.authentication {
        None => "None".to_owned(),
        Some(Authentication::ApiKey { header_name, .. }) => format!("Header {header_name}"),
        Some(Authentication::BasicAuth { username, .. }) => format!("Basic, {username}"),
    };
    let mut list = vec![
        ("Signature", signature.to_owned()),
        ("Body", body.to_owned()),
        ("Timeout", timeout),
        ("Rate limit", limit),
        ("Authentication", authentication),
    ];
    if let Some(owner) = &endpoint.owner_id {
        list.push(("Owner", owner.clone()));
    }
    for (label, text) in [
        ("Description", &endpoint.description),
        ("Support email", &endpoint.support_email),
    ] {
        if !text.is_empty() {
            list.push((label, text.clone()));
        }
    }
    list.into_iter()
        .map(|(label, text)| (label.to_owned(), text))
        .collect()
}

/// Secrets, the current one first; those in `clear` are shown whole.
fn secrets(
    endpoint: &Endpoint,
    clear: &[(String, String)],
    now: chrono::DateTime<chrono::Utc>,
) -> Vec<SecretRow> {
    endpoint
        .secrets
        .iter()
        .rev()
        .map(|secret| {
            let id = secret.id.to_string();
            let whole = clear
                .iter()
                .find(|(known, _)| *known == id)
                .map(|(_, value)| value.clone());
            SecretRow {
                whole: whole.is_some(),
                text: whole.unwrap_or_else(|| secret.value.clone()),
                created: Stamp::ago(secret.created_at, now),
                expires: secret
                    .expires_at
                    .map(|at| Stamp::ago(at, now))
                    .unwrap_or_default(),
            }
        })
        .collect()
}

/// What the form of an endpoint shows; without an id, that of a new one.
///
/// # Errors
/// When the viewer may not change the project.
pub async fn form(place: Place) -> Result<EndpointFormDto, UiError> {
    let at = in_project(&place.project).await?;
    if !at.project.can_edit {
        return Err(UiError::new(Code::Forbidden));
    }
    if place.item.is_empty() {
        return Ok(EndpointFormDto {
            form: blank(),
            project: at.project,
            ..EndpointFormDto::default()
        });
    }
    let endpoint = get(&at, &place.item).await?;
    Ok(EndpointFormDto {
        id: endpoint.id.to_string(),
        version: endpoint.updated_at.timestamp_micros(),
        form: filled(&endpoint),
        project: at.project,
    })
}

/// The endpoint with the id in `text`.
///
/// # Errors
/// When it does not exist in the project.
pub async fn get(at: &InProject, text: &str) -> Result<Endpoint, UiError> {
    Ok(endpoints::get(&at.by.services, &at.by.actor, at.id, parse_id(text)?).await?)
}

fn blank() -> EndpointForm {
    EndpointForm {
        signature: "advanced".to_owned(),
        content_type: "application/json".to_owned(),
        http_timeout: "0".to_owned(),
        rate_limit: "0".to_owned(),
        rate_limit_duration: "60".to_owned(),
        auth: "none".to_owned(),
        ..EndpointForm::default()
    }
}

fn filled(endpoint: &Endpoint) -> EndpointForm {
    let signature = match (endpoint.signature_format, endpoint.advanced_signatures) {
        (SignatureFormat::Standard, _) => "standard",
        (SignatureFormat::Convoy, true) => "advanced",
        (SignatureFormat::Convoy, false) => "simple",
    };
    let mut form = EndpointForm {
        name: endpoint.name.clone(),
        url: endpoint.url.clone(),
        description: endpoint.description.clone(),
        owner_id: endpoint.owner_id.clone().unwrap_or_default(),
        support_email: endpoint.support_email.clone(),
        signature: signature.to_owned(),
        content_type: endpoint.content_type.clone(),
        http_timeout: endpoint.http_timeout.to_string(),
        rate_limit: endpoint.rate_limit.to_string(),
        rate_limit_duration: endpoint.rate_limit_duration.to_string(),
        ..blank()
    };
    match &endpoint.authentication {
        None => {}
        Some(Authentication::ApiKey { header_name, .. }) => {
            "api_key".clone_into(&mut form.auth);
            form.auth_header.clone_from(header_name);
        }
        Some(Authentication::BasicAuth { username, .. }) => {
            "basic_auth".clone_into(&mut form.auth);
            form.auth_username.clone_from(username);
        }
    }
    form
}
