//! What the forms of the settings pages do.

use chrono::Days;
use domain::{id::ApiKeyId, role::Role};
use serde_json::{Map, Value, json};
use services::{
    api_keys::{self, NewApiKey},
    projects::{self, ProjectUpdate},
};

use super::{
    dto::{GeneralForm, KeyForm, SignatureForm, VersionForm},
    present::{FRESH_KEY, summary, version},
};
use crate::{
    context::{InProject, in_project, keep_for_next_page, parse_id},
    error::{Code, Reason, UiError},
};

/// Fields of the use cases, as the forms call them.
const NAMES: &[(&str, &str)] = &[
    ("name", "name"),
    ("config.strategy.type", "strategy"),
    ("config.strategy.duration", "duration"),
    ("config.strategy.retry_count", "retry_count"),
    ("config.strategy.intervals", "intervals"),
    ("config.strategy", "strategy"),
    ("config.max_payload_read_size", "max_payload"),
    ("config.ratelimit.count", "rate_limit"),
    ("config.ratelimit.duration", "rate_limit_duration"),
    ("config.signature.header", "header"),
    ("config.signature.versions", "hash"),
    ("config.request_id_header", "request_id_header"),
];

/// Saves the general settings that nobody has changed since the form was made.
///
/// # Errors
/// Names the refused fields, or a conflict.
pub async fn save_general(project: String, seen: i64, form: GeneralForm) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let config = general_config(&form)?;
    update(&at, Some(seen), Some(form.name), config).await?;
    Ok(saved(&at, "general", "settings"))
}

fn general_config(form: &GeneralForm) -> Result<Value, UiError> {
    let mut wrong = UiError::new(Code::Invalid);
    let mut number = |name: &str, text: &str| -> u32 {
        text.trim().parse().unwrap_or_else(|_| {
            wrong = wrong.clone().and(name, Reason::NotNumber, "");
            0
        })
    };
    let mut strategy = json!({
        "type": form.strategy,
        "duration": number("duration", &form.duration),
        "retry_count": number("retry_count", &form.retry_count),
    });
    if form.strategy == "list" {
        let waits = form.intervals.split(',').map(str::trim).filter(|t| !t.is_empty());
        strategy["intervals"] = waits.map(|text| json!(number("intervals", text))).collect();
    }
    let config = json!({
        "strategy": strategy,
        "max_payload_read_size": number("max_payload", &form.max_payload),
        "ratelimit": {
            "count": number("rate_limit", &form.rate_limit),
            "duration": number("rate_limit_duration", &form.rate_limit_duration),
        },
        "ssl": { "enforce_secure_endpoints": form.enforce_https },
        "disable_endpoint": form.disable_endpoint,
        "multiple_endpoint_subscriptions": form.multiple_subscriptions,
        "add_event_id_trace_headers": form.id_headers,
    });
    if wrong.fields.is_empty() {
        Ok(config)
    } else {
        Err(wrong)
    }
}

/// Saves the names of the headers.
///
/// # Errors
/// Names the refused fields, or a conflict.
pub async fn save_signature(project: String, seen: i64, form: SignatureForm) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let config =
        json!({ "signature": { "header": form.header }, "request_id_header": form.request_id_header });
    update(&at, Some(seen), None, config).await?;
    Ok(saved(&at, "signature", "signature"))
}

/// Adds a version of the signature behind those that exist.
///
/// # Errors
/// Names the refused fields.
pub async fn add_version(project: String, form: VersionForm) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let known = summary(&at).await?.project;
    let mut versions =
        serde_json::to_value(&known.config.signature.versions).map_err(|_| UiError::new(Code::Internal))?;
    if let Value::Array(list) = &mut versions {
        list.push(json!({ "hash": form.hash, "encoding": form.encoding }));
    }
    update(&at, None, None, json!({ "signature": { "versions": versions } })).await?;
    Ok(saved(&at, "signature", "version"))
}

/// Changes settings; with `seen`, only when nobody has changed them since.
async fn update(
    at: &InProject,
    seen: Option<i64>,
    name: Option<String>,
    config: Value,
) -> Result<(), UiError> {
    if let Some(seen) = seen
        && version(&summary(at).await?.project) != seen
    {
        return Err(UiError::new(Code::Conflict));
    }
    let config: Option<Map<String, Value>> = if let Value::Object(map) = config {
        Some(map)
    } else {
        None
    };
    let change = ProjectUpdate {
        name,
        config,
        ..ProjectUpdate::default()
    };
    projects::update(&at.by.services, &at.by.actor, at.id, change)
        .await
        .map_err(|error| UiError::from(error).with_names(NAMES))?;
    Ok(())
}

fn saved(at: &InProject, page: &str, code: &str) -> String {
    format!("{}?saved={code}", at.project.at(&format!("settings/{page}")))
}

/// Makes a key, which the next page shows once.
///
/// # Errors
/// Names the refused fields.
pub async fn create_key(project: String, form: KeyForm) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let days: u32 = match form.days.trim() {
        "" => 0,
        text => text
            .parse()
            .map_err(|_| UiError::field("days", Reason::NotNumber))?,
    };
    let expires_at = (days > 0)
        .then(|| at.by.now.checked_add_days(Days::new(u64::from(days))))
        .flatten();
    let role = Role::parse(&form.role).ok_or_else(|| UiError::field("role", Reason::NotOffered))?;
    let new = NewApiKey {
        name: form.name,
        role: Some(role),
        expires_at,
    };
    let made = api_keys::create(&at.by.services, &at.by.actor, at.id, new)
        .await
        .map_err(|e| {
            UiError::from(e).with_names(&[("name", "name"), ("role", "role"), ("expires_at", "days")])
        })?;
    keep_for_next_page(FRESH_KEY, &made.clear).await?;
    Ok(saved(&at, "keys", "key"))
}

/// Ends a key at once.
///
/// # Errors
/// When the viewer may not.
pub async fn revoke_key(project: String, key: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let id: ApiKeyId = parse_id(&key)?;
    api_keys::revoke(&at.by.services, &at.by.actor, at.id, id).await?;
    Ok(saved(&at, "keys", "key_revoked"))
}

/// Deletes the project whose name was typed.
///
/// # Errors
/// When the typed name differs or the viewer may not.
pub async fn delete_project(project: String, confirm: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    if confirm.trim() != at.project.name {
        return Err(UiError::new(Code::NotConfirmed));
    }
    projects::delete(&at.by.services, &at.by.actor, at.id, Some(&confirm)).await?;
    Ok("/?saved=project_deleted".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> GeneralForm {
        let number = |n: &str| n.to_owned();
        GeneralForm {
            strategy: number("list"),
            duration: number("10"),
            retry_count: number("3"),
            intervals: number("5, 30"),
            max_payload: number("0"),
            rate_limit: number("0"),
            rate_limit_duration: number("60"),
            ..GeneralForm::default()
        }
    }

    #[test]
    fn a_list_of_waits_is_read() {
        let config = general_config(&form()).expect("good");
        assert_eq!(config["strategy"]["intervals"], json!([5, 30]));
        assert_eq!(config["ssl"]["enforce_secure_endpoints"], json!(false));
    }

    #[test]
    fn every_number_that_is_none_is_named() {
        let form = GeneralForm {
            duration: "soon".to_owned(),
            max_payload: "-1".to_owned(),
            ..form()
        };
        let error = general_config(&form).expect_err("two wrong fields");
        assert!(error.of("duration").is_some() && error.of("max_payload").is_some());
        assert_eq!(error.fields.len(), 2);
    }
}
