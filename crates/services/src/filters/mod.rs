//! Filters: what a subscription takes, one per event type.
//!
//! A filter of an event type stands before the one of `*`. A filter that cannot be compiled is
//! refused when it is saved, with its scope and path.

mod check;
mod model;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use db::Txn;
use db::entities::{filter, subscription};
use domain::filter::{Filter as Conditions, FilterSpec};
use domain::id::{FilterId, ProjectId, SubscriptionId};
use domain::role::Role;
use serde_json::{Value, json};

use crate::access::Actor;
use crate::audit::{self, Change};
use crate::changed::{changed, now};
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::patch::Patch;
use crate::{Services, event_types, projects};

pub(crate) use check::of_config;
use check::{check_new, compile, input, new_row, updated_row};
pub use model::{Filter, FilterUpdate, NewFilter};

/// Most filters of one subscription.
const MAX_FILTERS: usize = 1_000;
/// The event type that stands for every other.
const EVERY: &str = "*";

/// Makes a filter.
///
/// # Errors
/// [`Error::Invalid`] for `event_type` and for the conditions by scope and path (`body.a.b`);
/// [`Error::NotFound`] for an event type that does not exist, too; [`Error::Forbidden`].
pub async fn create(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
    new: NewFilter,
) -> Result<Filter> {
    let mut fields = Fields::new();
    let event_type = check_new(&mut fields, &new);
    let made = insert(
        services,
        actor,
        project,
        subscription,
        fields,
        vec![(event_type, new)],
    )
    .await?;
    made.into_iter()
        .next()
        .ok_or_else(|| Error::internal("no filter was made"))
}

/// Makes several filters, or none of them.
///
/// # Errors
/// As [`create`]; fields are named with their place: `[3].body.a`.
pub async fn create_many(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
    new: Vec<NewFilter>,
) -> Result<Vec<Filter>> {
    let mut all = Fields::new();
    let mut checked = Vec::with_capacity(new.len());
    for (index, new) in new.into_iter().enumerate() {
        let mut fields = Fields::of_element(index);
        let event_type = check_new(&mut fields, &new);
        all.append(fields);
        checked.push((event_type, new));
    }
    insert(services, actor, project, subscription, all, checked).await
}

async fn insert(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
    fields: Fields,
    new: Vec<(String, NewFilter)>,
) -> Result<Vec<Filter>> {
    actor.require(project, Role::ProjectAdmin)?;
    fields.finish()?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let owner = lock_owner(&txn, project, subscription).await?;
    let mut taken: HashSet<String> = db::filters::of_subscriptions(txn.orm(), &[owner.id])
        .await?
        .into_iter()
        .map(|row| row.event_type)
        .collect();
    let names: Vec<String> = new.iter().map(|(name, _)| name.clone()).collect();
    require_types(&txn, project, &names).await?;
    let mut rows = Vec::with_capacity(new.len());
    for (event_type, new) in new {
        if !taken.insert(event_type.clone()) {
            return Err(duplicate());
        }
        let enabled_at = match new.enabled_at {
            Patch::Absent => Some(at),
            Patch::Null => None,
            Patch::Value(since) => Some(since),
        };
        rows.push(new_row(
            project,
            subscription,
            event_type,
            new.spec,
            enabled_at,
            at,
        ));
    }
    if taken.len() > MAX_FILTERS {
        return Err(Error::Conflict(format!(
            "a subscription has at most {MAX_FILTERS} filters"
        )));
    }
    let made: Vec<Filter> = rows.iter().cloned().map(Filter::from).collect();
    db::filters::insert_many(&txn, rows).await?;
    for filter in &made {
        record(
            &txn,
            actor,
            at,
            "filter.created",
            project,
            filter,
            json!({"conditions": filter.spec}),
        )
        .await?;
    }
    txn.commit().await?;
    changed(services, project).await;
    Ok(made)
}

/// Changes a filter.
///
/// # Errors
/// As [`create`].
pub async fn update(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
    id: FilterId,
    update: FilterUpdate,
) -> Result<Filter> {
    let changed = apply(
        services,
        actor,
        project,
        subscription,
        vec![(id, update, Fields::new())],
    )
    .await?;
    changed
        .into_iter()
        .next()
        .ok_or_else(|| Error::internal("no filter was changed"))
}

/// Changes several filters, or none of them.
///
/// # Errors
/// As [`create`]; fields are named with their place: `[3].body.a`.
pub async fn update_many(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
    updates: Vec<(FilterId, FilterUpdate)>,
) -> Result<Vec<Filter>> {
    let updates = updates
        .into_iter()
        .enumerate()
        .map(|(index, (id, update))| (id, update, Fields::of_element(index)))
        .collect();
    apply(services, actor, project, subscription, updates).await
}

async fn apply(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
    updates: Vec<(FilterId, FilterUpdate, Fields)>,
) -> Result<Vec<Filter>> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let owner = lock_owner(&txn, project, subscription).await?;
    let mut refused = Fields::new();
    let mut changes = Vec::with_capacity(updates.len());
    for (id, update, mut fields) in updates {
        let row = db::filters::find(txn.orm(), owner.id, id.0)
            .await?
            .ok_or(Error::NotFound("filter"))?;
        let before = Filter::from(row.clone());
        let row = updated_row(&mut fields, row, update, at);
        refused.append(fields);
        changes.push((before, row));
    }
    refused.finish()?;

    let names: Vec<String> = changes
        .iter()
        .filter(|(before, row)| before.event_type != row.event_type)
        .map(|(_, row)| row.event_type.clone())
        .collect();
    require_types(&txn, project, &names).await?;
    let mut filters = Vec::with_capacity(changes.len());
    for (before, row) in changes {
        let after = Filter::from(row.clone());
        db::filters::update(&txn, row)
            .await
            .map_err(|error| match error {
                db::DbError::Duplicate { .. } => duplicate(),
                other => other.into(),
            })?;
        let detail = audit::difference(&before, &after);
        record(&txn, actor, at, "filter.updated", project, &after, detail).await?;
        filters.push(after);
    }
    txn.commit().await?;
    changed(services, project).await;
    Ok(filters)
}

