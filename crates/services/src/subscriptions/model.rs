//! What a subscription is, and what callers say about one.

use chrono::{DateTime, Utc};
use domain::filter::FilterSpec;
use domain::id::{EndpointId, ProjectId, SourceId, SubscriptionId};
use domain::project::RateLimitConfig;
use domain::retry::RetryPolicy;
use domain::state::EndpointState;
use serde::{Deserialize, Serialize};

use crate::filters::Filter;
use crate::page::PageRequest;
use crate::patch::Patch;

/// How hard a delivery is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// Again until it succeeds or its attempts are used up.
    #[default]
    AtLeastOnce,
    /// Once.
    AtMostOnce,
}

impl DeliveryMode {
    /// The name in storage and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at_least_once",
            Self::AtMostOnce => "at_most_once",
        }
    }

    /// The mode called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "at_least_once" => Some(Self::AtLeastOnce),
            "at_most_once" => Some(Self::AtMostOnce),
            _ => None,
        }
    }
}

/// When to tell people of failures. Stored; without effect until alerts are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertConfig {
    /// So many failures.
    pub count: u32,
    /// Within this time: `1h`.
    pub threshold: String,
}

/// The endpoint of a subscription, as lists show it.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointBrief {
    /// Its id.
    pub id: EndpointId,
    /// What people call it.
    pub name: String,
    /// Where deliveries are sent.
    pub url: String,
    /// The customer behind it.
    pub owner_id: Option<String>,
    /// Whether it takes deliveries.
    pub state: EndpointState,
}

/// A subscription.
#[derive(Clone, Debug, Serialize)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Its project.
    pub project_id: ProjectId,
    /// What people call it.
    pub name: String,
    /// Where its events go.
    pub endpoint: EndpointBrief,
    /// The source that its events must come from.
    pub source_id: Option<SourceId>,
    /// Whether it takes anything.
    pub enabled: bool,
    /// How hard a delivery is tried.
    pub delivery_mode: DeliveryMode,
    /// What it takes, by name; disabled filters included. `*` = every type.
    pub event_types: Vec<String>,
    /// The conditions that all filters share; empty when they differ, then see `filters`.
    pub filter: FilterSpec,
    /// One per event type.
    pub filters: Vec<Filter>,
    /// Its own retry strategy; `None` = the project's.
    pub retry: Option<RetryPolicy>,
    /// Its own rate limit; `None` = the endpoint's.
    pub rate_limit: Option<RateLimitConfig>,
    /// When to tell people of failures.
    pub alert: Option<AlertConfig>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a subscription takes: `filter_config` on the wire.
#[derive(Clone, Debug, Default)]
pub struct FilterConfig {
    /// Names of event types; empty = every type.
    pub event_types: Vec<String>,
    /// Conditions, the same for each of them.
    pub filter: FilterSpec,
}

/// A retry strategy as callers write it: `retry_config` on the wire.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RetryInput {
    /// `linear`, `exponential` or `list`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The wait as text, `10s`.
    pub duration: Option<String>,
    /// The wait in seconds; stronger than `duration`.
    pub interval_seconds: Option<u32>,
    /// Attempts in all.
    pub retry_count: Option<u32>,
    /// Seconds before each further attempt, of the type `list`.
    pub intervals: Option<Vec<u32>>,
}

/// A subscription to make.
#[derive(Clone, Debug, Default)]
pub struct NewSubscription {
    /// What people call it.
    pub name: String,
    /// The endpoint's id. Text, so that what is no id is refused by name.
    pub endpoint_id: String,
    /// The source's id; required in an incoming project.
    pub source_id: Option<String>,
    /// What it takes; every type without conditions when left out.
    pub filter_config: Option<FilterConfig>,
    /// `at_least_once` (default) or `at_most_once`.
    pub delivery_mode: Option<String>,
    /// Its own retry strategy.
    pub retry_config: Option<RetryInput>,
    /// Its own rate limit.
    pub rate_limit_config: Option<RateLimitConfig>,
    /// When to tell people of failures.
    pub alert_config: Option<AlertConfig>,
    /// Refused unless empty: not supported.
    pub function: Option<String>,
}

/// A change of a subscription; `None` and `Absent` leave as is.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionUpdate {
    /// What people call it.
    pub name: Option<String>,
    /// The endpoint's id.
    pub endpoint_id: Option<String>,
    /// The source's id.
    pub source_id: Patch<String>,
    /// Replaces event types and conditions together. Filters of types that stay keep their ids.
    pub filter_config: Option<FilterConfig>,
    /// `at_least_once` or `at_most_once`.
    pub delivery_mode: Option<String>,
    /// Its own retry strategy.
    pub retry_config: Patch<RetryInput>,
    /// Its own rate limit.
    pub rate_limit_config: Patch<RateLimitConfig>,
    /// When to tell people of failures.
    pub alert_config: Patch<AlertConfig>,
    /// Refused unless empty: not supported.
    pub function: Option<String>,
}

/// Which subscriptions to list; empty and `None` do not narrow.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionQuery {
    /// To one of these endpoints.
    pub endpoints: Vec<EndpointId>,
    /// Part of the name, in any case of letters.
    pub name: Option<String>,
    /// Which page.
    pub page: PageRequest,
}
