//! Rows into the compiled form. A row that cannot be compiled never takes its neighbours along:
//! it is logged, and left out or left without the broken part.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use db::catalog::{EndpointRow, FilterRow, KeyRow, ProjectRow, Rows, SubscriptionRow};
use domain::filter::{Filter, FilterSpec};
use domain::id::{ProjectId, SubscriptionId};
use domain::project::{ProjectConfig, RateLimitConfig};
use domain::retry::RetryPolicy;
use domain::role::Role;
use domain::signature::{SignatureScheme, Signer, SigningSecret};
use http::{HeaderName, HeaderValue};

use super::model::{BodyForm, Endpoint, Key, Project, Subscription};
use crate::endpoints::Authentication;
use crate::options::DeliveryOptions;
use crate::vault::Vault;

/// Compiled projects and keys.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    pub(super) projects: HashMap<ProjectId, Arc<Project>>,
    pub(super) keys: HashMap<String, Arc<Key>>,
}

/// Compiles what was read.
pub(super) fn compile(rows: Rows, vault: &Vault, options: &DeliveryOptions) -> Compiled {
    let mut filters: HashMap<SubscriptionId, HashMap<String, Filter>> = HashMap::new();
    for row in rows.filters {
        let (subscription, event_type) = (row.subscription_id, row.event_type.clone());
        if let Some(filter) = compile_filter(row) {
            filters
                .entry(subscription)
                .or_default()
                .insert(event_type, filter);
        }
    }
    let mut projects: HashMap<ProjectId, Project> = rows
        .projects
        .into_iter()
        .map(|row| (row.id, compile_project(row, options)))
        .collect();
    for row in rows.endpoints {
        if let Some(project) = projects.get_mut(&row.project_id) {
            let endpoint = compile_endpoint(row, &project.config, vault, options);
            project.endpoints.insert(endpoint.id, Arc::new(endpoint));
        }
    }
    for row in rows.subscriptions {
        if let Some(project) = projects.get_mut(&row.project_id) {
            let own = filters.remove(&row.id).unwrap_or_default();
            project
                .subscriptions
                .push(Arc::new(compile_subscription(row, own, options)));
        }
    }
    let keys = rows
        .keys
        .into_iter()
        .filter(|row| projects.contains_key(&row.project_id))
        .map(|row| (row.mask.clone(), Arc::new(compile_key(row))))
        .collect();
    Compiled {
        projects: projects
            .into_iter()
            .map(|(id, project)| (id, Arc::new(project)))
            .collect(),
        keys,
    }
}

fn compile_project(row: ProjectRow, options: &DeliveryOptions) -> Project {
    let config: ProjectConfig = serde_json::from_value(row.config).unwrap_or_else(|error| {
        tracing::error!(project = %row.id, %error, "project settings cannot be read, defaults are used");
        ProjectConfig::default()
    });
    let retry = RetryPolicy::try_from(&config.strategy)
        .unwrap_or_default()
        .capped(options.max_retry_seconds);
    let request_id_header = config
        .request_id_header
        .parse()
        .unwrap_or(HeaderName::from_static("x-convoy-idempotency-key"));
    Project {
        id: row.id,
        organisation_id: row.organisation_id,
        name: row.name,
        keep_days: row.keep_days,
        version: row.version,
        retry,
        request_id_header,
        config,
        endpoints: HashMap::new(),
        subscriptions: Vec::new(),
    }
}

fn compile_endpoint(
    row: EndpointRow,
    config: &ProjectConfig,
    vault: &Vault,
    options: &DeliveryOptions,
) -> Endpoint {
    let rate_limit = if row.rate_limit > 0 {
        RateLimitConfig {
            count: row.rate_limit as u32,
            duration: row.rate_limit_duration.max(1) as u32,
        }
    } else {
        config.ratelimit.clone()
    };
    let timeout = if row.http_timeout > 0 {
        Duration::from_secs(row.http_timeout as u64)
    } else {
        options.timeout
    };
    Endpoint {
        id: row.id,
        uri: row.url.parse().ok(),
        owner_id: row.owner_id.clone().filter(|owner| !owner.is_empty()),
        state: row.state,
        body: if row.content_type == "application/x-www-form-urlencoded" {
            BodyForm::Form
        } else {
            BodyForm::Json
        },
        timeout,
        rate_limit,
        signer: compile_signer(&row, config, vault),
        authentication: compile_authentication(&row, vault),
        name: row.name,
        url: row.url,
    }
}

fn compile_signer(row: &EndpointRow, config: &ProjectConfig, vault: &Vault) -> Option<Signer> {
    let mut secrets = Vec::with_capacity(row.secrets.len());
    for (sealed, expires_at) in &row.secrets {
        match vault.open_text(sealed) {
            Ok(value) => secrets.push(SigningSecret {
                value,
                expires_at: expires_at.map(|at| at.timestamp()),
            }),
            Err(error) => tracing::error!(endpoint = %row.id, %error, "a signing secret cannot be read"),
        }
    }
    let scheme = match row.signature_format.as_str() {
        "standard" => SignatureScheme::StandardWebhooks,
        _ => SignatureScheme::convoy(&config.signature, row.advanced_signatures),
    };
    Signer::new(&scheme, &secrets)
        .inspect_err(|error| tracing::error!(endpoint = %row.id, %error, "deliveries cannot be signed"))
        .ok()
}

fn compile_authentication(row: &EndpointRow, vault: &Vault) -> Option<(HeaderName, HeaderValue)> {
    let clear = vault.open(row.authentication.as_deref()?);
    let parsed = clear
        .and_then(|clear| serde_json::from_slice::<Authentication>(&clear).map_err(crate::Error::internal));
    match parsed {
        Ok(authentication) => {
            let (name, value) = authentication.header();
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            Some((name.parse().ok()?, value))
        }
        Err(error) => {
            tracing::error!(endpoint = %row.id, %error, "an endpoint's authentication cannot be read");
            None
        }
    }
}

fn compile_subscription(
    row: SubscriptionRow,
    filters: HashMap<String, Filter>,
    options: &DeliveryOptions,
) -> Subscription {
    let retry = row
        .retry
        .and_then(|value| serde_json::from_value::<RetryPolicy>(value).ok());
    Subscription {
        id: row.id,
        endpoint_id: row.endpoint_id,
        enabled: row.enabled,
        at_most_once: row.delivery_mode == "at_most_once",
        retry: retry.map(|policy| policy.capped(options.max_retry_seconds)),
        rate_limit: row
            .rate_limit
            .and_then(|value| serde_json::from_value::<RateLimitConfig>(value).ok())
            .filter(|limit| limit.count > 0),
        filters,
    }
}

fn compile_filter(row: FilterRow) -> Option<Filter> {
    let spec = FilterSpec {
        headers: row.headers,
        body: row.body,
        query: row.query,
        path: row.path,
    };
    Filter::compile(&spec)
        .inspect_err(|error| tracing::error!(filter = %row.id, %error, "a stored filter cannot be read"))
        .ok()
}

fn compile_key(row: KeyRow) -> Key {
    Key {
        id: row.id,
        project: row.project_id,
        name: row.name,
        hash: row.hash,
        role: Role::parse(&row.role).unwrap_or(Role::Viewer),
        expires_at: row.expires_at,
    }
}
