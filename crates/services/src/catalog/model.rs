//! Projects, endpoints and subscriptions compiled for the delivery path: nothing is parsed, keyed
//! or decrypted per event.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::event::Target;
use domain::filter::{Filter, FilterInput};
use domain::id::{ApiKeyId, EndpointId, OrganisationId, ProjectId, SubscriptionId};
use domain::lifecycle::KeepDays;
use domain::project::{ProjectConfig, RateLimitConfig};
use domain::retry::RetryPolicy;
use domain::role::Role;
use domain::signature::Signer;
use domain::state::EndpointState;
use http::{HeaderName, HeaderValue, Uri};
use serde_json::Value;

/// A project and everything that its events may need.
#[derive(Debug)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its organisation.
    pub organisation_id: OrganisationId,
    /// Its name.
    pub name: String,
    /// Its settings.
    pub config: ProjectConfig,
    /// Keep class of new rows.
    pub keep_days: KeepDays,
    /// Grows with every change.
    pub version: i64,
    /// Retry policy of deliveries whose subscription has none.
    pub retry: RetryPolicy,
    /// Header that carries the idempotency key to receivers.
    pub request_id_header: HeaderName,
    /// Live endpoints.
    pub endpoints: HashMap<EndpointId, Arc<Endpoint>>,
    /// Live subscriptions, oldest first.
    pub subscriptions: Vec<Arc<Subscription>>,
}

/// Where deliveries go.
#[derive(Debug)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Its name.
    pub name: String,
    /// Where it is, as written.
    pub url: String,
    /// Where it is; `None` when the stored address cannot be read.
    pub uri: Option<Uri>,
    /// Whose it is.
    pub owner_id: Option<String>,
    /// Whether it takes deliveries.
    pub state: EndpointState,
    /// How bodies are written.
    pub body: BodyForm,
    /// Limit of one attempt.
    pub timeout: Duration,
    /// Deliveries per window; a count of 0 means no limit.
    pub rate_limit: RateLimitConfig,
    /// Signs its deliveries; `None` when no secret can be read, which fails attempts visibly.
    pub signer: Option<Signer>,
    /// Header that proves the gateway to the endpoint.
    pub authentication: Option<(HeaderName, HeaderValue)>,
}

/// How bodies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// The JSON bytes as received.
    Json,
    /// Top-level keys as form fields.
    Form,
}

/// What an endpoint takes.
#[derive(Debug)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Where it sends.
    pub endpoint_id: EndpointId,
    /// Whether it takes part.
    pub enabled: bool,
    /// A failed attempt with an answer is not repeated.
    pub at_most_once: bool,
    /// Retry policy of its deliveries; `None` = the project's.
    pub retry: Option<RetryPolicy>,
    /// Its own rate limit, beside the endpoint's.
    pub rate_limit: Option<RateLimitConfig>,
    /// Filter of each event type it takes; `*` stands for types without one of their own.
    pub filters: HashMap<String, Filter>,
}

impl Subscription {
    /// Whether it takes an event of this type. `input` is asked for only when a filter has
    /// conditions, because it costs parsing the payload.
    pub fn takes<'a>(&self, event_type: &str, input: impl FnOnce() -> FilterInput<'a>) -> bool {
        if !self.enabled {
            return false;
        }
        match self.filters.get(event_type).or_else(|| self.filters.get("*")) {
            None => false,
            Some(filter) => filter.is_empty() || filter.matches(&input()),
        }
    }
}

/// Parts of an event that filters look at, parsed when the first filter asks.
#[derive(Debug)]
pub struct Sample<'a> {
    payload: &'a str,
    headers: Value,
    body: std::cell::OnceCell<Value>,
}

impl<'a> Sample<'a> {
    /// The parts of an event with this payload and these custom headers.
    pub fn new(payload: &'a str, headers: &[(String, String)]) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        Self {
            payload,
            headers,
            body: std::cell::OnceCell::new(),
        }
    }

    fn input(&self) -> FilterInput<'_> {
        static NOTHING: Value = Value::Null;
        let body = self
            .body
            .get_or_init(|| serde_json::from_str(self.payload).unwrap_or(Value::Null));
        FilterInput {
            headers: &self.headers,
            body,
            query: &NOTHING,
            path: &NOTHING,
        }
    }
}

impl Project {
    /// Every live subscription, with its endpoint, that takes the event.
    pub fn matching(
        &self,
        target: &Target,
        event_type: &str,
        sample: &Sample<'_>,
    ) -> Vec<(Arc<Endpoint>, Arc<Subscription>)> {
        self.subscriptions
            .iter()
            .filter_map(|subscription| {
                let endpoint = self.endpoints.get(&subscription.endpoint_id)?;
                let asked_for = match target {
                    Target::Endpoint(id) => endpoint.id == *id,
                    Target::Owner(owner) => endpoint.owner_id.as_deref() == Some(owner),
                    Target::Broadcast => true,
                };
                (asked_for && subscription.takes(event_type, || sample.input()))
                    .then(|| (Arc::clone(endpoint), Arc::clone(subscription)))
            })
            .collect()
    }
}

/// An API key.
#[derive(Debug)]
pub struct Key {
    /// Its id.
    pub id: ApiKeyId,
    /// Its project.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// SHA-256 of the secret part.
    pub hash: Vec<u8>,
    /// What it may do.
    pub role: Role,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
}
