//! How deliveries look on the wire.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::retry::RetryPolicy;
use domain::state::DeliveryState;
use serde::Serialize;
use serde_json::value::RawValue;
use services::catalog;
use services::deliveries::Delivery;
use services::events::Event;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Nothing;
use crate::wire::endpoint::EndpointBriefResponse;
use crate::wire::event::{headers, payload};

/// What became of an event at one endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventDeliveryResponse {
    uid: Uuid,
    project_id: Uuid,
    event_id: Uuid,
    endpoint_id: Uuid,
    /// Always empty: there are no devices.
    #[schema(value_type = String)]
    device_id: &'static str,
    /// Why it goes there; empty when no subscription asked for it.
    subscription_id: String,
    /// Custom headers of the event; empty in lists.
    headers: BTreeMap<String, Vec<String>>,
    target_url: String,
    /// Always empty in this version.
    #[schema(value_type = String)]
    url_query_params: &'static str,
    /// The caller's key; empty in lists.
    idempotency_key: String,
    /// From accepted to delivered: `1s250ms`; empty until then.
    latency: String,
    /// The same in seconds; 0 until then.
    latency_seconds: f64,
    event_type: String,
    /// `at_least_once` or `at_most_once`.
    #[schema(value_type = String, example = "at_least_once")]
    delivery_mode: &'static str,
    endpoint_metadata: EndpointBriefResponse,
    event_metadata: EventBriefResponse,
    /// Always null in this version.
    #[schema(value_type = Option<Object>)]
    source_metadata: Option<Nothing>,
    /// Always null: there are no devices.
    #[schema(value_type = Option<Object>)]
    device_metadata: Option<Nothing>,
    /// `Scheduled`, `Processing`, `Retry`, `Success`, `Failure` or `Discarded`.
    #[schema(value_type = String, example = "Success")]
    status: DeliveryState,
    metadata: DeliveryMetadataResponse,
    /// Always null: there is no such client.
    #[schema(value_type = Option<Object>)]
    cli_metadata: Option<Nothing>,
    /// Why it stands where it stands.
    description: String,
    acknowledged_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    /// When it ended; when it was made until then.
    updated_at: DateTime<Utc>,
    /// Always null: deleted deliveries are not shown.
    deleted_at: Option<DateTime<Utc>>,
}

/// An event in a few words.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventBriefResponse {
    uid: Uuid,
    event_type: String,
}

/// What is sent, and when.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryMetadataResponse {
    /// The payload; null in lists and when the event is gone.
    #[schema(value_type = Option<Value>)]
    data: Option<Box<RawValue>>,
    /// The payload as text; empty when `data` is null.
    raw: String,
    /// `linear`, `exponential` or `list`.
    #[schema(value_type = String, example = "linear")]
    strategy: &'static str,
    /// The next attempt; null when none will be made.
    next_send_time: Option<DateTime<Utc>>,
    /// Attempts made.
    num_trials: u32,
    /// Seconds before the second attempt.
    interval_seconds: u32,
    /// Attempts in all.
    retry_limit: u32,
    /// Longest wait of the exponential strategy in seconds.
    max_retry_seconds: u32,
}

impl EventDeliveryResponse {
    /// The delivery of a project, with its event where that was read as well.
    pub fn new(
        delivery: Delivery,
        event: Option<Event>,
        project: Option<&catalog::Project>,
        longest: u32,
    ) -> Self {
        let endpoint = EndpointBriefResponse::of(delivery.endpoint_id, project);
        let subscription = project
            .and_then(|project| {
                project
                    .subscriptions
                    .iter()
                    .find(|one| Some(one.id) == delivery.subscription_id)
            })
            .map(AsRef::as_ref);
        let (headers, key, text) = event.map_or_else(Default::default, |event| {
            (
                headers(event.headers.as_deref()),
                event.idempotency_key.unwrap_or_default(),
                event.payload,
            )
        });
        let latency = delivery
            .latency_ms
            .and_then(|ms| u64::try_from(ms).ok())
            .map(Duration::from_millis);
        let metadata =
            DeliveryMetadataResponse::new(&delivery, text, policy(&delivery, subscription, project), longest);
        Self {
            uid: delivery.id.0,
            project_id: delivery.project_id.0,
            event_id: delivery.event_id.0,
            endpoint_id: delivery.endpoint_id.0,
            device_id: "",
            subscription_id: delivery
                .subscription_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
            headers,
            target_url: endpoint.url().to_owned(),
            url_query_params: "",
            idempotency_key: key,
            latency: latency.map(domain::duration::format).unwrap_or_default(),
            latency_seconds: latency.unwrap_or_default().as_secs_f64(),
            event_metadata: EventBriefResponse {
                uid: delivery.event_id.0,
                event_type: delivery.event_type.clone(),
            },
            event_type: delivery.event_type,
            delivery_mode: if subscription.is_some_and(|s| s.at_most_once) {
                "at_most_once"
            } else {
                "at_least_once"
            },
            endpoint_metadata: endpoint,
            source_metadata: None,
            device_metadata: None,
            status: delivery.state,
            metadata,
            cli_metadata: None,
            description: delivery.description.unwrap_or_default(),
            acknowledged_at: delivery.accepted_at,
            created_at: delivery.accepted_at,
            updated_at: delivery.ended_at.unwrap_or(delivery.accepted_at),
            deleted_at: None,
        }
    }
}

/// The retry policy that the delivery has now: frozen with its first failure, today's until then.
fn policy(
    delivery: &Delivery,
    subscription: Option<&catalog::Subscription>,
    project: Option<&catalog::Project>,
) -> RetryPolicy {
    let frozen = delivery
        .retry
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    let today = || {
        subscription
            .and_then(|one| one.retry.clone())
            .or_else(|| project.map(|one| one.retry.clone()))
    };
    frozen.or_else(today).unwrap_or_default()
}

impl DeliveryMetadataResponse {
    fn new(delivery: &Delivery, text: String, policy: RetryPolicy, longest: u32) -> Self {
        let retry_limit = policy.limit();
        let (strategy, interval_seconds, max_retry_seconds) = match policy {
            RetryPolicy::Linear { interval_seconds, .. } => ("linear", interval_seconds, longest),
            RetryPolicy::Exponential {
                base_seconds,
                max_seconds,
                ..
            } => ("exponential", base_seconds, max_seconds),
            RetryPolicy::List { seconds } => ("list", seconds.first().copied().unwrap_or(0), longest),
        };
        let waits = matches!(delivery.state, DeliveryState::Scheduled | DeliveryState::Retry);
        Self {
            data: payload(text.clone()),
            raw: text,
            strategy,
            next_send_time: delivery.due_at.filter(|_| waits),
            num_trials: u32::try_from(delivery.attempts).unwrap_or(0),
            interval_seconds,
            retry_limit,
            max_retry_seconds,
        }
    }
}
