//! Subscriptions: which events go to which endpoint.
//!
//! What a subscription takes stands in its filters, one per event type; see [`crate::filters`].

mod check;
mod model;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::Txn;
use db::entities::{endpoint, filter, subscription};
use db::subscriptions::SubscriptionFilter;
use domain::filter::FilterSpec;
use domain::id::{EndpointId, ProjectId, SourceId, SubscriptionId};
use domain::project::{ProjectConfig, ProjectKind};
use domain::role::Role;
use domain::state::EndpointState;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

pub use model::{
    AlertConfig, DeliveryMode, EndpointBrief, FilterConfig, NewSubscription, RetryInput, Subscription,
    SubscriptionQuery, SubscriptionUpdate,
};

use crate::access::Actor;
use crate::audit::{self, Change};
use crate::changed::{changed, now};
use crate::error::{Error, Result};
use crate::fields::{self, Fields};
use crate::filters::{self, Filter};
use crate::page::Page;
use crate::patch::Patch;
use crate::{Services, projects};

/// Makes a subscription. Its event types are made as well when they are new.
///
/// # Errors
/// [`Error::Invalid`] for any field, all of them at once; [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn create(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    new: NewSubscription,
) -> Result<Subscription> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let (kind, config) = projects::settings(&txn, project).await?;
    let keep = projects::class(services, project);

    let mut row = empty_row(project, at);
    let mut fields = Fields::new();
    let update = SubscriptionUpdate {
        name: Some(new.name),
        endpoint_id: Some(new.endpoint_id),
        source_id: new.source_id.map_or(Patch::Absent, Patch::Value),
        filter_config: None,
        delivery_mode: new.delivery_mode,
        retry_config: new.retry_config.map_or(Patch::Absent, Patch::Value),
        rate_limit_config: new.rate_limit_config.map_or(Patch::Absent, Patch::Value),
        alert_config: new.alert_config.map_or(Patch::Absent, Patch::Value),
        function: new.function,
    };
    check::apply(&mut fields, &mut row, &update, keep)?;
    let wanted = filters::of_config(&mut fields, new.filter_config.unwrap_or_default());
    check_ends(&txn, &mut fields, kind, &config, &row, None).await?;
    fields.finish()?;

    db::subscriptions::insert(&txn, row.clone()).await?;
    filters::put(&txn, project, SubscriptionId(row.id), wanted, at).await?;
    let subscription = read_one(&txn, row).await?;
    record(
        &txn,
        actor,
        at,
        "subscription.created",
        &subscription,
        brief(&subscription),
    )
    .await?;
    txn.commit().await?;
    changed(services, project).await;
    Ok(subscription)
}

/// The subscriptions of a project.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`] for a search text that cannot be searched for.
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    query: SubscriptionQuery,
) -> Result<Page<Subscription>> {
    actor.require(project, Role::Viewer)?;
    let filter = SubscriptionFilter {
        endpoints: query.endpoints.iter().map(|id| id.0).collect(),
        name: fields::search("name", query.name)?,
    };
    let conn = services.db.orm();
    let page = db::subscriptions::page(conn, project.0, &filter, query.page).await?;
    let ids: Vec<Uuid> = page.items.iter().map(|row| row.id).collect();
    let mut filters: HashMap<Uuid, Vec<filter::Model>> = HashMap::new();
    for row in db::filters::of_subscriptions(conn, &ids).await? {
        filters.entry(row.subscription_id).or_default().push(row);
    }
    let ids: Vec<Uuid> = page.items.iter().map(|row| row.endpoint_id).collect();
    let endpoints: HashMap<Uuid, endpoint::Model> = db::endpoints::by_ids(conn, project.0, &ids)
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    page.try_map(|row| {
        let filters = filters.remove(&row.id).unwrap_or_default();
        let endpoint = endpoints.get(&row.endpoint_id).cloned();
        read(row, filters, endpoint)
    })
}

