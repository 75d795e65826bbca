//! Checking what callers say about filters, and turning it into rows.

use chrono::{DateTime, Utc};
use db::entities::filter;
use domain::filter::{Filter as Conditions, FilterInput, FilterSpec, Scope};
use domain::id::{FilterId, ProjectId, SubscriptionId};
use serde_json::Value;

use super::{EVERY, FilterUpdate, MAX_FILTERS, NewFilter};
use crate::event_types::check_name;
use crate::fields::{Fields, MAX_NAME};
use crate::subscriptions::FilterConfig;

/// Checks what a subscription is to take: names and conditions.
pub(crate) fn of_config(fields: &mut Fields, config: FilterConfig) -> (Vec<String>, FilterSpec) {
    let mut names: Vec<String> = Vec::with_capacity(config.event_types.len());
    for (index, name) in config.event_types.iter().enumerate() {
        let name = check_name(fields, &format!("filter_config.event_types[{index}]"), name);
        if !names.contains(&name) {
            names.push(name);
        }
        if names.len() > MAX_FILTERS {
            fields.refuse(
                "filter_config.event_types",
                format!("must be at most {MAX_FILTERS}"),
            );
            break;
        }
    }
    if names.is_empty() {
        names.push(EVERY.to_owned());
    }
    compile(fields, "filter_config.filter.", &config.filter);
    (names, normalised(config.filter))
}

pub(super) fn new_row(
    project: ProjectId,
    subscription: SubscriptionId,
    event_type: String,
    spec: FilterSpec,
    enabled_at: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
) -> filter::Model {
    let FilterSpec {
        headers,
        body,
        query,
        path,
    } = normalised(spec);
    filter::Model {
        id: FilterId::at(at).0,
        project_id: project.0,
        subscription_id: subscription.0,
        event_type,
        headers,
        body,
        query,
        path,
        enabled_at,
        created_at: at,
        updated_at: at,
    }
}

pub(super) fn updated_row(
    fields: &mut Fields,
    row: filter::Model,
    update: FilterUpdate,
    at: DateTime<Utc>,
) -> filter::Model {
    let event_type = match update.event_type {
        Some(name) => check_name(fields, "event_type", &name),
        None => row.event_type,
    };
    let spec = FilterSpec {
        headers: update.headers.over(row.headers),
        body: update.body.over(row.body),
        query: update.query.over(row.query),
        path: update.path.over(row.path),
    };
    compile(fields, "", &spec);
    let FilterSpec {
        headers,
        body,
        query,
        path,
    } = normalised(spec);
    let enabled_at = update.enabled_at.over(row.enabled_at);
    filter::Model {
        event_type,
        headers,
        body,
        query,
        path,
        enabled_at,
        updated_at: at,
        ..row
    }
}

pub(super) fn check_new(fields: &mut Fields, new: &NewFilter) -> String {
    compile(fields, "", &new.spec);
    check_name(fields, "event_type", &new.event_type)
}

/// The conditions, compiled; refused under `{prefix}{scope}.{path}` when they cannot be.
pub(super) fn compile(fields: &mut Fields, prefix: &str, spec: &FilterSpec) -> Conditions {
    for scope in Scope::ALL {
        if let Some(value) = spec.scope(scope) {
            fields.json(&format!("{prefix}{scope}"), value);
        }
    }
    Conditions::compile(spec).unwrap_or_else(|error| {
        let path: String = error.path.chars().take(MAX_NAME).collect();
        let dot = if path.is_empty() { "" } else { "." };
        fields.refuse(
            &format!("{prefix}{}{dot}{path}", error.scope),
            error.code.to_string(),
        );
        Conditions::default()
    })
}

/// A scope without conditions is stored as none.
pub(super) fn normalised(spec: FilterSpec) -> FilterSpec {
    let some = |scope: Option<Value>| {
        scope.filter(|value| !value.is_null() && value.as_object().is_none_or(|entries| !entries.is_empty()))
    };
    FilterSpec {
        headers: some(spec.headers),
        body: some(spec.body),
        query: some(spec.query),
        path: some(spec.path),
    }
}

pub(super) fn input(request: &FilterSpec) -> FilterInput<'_> {
    FilterInput {
        headers: request.headers.as_ref().unwrap_or(&Value::Null),
        body: request.body.as_ref().unwrap_or(&Value::Null),
        query: request.query.as_ref().unwrap_or(&Value::Null),
        path: request.path.as_ref().unwrap_or(&Value::Null),
    }
}
