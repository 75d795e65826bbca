//! What a filter is, and what callers say about one.

use chrono::{DateTime, Utc};
use db::entities::filter;
use domain::filter::FilterSpec;
use domain::id::{FilterId, SubscriptionId};
use serde::Serialize;
use serde_json::Value;

use crate::patch::Patch;

/// A filter.
#[derive(Clone, Debug, Serialize)]
pub struct Filter {
    /// Its id.
    pub id: FilterId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
    /// The event type that it is for; `*` = every type without a filter of its own.
    pub event_type: String,
    /// Its conditions as they were written; a scope without conditions is `None`.
    pub spec: FilterSpec,
    /// Since when it takes events; `None` = disabled.
    pub enabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<filter::Model> for Filter {
    fn from(row: filter::Model) -> Self {
        Self {
            id: FilterId(row.id),
            subscription_id: SubscriptionId(row.subscription_id),
            event_type: row.event_type,
            spec: FilterSpec {
                headers: row.headers,
                body: row.body,
                query: row.query,
                path: row.path,
            },
            enabled_at: row.enabled_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A filter to make.
#[derive(Clone, Debug, Default)]
pub struct NewFilter {
    /// The event type that it is for; must exist.
    pub event_type: String,
    /// Its conditions.
    pub spec: FilterSpec,
    /// Left out = now, null = disabled.
    pub enabled_at: Patch<DateTime<Utc>>,
}

/// A change of a filter; `None` and `Absent` leave as is, `Null` removes a scope's conditions.
#[derive(Clone, Debug, Default)]
pub struct FilterUpdate {
    /// The event type that it is for; must exist.
    pub event_type: Option<String>,
    /// Conditions on headers.
    pub headers: Patch<Value>,
    /// Conditions on the payload.
    pub body: Patch<Value>,
    /// Conditions on query parameters.
    pub query: Patch<Value>,
    /// Conditions on the path.
    pub path: Patch<Value>,
    /// Null disables.
    pub enabled_at: Patch<DateTime<Utc>>,
}