/// A subscription.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: SubscriptionId,
) -> Result<Subscription> {
    actor.require(project, Role::Viewer)?;
    let conn = services.db.orm();
    let row = db::subscriptions::find(conn, project.0, id.0)
        .await?
        .ok_or(Error::NotFound("subscription"))?;
    let filters = db::filters::of_subscriptions(conn, &[id.0]).await?;
    let endpoint = db::endpoints::by_ids(conn, project.0, &[row.endpoint_id])
        .await?
        .pop();
    read(row, filters, endpoint)
}

/// Changes a subscription.
///
/// # Errors
/// [`Error::Invalid`] for any field, all of them at once; [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn update(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: SubscriptionId,
    update: SubscriptionUpdate,
) -> Result<Subscription> {
    change(
        services,
        actor,
        project,
        id,
        "subscription.updated",
        async |txn, row, at| {
            let (kind, config) = projects::settings(txn, project).await?;
            let mut fields = Fields::new();
            check::apply(&mut fields, row, &update, projects::class(services, project))?;
            let wanted = update
                .filter_config
                .map(|config| filters::of_config(&mut fields, config));
            check_ends(txn, &mut fields, kind, &config, row, Some(id)).await?;
            fields.finish()?;
            if let Some(wanted) = wanted {
                filters::put(txn, project, id, wanted, at).await?;
            }
            Ok(())
        },
    )
    .await
}

/// Deletes a subscription. Deliveries that exist go on.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: SubscriptionId,
) -> Result<()> {
    change(
        services,
        actor,
        project,
        id,
        "subscription.deleted",
        async |_, row, at| {
            row.deleted_at = Some(at);
            Ok(())
        },
    )
    .await?;
    Ok(())
}

/// Switches a subscription off, or on again.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn toggle(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: SubscriptionId,
) -> Result<Subscription> {
    change(
        services,
        actor,
        project,
        id,
        "subscription.toggled",
        async |_, row, _| {
            row.enabled = !row.enabled;
            Ok(())
        },
    )
    .await
}

/// Changes one row under its lock, with its audit row.
async fn change(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: SubscriptionId,
    action: &str,
    apply: impl AsyncFnOnce(&Txn, &mut subscription::Model, DateTime<Utc>) -> Result<()>,
) -> Result<Subscription> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let missing = || Error::NotFound("subscription");
    // The endpoint first, as when it is deleted with its subscriptions: no two changes deadlock.
    let known = db::subscriptions::find(txn.orm(), project.0, id.0)
        .await?
        .ok_or_else(missing)?;
    db::endpoints::lock(&txn, project.0, known.endpoint_id).await?;
    let mut row = db::subscriptions::lock(&txn, project.0, id.0)
        .await?
        .ok_or_else(missing)?;
    let before = read_one(&txn, row.clone()).await?;
    apply(&txn, &mut row, at).await?;
    row.updated_at = at;
    db::subscriptions::update(&txn, row.clone()).await?;
    let after = read_one(&txn, row).await?;
    let detail = audit::difference(&comparable(&before), &comparable(&after));
    record(&txn, actor, at, action, &after, detail).await?;
    txn.commit().await?;
    changed(services, project).await;
    Ok(after)
}

fn empty_row(project: ProjectId, at: DateTime<Utc>) -> subscription::Model {
    subscription::Model {
        id: SubscriptionId::at(at).0,
        project_id: project.0,
        endpoint_id: Uuid::nil(),
        source_id: None,
        name: String::new(),
        enabled: true,
        delivery_mode: DeliveryMode::default().as_str().to_owned(),
        retry: None,
        rate_limit: None,
        alert: None,
        created_at: at,
        updated_at: at,
        deleted_at: None,
    }
}

