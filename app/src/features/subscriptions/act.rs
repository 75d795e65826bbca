//! What the forms about subscriptions do.

use domain::{filter::FilterSpec, id::SubscriptionId};
use serde_json::Value;
use services::{
    filters,
    subscriptions::{self, FilterConfig, NewSubscription, SubscriptionUpdate},
};

use super::{
    dto::{SubscriptionForm, TestOutcome},
    present::{get, tested_key},
};
use crate::{
    context::{InProject, in_project, keep_for_next_page},
    error::{Code, Reason, UiError},
};

/// Fields of the use cases, as the form calls them.
const NAMES: &[(&str, &str)] = &[
    ("name", "name"),
    ("endpoint_id", "endpoint_id"),
    ("filter_config.event_types", "event_types"),
    ("filter_config.filter.body", "body"),
    ("filter_config.filter.headers", "headers"),
    ("filter_config.filter.query", "query"),
    ("filter_config.filter.path", "path"),
    ("schema.body", "body"),
    ("schema.headers", "headers"),
    ("schema.query", "query"),
    ("schema.path", "path"),
];

/// Creates or saves a subscription, or only tries its filter.
///
/// # Errors
/// Names the refused fields.
pub async fn save(
    project: String,
    subscription: String,
    mode: String,
    form: SubscriptionForm,
) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    if mode == "test" {
        return test(&at, &subscription, form).await;
    }
    let config = FilterConfig {
        event_types: event_types(&form.event_types),
        filter: conditions(&form)?,
    };
    let (services, actor) = (&at.by.services, &at.by.actor);
    if subscription.is_empty() {
        let new = NewSubscription {
            name: form.name,
            endpoint_id: form.endpoint_id,
            filter_config: Some(config),
            ..NewSubscription::default()
        };
        let made = subscriptions::create(services, actor, at.id, new)
            .await
            .map_err(named)?;
        return Ok(saved(&at, made.id, "subscription_created"));
    }
    let known = get(&at, &subscription).await?;
    let update = SubscriptionUpdate {
        name: Some(form.name),
        endpoint_id: Some(form.endpoint_id),
        filter_config: Some(config),
        ..SubscriptionUpdate::default()
    };
    subscriptions::update(services, actor, at.id, known.id, update)
        .await
        .map_err(named)?;
    Ok(saved(&at, known.id, "subscription"))
}

fn named(error: services::Error) -> UiError {
    UiError::from(error).with_names(NAMES)
}

fn saved(at: &InProject, id: SubscriptionId, code: &str) -> String {
    format!("{}?saved={code}", at.project.at(&format!("subscriptions/{id}")))
}

/// Tries the filter on the sample; the next page shows the form as it was, with the outcome.
async fn test(at: &InProject, subscription: &str, form: SubscriptionForm) -> Result<String, UiError> {
    let schema = conditions(&form)?;
    let sample = FilterSpec {
        body: json(&form.sample_body, "sample_body")?,
        headers: json(&form.sample_headers, "sample_headers")?,
        ..FilterSpec::default()
    };
    let mut scopes = Vec::new();
    let mut matched = true;
    for (scope, one) in parts(&schema) {
        let passes = filters::test_schema(&at.by.services, &at.by.actor, at.id, &sample, &one)
            .await
            .map_err(named)?;
        matched &= passes;
        scopes.push((
            scope.to_owned(),
            if passes { "passes" } else { "does not pass" }.to_owned(),
        ));
    }
    if scopes.is_empty() {
        scopes.push((
            "No filter".to_owned(),
            "every event of the types passes".to_owned(),
        ));
    }
    let outcome = TestOutcome { matched, scopes };
    keep_for_next_page(&tested_key(subscription), &(form, outcome)).await?;
    let page = if subscription.is_empty() {
        "new"
    } else {
        subscription
    };
    Ok(at.project.at(&format!("subscriptions/{page}?tested=1")))
}

/// The scopes that have conditions, each as a filter of its own.
fn parts(schema: &FilterSpec) -> Vec<(&'static str, FilterSpec)> {
    let one = FilterSpec::default();
    let FilterSpec {
        headers,
        body,
        query,
        path,
    } = schema.clone();
    let mut parts = Vec::new();
    if body.is_some() {
        parts.push(("Body", FilterSpec { body, ..one.clone() }));
    }
    if headers.is_some() {
        parts.push((
            "Headers",
            FilterSpec {
                headers,
                ..one.clone()
            },
        ));
    }
    if query.is_some() {
        parts.push(("Query", FilterSpec { query, ..one.clone() }));
    }
    if path.is_some() {
        parts.push(("Path", FilterSpec { path, ..one }));
    }
    parts
}

fn event_types(text: &str) -> Vec<String> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|t| !t.is_empty())
        .map(str::to_owned)
        .collect()
}

fn conditions(form: &SubscriptionForm) -> Result<FilterSpec, UiError> {
    let mut wrong = UiError::new(Code::Invalid);
    let mut read = |text: &str, name: &str| {
        json(text, name).unwrap_or_else(|error| {
            wrong.fields.extend(error.fields);
            None
        })
    };
    let spec = FilterSpec {
        body: read(&form.body, "body"),
        headers: read(&form.headers, "headers"),
        query: read(&form.query, "query"),
        path: read(&form.path, "path"),
    };
    if wrong.fields.is_empty() {
        Ok(spec)
    } else {
        Err(wrong)
    }
}

/// A JSON object, or nothing for an empty text.
fn json(text: &str, name: &str) -> Result<Option<Value>, UiError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value.as_object().is_some_and(serde_json::Map::is_empty) => Ok(None),
        Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(Some(value)),
        Ok(_) => Err(UiError::field(name, Reason::NotJson)),
        Err(error) => {
            let detail = format!("No JSON: line {}, column {}", error.line(), error.column());
            Err(UiError::new(Code::Invalid).and(name, Reason::NotJson, &detail))
        }
    }
}

/// Switches a subscription on or off.
///
/// # Errors
/// When the viewer may not.
pub async fn set_enabled(project: String, subscription: String, enabled: bool) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let known = get(&at, &subscription).await?;
    // The use case turns the state round, so a second click must not undo the first.
    if known.enabled != enabled {
        subscriptions::toggle(&at.by.services, &at.by.actor, at.id, known.id).await?;
    }
    Ok(saved(
        &at,
        known.id,
        if enabled {
            "subscription_enabled"
        } else {
            "subscription_disabled"
        },
    ))
}

/// Deletes a subscription whose name was typed.
///
/// # Errors
/// When the typed name differs or the viewer may not.
pub async fn delete(project: String, subscription: String, confirm: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let known = get(&at, &subscription).await?;
    if confirm.trim() != known.name {
        return Err(UiError::new(Code::NotConfirmed));
    }
    subscriptions::delete(&at.by.services, &at.by.actor, at.id, known.id).await?;
    Ok(format!(
        "{}?saved=subscription_deleted",
        at.project.at("subscriptions")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_are_split_at_lines_and_commas() {
        assert_eq!(
            event_types(" order.paid,\n order.created \n\n"),
            ["order.paid", "order.created"]
        );
    }

    #[test]
    fn every_filter_that_is_no_json_is_named() {
        let form = SubscriptionForm {
            body: "{".to_owned(),
            path: "7".to_owned(),
            ..SubscriptionForm::default()
        };
        let error = conditions(&form).expect_err("two wrong fields");
        assert!(error.of("body").is_some() && error.of("path").is_some() && error.of("query").is_none());
        assert_eq!(json("{}", "body"), Ok(None));
    }
}
