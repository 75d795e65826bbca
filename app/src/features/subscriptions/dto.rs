//! What the pages about subscriptions show and send.

use serde::{Deserialize, Serialize};

use crate::{
    features::common::{NamedRef, ProjectRef},
    format::Stamp,
};

/// One subscription in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionRow {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Whether it takes anything.
    pub enabled: bool,
    /// The endpoint.
    pub endpoint: NamedRef,
    /// Event types: `order.created, order.paid`, or `every type`.
    pub event_types: String,
    /// What is filtered: `body, headers`; empty for nothing.
    pub filter: String,
    /// When it was last changed.
    pub updated: Stamp,
}

/// What the list of subscriptions shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionsDto {
    /// The project.
    pub project: ProjectRef,
    /// The subscriptions, by name.
    pub rows: Vec<SubscriptionRow>,
}

/// What the form of a subscription shows and sends. Filters are JSON texts until the server has read them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscriptionForm {
    /// Name.
    pub name: String,
    /// Id of the endpoint.
    pub endpoint_id: String,
    /// Event types, separated by commas or lines; empty or `*` for all.
    pub event_types: String,
    /// Filter over the body.
    pub body: String,
    /// Filter over the headers.
    pub headers: String,
    /// Filter over the query.
    pub query: String,
    /// Filter over the path.
    pub path: String,
    /// Sample body for the tester.
    pub sample_body: String,
    /// Sample headers for the tester.
    pub sample_headers: String,
}

/// What the tester found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestOutcome {
    /// Whether the sample passes.
    pub matched: bool,
    /// Each scope with its verdict: `body`, `passes`.
    pub scopes: Vec<(String, String)>,
}

/// What the page of one subscription shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionDto {
    /// The project.
    pub project: ProjectRef,
    /// Id; empty for a new one.
    pub id: String,
    /// Name in store; empty for a new one.
    pub name: String,
    /// Whether it takes anything.
    pub enabled: bool,
    /// Whether its event types have different filters, which this form would make one.
    pub mixed: bool,
    /// Its values, or those that were just tested.
    pub form: SubscriptionForm,
    /// Endpoints to choose from.
    pub endpoints: Vec<NamedRef>,
    /// What the tester found; `None` before it ran.
    pub outcome: Option<TestOutcome>,
}