/// Refuses an endpoint or a source that is not there, and a second subscription of an endpoint
/// where the project wants one only. `own` is the subscription itself, when it exists already.
async fn check_ends(
    txn: &Txn,
    fields: &mut Fields,
    kind: ProjectKind,
    config: &ProjectConfig,
    row: &subscription::Model,
    own: Option<SubscriptionId>,
) -> Result<()> {
    match row.source_id {
        None => fields.check(
            kind == ProjectKind::Outgoing,
            "source_id",
            "is required in an incoming project",
        ),
        Some(source) => {
            let found = db::sources::find(txn.orm(), row.project_id, source).await?;
            fields.check(found.is_some(), "source_id", "is not a source of this project");
        }
    }
    if row.endpoint_id.is_nil() {
        // Refused already: it is no id.
        return Ok(());
    }
    // Locked, so that two subscriptions made at the same time see each other.
    if db::endpoints::lock(txn, row.project_id, row.endpoint_id)
        .await?
        .is_none()
    {
        fields.refuse("endpoint_id", "is not an endpoint of this project");
    } else if kind == ProjectKind::Outgoing && !config.multiple_endpoint_subscriptions {
        let others = db::subscriptions::count_of_endpoint(txn, row.endpoint_id, own.map(|id| id.0)).await?;
        fields.check(
            others == 0,
            "endpoint_id",
            "a subscription for this endpoint already exists",
        );
    }
    Ok(())
}

async fn read_one(txn: &Txn, row: subscription::Model) -> Result<Subscription> {
    let filters = db::filters::of_subscriptions(txn.orm(), &[row.id]).await?;
    let endpoint = db::endpoints::by_ids(txn.orm(), row.project_id, &[row.endpoint_id])
        .await?
        .pop();
    read(row, filters, endpoint)
}

fn read(
    row: subscription::Model,
    filters: Vec<filter::Model>,
    endpoint: Option<endpoint::Model>,
) -> Result<Subscription> {
    let endpoint = endpoint.ok_or_else(|| Error::internal("a subscription has no endpoint"))?;
    let filters: Vec<Filter> = filters.into_iter().map(Filter::from).collect();
    Ok(Subscription {
        id: SubscriptionId(row.id),
        project_id: ProjectId(row.project_id),
        name: row.name,
        endpoint: EndpointBrief {
            id: EndpointId(endpoint.id),
            name: endpoint.name,
            url: endpoint.url,
            owner_id: endpoint.owner_id,
            state: EndpointState::from_code(endpoint.state).unwrap_or(EndpointState::Inactive),
        },
        source_id: row.source_id.map(SourceId),
        enabled: row.enabled,
        delivery_mode: DeliveryMode::parse(&row.delivery_mode).unwrap_or_default(),
        event_types: filters.iter().map(|filter| filter.event_type.clone()).collect(),
        filter: shared_conditions(&filters),
        filters,
        retry: parse(row.retry)?,
        rate_limit: parse(row.rate_limit)?,
        alert: parse(row.alert)?,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn parse<T: DeserializeOwned>(stored: Option<Value>) -> Result<Option<T>> {
    stored
        .map(serde_json::from_value)
        .transpose()
        .map_err(Error::internal)
}

fn shared_conditions(filters: &[Filter]) -> FilterSpec {
    match filters {
        [first, rest @ ..] if rest.iter().all(|other| other.spec == first.spec) => first.spec.clone(),
        _ => FilterSpec::default(),
    }
}

/// What an audit row tells of a new subscription.
fn brief(subscription: &Subscription) -> Value {
    json!({"endpoint_id": subscription.endpoint.id, "event_types": subscription.event_types})
}

/// What an audit row compares: conditions by event type, without ids and times of filters.
fn comparable(subscription: &Subscription) -> Value {
    let conditions: serde_json::Map<String, Value> = subscription
        .filters
        .iter()
        .map(|filter| (filter.event_type.clone(), json!(filter.spec)))
        .collect();
    json!({
        "name": subscription.name,
        "endpoint_id": subscription.endpoint.id,
        "source_id": subscription.source_id,
        "enabled": subscription.enabled,
        "delivery_mode": subscription.delivery_mode,
        "filters": conditions,
        "retry": subscription.retry,
        "rate_limit": subscription.rate_limit,
        "alert": subscription.alert,
    })
}

async fn record(
    txn: &Txn,
    actor: &Actor,
    at: DateTime<Utc>,
    action: &str,
    subscription: &Subscription,
    detail: Value,
) -> Result<()> {
    let change = Change {
        action,
        project: Some(subscription.project_id),
        subject: &subscription.name,
        subject_id: Some(subscription.id.0),
        detail,
    };
    audit::record(txn, actor, at, change).await
}
