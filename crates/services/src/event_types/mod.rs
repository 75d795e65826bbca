//! Event types: the names that events go by.

mod openapi;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::Txn;
use db::entities::event_type;
use domain::id::{EventTypeId, ProjectId};
use domain::role::Role;
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::Actor;
use crate::audit::{self, Change};
use crate::changed::{changed, now};
use crate::error::{Error, Result};
use crate::fields::{Fields, MAX_NAME};
use crate::patch::Patch;
use crate::{Services, projects};

/// Stands for every type; made with the project, and not to be changed.
const EVERY: &str = "*";

/// An event type.
#[derive(Clone, Debug, Serialize)]
pub struct EventType {
    /// Its id.
    pub id: EventTypeId,
    /// Its project.
    pub project_id: ProjectId,
    /// The name that events go by; unique in the project.
    pub name: String,
    /// Groups types on pages; may be empty.
    pub category: String,
    /// For people; may be empty.
    pub description: String,
    /// What payloads look like, as JSON Schema. For people: payloads are not checked.
    pub json_schema: Option<Value>,
    /// Since when it should not be used any more.
    pub deprecated_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<event_type::Model> for EventType {
    fn from(row: event_type::Model) -> Self {
        Self {
            id: EventTypeId(row.id),
            project_id: ProjectId(row.project_id),
            name: row.name,
            category: row.category,
            description: row.description,
            json_schema: row.json_schema,
            deprecated_at: row.deprecated_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// An event type to make.
#[derive(Clone, Debug, Default)]
pub struct NewEventType {
    /// The name that events go by.
    pub name: String,
    /// Groups types on pages.
    pub category: String,
    /// For people.
    pub description: String,
    /// What payloads look like.
    pub json_schema: Option<Value>,
}

/// A change of an event type; `None` and `Absent` leave as is.
#[derive(Clone, Debug, Default)]
pub struct EventTypeUpdate {
    /// Groups types on pages.
    pub category: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// What payloads look like.
    pub json_schema: Patch<Value>,
}

/// The event types of a project, by name.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(services: &Services, actor: &Actor, project: ProjectId) -> Result<Vec<EventType>> {
    actor.require(project, Role::Viewer)?;
    let rows = db::event_types::list(services.db.orm(), project.0).await?;
    Ok(rows.into_iter().map(EventType::from).collect())
}

/// Makes an event type.
///
/// # Errors
/// [`Error::Invalid`] for `name`, `category`, `description` and `json_schema`;
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn create(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    new: NewEventType,
) -> Result<EventType> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let mut fields = Fields::new();
    let row = check_new(&mut fields, project, new, at);
    fields.finish()?;
    let txn = services.db.begin().await?;
    projects::settings(&txn, project).await?;
    db::event_types::insert(&txn, row.clone())
        .await
        .map_err(|error| match error {
            db::DbError::Duplicate { .. } => {
                Error::invalid("name", "an event type with this name already exists")
            }
            other => other.into(),
        })?;
    let event_type = EventType::from(row);
    record(&txn, actor, at, "event_type.created", &event_type, json!({})).await?;
    txn.commit().await?;
    changed(services, project).await;
    Ok(event_type)
}

/// Changes an event type; its name stays.
///
/// # Errors
/// As [`create`].
pub async fn update(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EventTypeId,
    update: EventTypeUpdate,
) -> Result<EventType> {
    change(
        services,
        actor,
        project,
        id,
        "event_type.updated",
        |fields, row, _| {
            if let Some(category) = &update.category {
                row.category = fields.line("category", category, MAX_NAME);
            }
            if let Some(description) = &update.description {
                row.description = fields.text("description", description);
            }
            if let Some(schema) = update.json_schema.value() {
                fields.json("json_schema", schema);
            }
            row.json_schema = update.json_schema.over(row.json_schema.take());
        },
    )
    .await
}

/// Marks an event type as one that should not be used any more. It still works.
///
/// # Errors
/// [`Error::Invalid`] for `*`; [`Error::NotFound`], [`Error::Forbidden`].
pub async fn deprecate(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EventTypeId,
) -> Result<EventType> {
    change(
        services,
        actor,
        project,
        id,
        "event_type.deprecated",
        |fields, row, at| {
            fields.check(
                row.name != EVERY,
                "name",
                "* stands for every type and cannot be deprecated",
            );
            row.deprecated_at = row.deprecated_at.or(Some(at));
        },
    )
    .await
}

/// Reads the `webhooks` section of an OpenAPI document, JSON or YAML: makes a type of each webhook,
/// or gives the type of that name its description and schema.
///
/// # Errors
/// [`Error::Invalid`] for `spec`; [`Error::NotFound`], [`Error::Forbidden`].
pub async fn import(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    spec: &str,
) -> Result<Vec<EventType>> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let found = openapi::webhooks(spec).map_err(|reason| Error::invalid("spec", reason))?;
    let mut fields = Fields::new();
    let wanted: Vec<_> = found
        .into_iter()
        .map(|new| check_new(&mut fields, project, new, at))
        .collect();
    fields.finish()?;

    let txn = services.db.begin().await?;
    projects::settings(&txn, project).await?;
    db::event_types::insert_missing(&txn, wanted.clone()).await?;
    let names: Vec<String> = wanted.iter().map(|row| row.name.clone()).collect();
    let mut stored: HashMap<String, event_type::Model> = db::event_types::lock_named(&txn, project.0, &names)
        .await?
        .into_iter()
        .map(|row| (row.name.clone(), row))
        .collect();
    let mut imported = Vec::with_capacity(wanted.len());
    for row in wanted {
        let known = stored
            .remove(&row.name)
            .ok_or_else(|| Error::internal("an event type vanished"))?;
        let (id, created_at) = (known.id, known.created_at);
        let merged = event_type::Model {
            id,
            created_at,
            deprecated_at: known.deprecated_at,
            ..row
        };
        let event_type = EventType::from(merged.clone());
        let detail = audit::difference(&EventType::from(known), &event_type);
        db::event_types::update(&txn, merged).await?;
        record(&txn, actor, at, "event_type.imported", &event_type, detail).await?;
        imported.push(event_type);
    }
    txn.commit().await?;
    changed(services, project).await;
    Ok(imported)
}

/// A row of which only the name is known.
pub(crate) fn bare_row(project: ProjectId, name: String, at: DateTime<Utc>) -> event_type::Model {
    event_type::Model {
        id: EventTypeId::at(at).0,
        project_id: project.0,
        name,
        category: String::new(),
        description: String::new(),
        json_schema: None,
        deprecated_at: None,
        created_at: at,
        updated_at: at,
    }
}

/// Checks a name for events to go by.
pub(crate) fn check_name(fields: &mut Fields, field: &str, name: &str) -> String {
    let refused = fields.count();
    let name = fields.name(field, name);
    if fields.count() == refused && name.contains(char::is_whitespace) {
        fields.refuse(field, "must not hold spaces");
    }
    name
}

fn check_new(
    fields: &mut Fields,
    project: ProjectId,
    new: NewEventType,
    at: DateTime<Utc>,
) -> event_type::Model {
    let name = check_name(fields, "name", &new.name);
    fields.check(
        name != EVERY,
        "name",
        "* stands for every type and is there already",
    );
    if let Some(schema) = &new.json_schema {
        fields.json("json_schema", schema);
    }
    event_type::Model {
        category: fields.line("category", &new.category, MAX_NAME),
        description: fields.text("description", &new.description),
        json_schema: new.json_schema.filter(|schema| !schema.is_null()),
        ..bare_row(project, name, at)
    }
}

async fn change(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EventTypeId,
    action: &str,
    apply: impl FnOnce(&mut Fields, &mut event_type::Model, DateTime<Utc>),
) -> Result<EventType> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let mut row = db::event_types::lock(&txn, project.0, id.0)
        .await?
        .ok_or(Error::NotFound("event type"))?;
    let before = EventType::from(row.clone());
    let mut fields = Fields::new();
    apply(&mut fields, &mut row, at);
    fields.finish()?;
    row.updated_at = at;
    let after = EventType::from(row.clone());
    db::event_types::update(&txn, row).await?;
    record(
        &txn,
        actor,
        at,
        action,
        &after,
        audit::difference(&before, &after),
    )
    .await?;
    txn.commit().await?;
    changed(services, project).await;
    Ok(after)
}

async fn record(
    txn: &Txn,
    actor: &Actor,
    at: DateTime<Utc>,
    action: &str,
    event_type: &EventType,
    detail: Value,
) -> Result<()> {
    let change = Change {
        action,
        project: Some(event_type.project_id),
        subject: &event_type.name,
        subject_id: Some(event_type.id.0),
        detail,
    };
    audit::record(txn, actor, at, change).await
}
