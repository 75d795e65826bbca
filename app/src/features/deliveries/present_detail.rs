//! From the use cases to the page of one delivery.

use chrono::{DateTime, Utc};
use domain::{
    event::EventKind,
    id::{DeliveryId, SubscriptionId},
    retry::RetryPolicy,
    state::{DeliveryState, EndpointState},
};
use services::{
    deliveries::{self, Attempt, Delivery},
    events, subscriptions,
};

use super::{
    dto::{AttemptDto, DeliveryDto},
    present::Names,
};
use crate::{
    context::{InProject, in_project, parse_id},
    error::UiError,
    features::{common::NamedRef, query::value_of, words},
    format::{self, Stamp},
    ui::{code::Payload, load::Place, timeline::Step},
};

/// What the page of one delivery shows.
///
/// # Errors
/// When the delivery does not exist in the project or a store is away.
pub(super) async fn detail(place: Place) -> Result<DeliveryDto, UiError> {
    let at = in_project(&place.project).await?;
    let id: DeliveryId = parse_id(&place.item)?;
    let (services, actor) = (&at.by.services, &at.by.actor);
    let delivery = deliveries::get(services, actor, at.id, id).await?;
    let attempts = deliveries::attempts(services, actor, at.id, id).await?;
    let event = match events::get(services, actor, at.id, delivery.event_id).await {
        Ok(event) => Some(event),
        Err(services::Error::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let names = Names::of(&at, std::iter::once(delivery.endpoint_id)).await?;
    let asked = value_of(&place.query, "attempt").and_then(|n| n.parse::<usize>().ok());
    let shown = attempts
        .iter()
        .position(|a| Some(a.number as usize) == asked)
        .or(attempts.len().checked_sub(1));
    let live = services.catalog.project(at.id);
    let payload = event
        .as_ref()
        .map(|e| words::payload(&e.payload))
        .unwrap_or_default();
    let state = live
        .as_ref()
        .and_then(|p| p.endpoints.get(&delivery.endpoint_id))
        .map(|e| e.state);
    let (headline, explanation) = headline(&delivery, state, at.by.now);
    let policy = delivery
        .retry
        .as_deref()
        .and_then(|json| serde_json::from_str::<RetryPolicy>(json).ok());
    let policy = policy
        .or_else(|| live.as_ref().map(|p| p.retry.clone()))
        .unwrap_or_default();
    let kind = event.as_ref().map_or(EventKind::Single, |e| e.kind);
    Ok(DeliveryDto {
        id: delivery.id.to_string(),
        event: delivery.event_id.to_string(),
        event_type: delivery.event_type.clone(),
        state: delivery.state,
        endpoint: NamedRef {
            id: delivery.endpoint_id.to_string(),
            name: names.get(delivery.endpoint_id),
        },
        subscription: subscription(&at, delivery.subscription_id).await?,
        accepted: Stamp::ago(delivery.accepted_at, at.by.now),
        headline,
        explanation,
        steps: steps(&delivery, &attempts, shown, kind, at.by.now),
        retry: words::retry(&policy),
        idempotency_key: event
            .as_ref()
            .and_then(|e| e.idempotency_key.clone())
            .unwrap_or_default(),
        partition: words::partition(delivery.accepted_at, delivery.keep_days),
        attempt: shown.map(|i| attempt(&attempts, i, &payload, at.by.now)),
        payload,
        can_resend: delivery.state.is_final() && state == Some(EndpointState::Active),
        project: at.project,
    })
}

async fn subscription(at: &InProject, id: Option<SubscriptionId>) -> Result<NamedRef, UiError> {
    let Some(id) = id else {
        return Ok(NamedRef::default());
    };
    match subscriptions::get(&at.by.services, &at.by.actor, at.id, id).await {
        Ok(found) => Ok(NamedRef {
            id: id.to_string(),
            name: found.name,
        }),
        Err(services::Error::NotFound(_)) => Ok(NamedRef {
            id: String::new(),
            name: "Deleted subscription".to_owned(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// What the state means, in words.
fn headline(delivery: &Delivery, endpoint: Option<EndpointState>, now: DateTime<Utc>) -> (String, String) {
    let again = "Resending sends the same bytes with a fresh signature and counts as a new attempt.";
    let reason = delivery.description.clone().unwrap_or_default();
    let made = match delivery.attempts {
        1 => "1 attempt".to_owned(),
        n => format!("{n} attempts"),
    };
    let (head, text) = match (delivery.state, endpoint) {
        (DeliveryState::Failure, _) => {
            let last = delivery
                .last_status
                .map_or_else(String::new, |code| format!(": the last answer was {code}"));
            (format!("Ended after {made}{last}"), format!("{reason}. {again}"))
        }
        (DeliveryState::Discarded, _) => ("It was not sent".to_owned(), format!("{reason}. {again}")),
        (DeliveryState::Scheduled | DeliveryState::Retry, Some(EndpointState::Paused)) => (
            "It waits: the endpoint is paused".to_owned(),
            "Activate the endpoint to send it.".to_owned(),
        ),
        (DeliveryState::Retry, _) => {
            let next = delivery
                .due_at
                .map_or_else(|| "soon".to_owned(), |due| format::relative(due.max(now), now));
            (
                format!("Next attempt {next}"),
                format!("{made} failed so far. {reason}"),
            )
        }
        _ => (String::new(), String::new()),
    };
    (head, text.trim_start_matches(". ").to_owned())
}

fn steps(
    delivery: &Delivery,
    attempts: &[Attempt],
    shown: Option<usize>,
    kind: EventKind,
    now: DateTime<Utc>,
) -> Vec<Step> {
    let mut steps = vec![Step {
        at: Stamp::step(delivery.accepted_at),
        state: "neutral".to_owned(),
        icon: "inbox".to_owned(),
        title: "Accepted".to_owned(),
        text: words::source(kind).to_owned(),
        ..Step::default()
    }];
    steps.extend(
        attempts
            .iter()
            .enumerate()
            .map(|(i, attempt)| attempt_step(attempt, shown == Some(i))),
    );
    let look = delivery.state.look();
    if let (true, Some(ended)) = (delivery.state.is_final(), delivery.ended_at) {
        let text = if delivery.state == DeliveryState::Success {
            format!(
                "{} after it was accepted",
                format::duration_ms(delivery.latency_ms.unwrap_or(0).max(0) as u64)
            )
        } else {
            delivery.description.clone().unwrap_or_default()
        };
        let title = format!("Ended: {}", look.word.to_lowercase());
        steps.push(Step {
            at: Stamp::step(ended),
            state: look.state.to_owned(),
            icon: "open".to_owned(),
            title,
            text,
            ..Step::default()
        });
    } else if let (DeliveryState::Retry, Some(due)) = (delivery.state, delivery.due_at) {
        let title = format!("Next attempt {}", format::relative(due.max(now), now));
        steps.push(Step {
            at: Stamp::step(due),
            state: look.state.to_owned(),
            icon: "clock".to_owned(),
            title,
            ..Step::default()
        });
    }
    steps
}

fn attempt_step(attempt: &Attempt, current: bool) -> Step {
    let good = succeeded(attempt);
    let state = if good { "success" } else { "failure" };
    Step {
        at: Stamp::step(attempt.requested_at),
        state: state.to_owned(),
        icon: state.to_owned(),
        title: format!("Attempt {}", attempt.number),
        note: words::code(attempt),
        meta: words::took(attempt),
        text: attempt.error.clone().unwrap_or_else(|| words::status(attempt)),
        href: format!("?attempt={}", attempt.number),
        current,
    }
}

fn succeeded(attempt: &Attempt) -> bool {
    attempt.error.is_none() && attempt.http_status.is_some_and(|code| (200..300).contains(&code))
}

fn attempt(list: &[Attempt], i: usize, sent: &Payload, now: DateTime<Utc>) -> AttemptDto {
    let attempt = &list[i];
    let request_headers = words::line_headers(&attempt.request_headers);
    let (scheme, signature) = signature(&request_headers);
    let link = |other: Option<&Attempt>| other.map_or_else(String::new, |a| format!("?attempt={}", a.number));
    let answer = attempt
        .response_body
        .as_deref()
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    AttemptDto {
        number: attempt.number.max(0) as u32,
        succeeded: succeeded(attempt),
        code: words::code(attempt),
        took: words::took(attempt),
        ip: attempt.address.clone().unwrap_or_default(),
        method: "POST".to_owned(),
        url: attempt.url.clone(),
        request: sent.clone(),
        status: words::status(attempt),
        response_headers: words::line_headers(attempt.response_headers.as_deref().unwrap_or_default()),
        response: words::payload(&answer),
        error: attempt.error.clone().unwrap_or_default(),
        scheme,
        signature,
        at: Stamp::ago(attempt.requested_at, now),
        older: link(i.checked_sub(1).and_then(|i| list.get(i))),
        newer: link(list.get(i + 1)),
        request_headers,
    }
}

/// The headers that carry the signature, and the scheme they show.
fn signature(headers: &[(String, String)]) -> (String, Vec<(String, String)>) {
    let standard: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.to_ascii_lowercase().starts_with("webhook-"))
        .cloned()
        .collect();
    if !standard.is_empty() {
        return ("Standard Webhooks".to_owned(), standard);
    }
    let found: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.to_ascii_lowercase().contains("signature"))
        .cloned()
        .collect();
    let scheme = match found.first() {
        Some((_, value)) if value.starts_with("t=") => "Convoy, advanced",
        Some(_) => "Convoy, simple",
        None => "",
    };
    (scheme.to_owned(), found)
}