/// The filters of a subscription, by event type.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
) -> Result<Vec<Filter>> {
    actor.require(project, Role::Viewer)?;
    let conn = services.db.orm();
    db::subscriptions::find(conn, project.0, subscription.0)
        .await?
        .ok_or(Error::NotFound("subscription"))?;
    let rows = db::filters::of_subscriptions(conn, &[subscription.0]).await?;
    Ok(rows.into_iter().map(Filter::from).collect())
}

/// A filter of a subscription.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
    id: FilterId,
) -> Result<Filter> {
    let filters = list(services, actor, project, subscription).await?;
    filters
        .into_iter()
        .find(|filter| filter.id == id)
        .ok_or(Error::NotFound("filter"))
}

/// Removes a filter. A subscription without filters takes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
    id: FilterId,
) -> Result<()> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let owner = lock_owner(&txn, project, subscription).await?;
    let row = db::filters::find(txn.orm(), owner.id, id.0)
        .await?
        .ok_or(Error::NotFound("filter"))?;
    db::filters::delete(&txn, &[id.0]).await?;
    record(&txn, actor, at, "filter.deleted", project, &row.into(), json!({})).await?;
    txn.commit().await?;
    changed(services, project).await;
    Ok(())
}

/// Whether the conditions `schema` hold for `request`; both as headers, body, query and path.
///
/// # Errors
/// [`Error::Invalid`] for conditions that cannot be compiled: `schema.body.a`.
pub async fn test_schema(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    request: &FilterSpec,
    schema: &FilterSpec,
) -> Result<bool> {
    actor.require(project, Role::Viewer)?;
    projects::require_live(services, project).await?;
    let mut fields = Fields::new();
    let conditions = compile(&mut fields, "schema.", schema);
    fields.finish()?;
    Ok(conditions.matches(&input(request)))
}

/// Whether the subscription's enabled filters take an event of this type with this request.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn test_event(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    subscription: SubscriptionId,
    event_type: &str,
    request: &FilterSpec,
) -> Result<bool> {
    let filters = list(services, actor, project, subscription).await?;
    let enabled = || filters.iter().filter(|filter| filter.enabled_at.is_some());
    let chosen = enabled()
        .find(|filter| filter.event_type == event_type)
        .or_else(|| enabled().find(|filter| filter.event_type == EVERY));
    let Some(filter) = chosen else { return Ok(false) };
    let conditions = Conditions::compile(&filter.spec).map_err(Error::internal)?;
    Ok(conditions.matches(&input(request)))
}

/// Makes the filters of a subscription what was asked for: one per event type, all with the same
/// conditions. Those of types that stay keep their ids and whether they are enabled.
pub(crate) async fn put(
    txn: &Txn,
    project: ProjectId,
    subscription: SubscriptionId,
    (names, spec): (Vec<String>, FilterSpec),
    at: DateTime<Utc>,
) -> Result<()> {
    let types = names
        .iter()
        .map(|name| event_types::bare_row(project, name.clone(), at))
        .collect();
    db::event_types::insert_missing(txn, types).await?;
    let rows = db::filters::of_subscriptions(txn.orm(), &[subscription.0]).await?;
    let (stay, leave): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| names.contains(&row.event_type));
    let leave: Vec<_> = leave.into_iter().map(|row| row.id).collect();
    if !leave.is_empty() {
        db::filters::delete(txn, &leave).await?;
    }
    let known: HashSet<String> = stay.iter().map(|row| row.event_type.clone()).collect();
    for row in stay {
        let FilterSpec {
            headers,
            body,
            query,
            path,
        } = spec.clone();
        let changed = filter::Model {
            headers,
            body,
            query,
            path,
            ..row.clone()
        };
        if changed != row {
            db::filters::update(
                txn,
                filter::Model {
                    updated_at: at,
                    ..changed
                },
            )
            .await?;
        }
    }
    let fresh = names
        .into_iter()
        .filter(|name| !known.contains(name))
        .map(|name| new_row(project, subscription, name, spec.clone(), Some(at), at))
        .collect();
    db::filters::insert_many(txn, fresh).await?;
    Ok(())
}

fn duplicate() -> Error {
    Error::invalid("event_type", "filter with this event type already exists")
}

/// The live subscription of the filters, kept from other changes until the transaction ends.
async fn lock_owner(
    txn: &Txn,
    project: ProjectId,
    subscription: SubscriptionId,
) -> Result<subscription::Model> {
    db::subscriptions::lock(txn, project.0, subscription.0)
        .await?
        .ok_or(Error::NotFound("subscription"))
}

async fn require_types(txn: &Txn, project: ProjectId, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let known = db::event_types::lock_named(txn, project.0, names).await?;
    let all_known = names.iter().all(|name| known.iter().any(|row| row.name == *name));
    if all_known {
        Ok(())
    } else {
        Err(Error::NotFound("event type"))
    }
}

async fn record(
    txn: &Txn,
    actor: &Actor,
    at: DateTime<Utc>,
    action: &str,
    project: ProjectId,
    filter: &Filter,
    detail: Value,
) -> Result<()> {
    let change = Change {
        action,
        project: Some(project),
        subject: &filter.event_type,
        subject_id: Some(filter.id.0),
        detail,
    };
    audit::record(txn, actor, at, change).await
}
