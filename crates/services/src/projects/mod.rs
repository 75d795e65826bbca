//! Projects: the room in which endpoints, subscriptions and events live.

mod config;

pub(crate) use config::outlives;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::Txn;
use db::entities::project;
use db::projects::ProjectScope;
use domain::id::{OrganisationId, ProjectId};
use domain::lifecycle::KeepDays;
use domain::project::{ProjectConfig, ProjectKind};
use domain::role::Role;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::access::{Actor, Grants};
use crate::api_keys::{self, CreatedApiKey, NewApiKey};
use crate::audit::{self, Change};
use crate::changed::{changed, now};
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::{Services, event_types, organisations, retention};

/// A project.
#[derive(Clone, Debug, Serialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The organisation that it belongs to.
    pub organisation_id: OrganisationId,
    /// Its name, unique in the organisation.
    pub name: String,
    /// Which way its events travel.
    pub kind: ProjectKind,
    /// Address of a picture; may be empty.
    pub logo_url: String,
    /// Its settings; secrets in it are masked.
    pub config: ProjectConfig,
    /// How long its new rows are kept.
    pub keep_days: KeepDays,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// How much a project holds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Endpoints, deleted ones not counted.
    pub endpoints: u64,
    /// Subscriptions, deleted ones not counted.
    pub subscriptions: u64,
    /// Sources, deleted ones not counted.
    pub sources: u64,
    /// Whether an event was ever accepted.
    pub events_exist: bool,
}

/// A project with what it holds.
#[derive(Clone, Debug, Serialize)]
pub struct ProjectSummary {
    /// The project.
    pub project: Project,
    /// What it holds.
    pub counts: Counts,
}

/// A project to make.
#[derive(Clone, Debug, Default)]
pub struct NewProject {
    /// The organisation; may be left out when the actor sees exactly one.
    pub organisation: Option<OrganisationId>,
    /// Its name, unique in the organisation.
    pub name: String,
    /// `outgoing` or `incoming`.
    pub kind: String,
    /// Address of a picture; may be empty.
    pub logo_url: String,
    /// Settings that differ from the defaults, by key.
    pub config: Option<Map<String, Value>>,
}

/// A fresh project, with the only sight of its first key.
#[derive(Clone, Debug)]
pub struct CreatedProject {
    /// The project.
    pub project: Project,
    /// Its first API key, in clear.
    pub api_key: CreatedApiKey,
}

/// A change of a project; `None` leaves as is.
#[derive(Clone, Debug, Default)]
pub struct ProjectUpdate {
    /// New name.
    pub name: Option<String>,
    /// New picture; empty removes it.
    pub logo_url: Option<String>,
    /// Settings to change, merged key by key, also inside of `strategy`, `signature` and so on.
    pub config: Option<Map<String, Value>>,
}

/// Makes a project with its first API key and the event type `*`.
///
/// For instance admins and for admins of the whole organisation.
///
/// # Errors
/// [`Error::Invalid`] for `organisation_id`, `name`, `type`, `logo_url` and `config...`.
pub async fn create(services: &Services, actor: &Actor, new: NewProject) -> Result<CreatedProject> {
    let organisation = match new.organisation {
        Some(id) => id,
        None => only_organisation(services, actor).await?,
    };
    organisations::require_admin(services, actor, organisation).await?;
    let at = now(services);
    let row = check_new(services, organisation, &new, at)?;
    let id = ProjectId(row.id);
    let project = read(row.clone())?;

    retention::prepare_default(services).await?;
    let txn = services.db.begin().await?;
    if db::organisations::find(txn.orm(), organisation.0)
        .await?
        .is_none()
    {
        return Err(Error::NotFound("organisation"));
    }
    db::projects::insert(&txn, row).await.map_err(name_taken)?;
    retention::apply_default(services, &txn, id, at).await?;
    db::event_types::insert_missing(&txn, vec![event_types::bare_row(id, "*".to_owned(), at)]).await?;
    record(
        &txn,
        actor,
        at,
        "project.created",
        &project,
        json!({"type": project.kind}),
    )
    .await?;
    let key = NewApiKey {
        name: format!("{}'s first key", project.name),
        ..NewApiKey::default()
    };
    let api_key = api_keys::insert(&txn, actor, id, key, at).await?;
    txn.commit().await?;
    changed(services, id).await;
    Ok(CreatedProject { project, api_key })
}

/// A project with its counts.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(services: &Services, actor: &Actor, id: ProjectId) -> Result<ProjectSummary> {
    actor.require(id, Role::Viewer)?;
    let row = db::projects::find(services.db.orm(), id.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    let mut counts = counts(services, &[id.0]).await?;
    Ok(ProjectSummary {
        project: read(row)?,
        counts: counts.remove(&id.0).unwrap_or_default(),
    })
}

/// The projects that the actor may see, by name, with their counts; `organisation` narrows.
///
/// # Errors
/// As every statement.
pub async fn list(
    services: &Services,
    actor: &Actor,
    organisation: Option<OrganisationId>,
) -> Result<Vec<ProjectSummary>> {
    let scope = ProjectScope {
        ids: match &actor.grants {
            Grants::Instance => None,
            Grants::Projects(roles) => Some(roles.iter().map(|(id, _)| id.0).collect()),
        },
        organisations: organisation.map(|id| vec![id.0]),
    };
    let rows = db::projects::list(services.db.orm(), &scope).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut counts = counts(services, &ids).await?;
    rows.into_iter()
        .map(|row| {
            let counts = counts.remove(&row.id).unwrap_or_default();
            Ok(ProjectSummary {
                project: read(row)?,
                counts,
            })
        })
        .collect()
}

/// Changes a project.
///
/// # Errors
/// [`Error::Invalid`] for `name`, `logo_url`, `config.strategy.retry_count` and so on;
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn update(
    services: &Services,
    actor: &Actor,
    id: ProjectId,
    update: ProjectUpdate,
) -> Result<Project> {
    actor.require(id, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let row = db::projects::lock(&txn, id.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    let before = read(row.clone())?;

    let mut fields = Fields::new();
    let name = update
        .name
        .map_or_else(|| row.name.clone(), |name| fields.name("name", &name));
    let logo_url = update.logo_url.map_or_else(
        || row.logo_url.clone(),
        |url| fields.url_or_empty("logo_url", &url),
    );
    let stored = read_config(row.config.clone())?;
    let merged = match &update.config {
        Some(changes) => {
            let before = (&stored, KeepDays(row.keep_days));
            config::merge(services, &mut fields, before, changes, at)?
        }
        None => stored,
    };
    fields.finish()?;

    let config = serde_json::to_value(merged).map_err(Error::internal)?;
    let row = project::Model {
        name,
        logo_url,
        config,
        updated_at: at,
        ..row
    };
    let after = read(row.clone())?;
    db::projects::update(&txn, row).await.map_err(name_taken)?;
    record(
        &txn,
        actor,
        at,
        "project.updated",
        &after,
        audit::difference(&before, &after),
    )
    .await?;
    txn.commit().await?;
    changed(services, id).await;
    Ok(after)
}

/// Deletes a project: deliveries stop and its keys stop working.
///
/// `typed_name` is what a person typed to confirm; it must be the project's name.
///
/// # Errors
/// [`Error::Invalid`] for `name` when the typed name is another; [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn delete(
    services: &Services,
    actor: &Actor,
    id: ProjectId,
    typed_name: Option<&str>,
) -> Result<()> {
    actor.require(id, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let row = db::projects::lock(&txn, id.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    if typed_name.is_some_and(|typed| typed.trim() != row.name) {
        return Err(Error::invalid("name", "is not the name of this project"));
    }
    let project = read(row.clone())?;
    let row = project::Model {
        deleted_at: Some(at),
        updated_at: at,
        ..row
    };
    db::projects::update(&txn, row).await?;
    record(&txn, actor, at, "project.deleted", &project, json!({})).await?;
    txn.commit().await?;
    changed(services, id).await;
    Ok(())
}

/// The settings of a live project, inside of a larger change.
pub(crate) async fn settings(txn: &Txn, id: ProjectId) -> Result<(ProjectKind, ProjectConfig)> {
    let row = db::projects::find(txn.orm(), id.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    Ok((read_kind(&row.kind)?, read_config(row.config)?))
}

/// Refuses a project that is not there.
pub(crate) async fn require_live(services: &Services, id: ProjectId) -> Result<()> {
    match db::projects::find(services.db.orm(), id.0).await? {
        Some(_) => Ok(()),
        None => Err(Error::NotFound("project")),
    }
}

fn check_new(
    services: &Services,
    organisation: OrganisationId,
    new: &NewProject,
    at: DateTime<Utc>,
) -> Result<project::Model> {
    let mut fields = Fields::new();
    let name = fields.name("name", &new.name);
    let kind = ProjectKind::parse(&new.kind);
    fields.check(kind.is_some(), "type", "must be outgoing or incoming");
    let logo_url = fields.url_or_empty("logo_url", &new.logo_url);
    let mut wanted = new.config.clone().unwrap_or_default();
    // The default version gets an id of its own, as every other one.
    let signature = wanted.entry("signature").or_insert_with(|| json!({}));
    if let Some(signature) = signature.as_object_mut() {
        signature
            .entry("versions")
            .or_insert_with(|| json!([{"hash": "SHA256", "encoding": "hex"}]));
    }
    let before = (&ProjectConfig::default(), KeepDays::FOR_EVER);
    let config = config::merge(services, &mut fields, before, &wanted, at)?;
    fields.finish()?;
    Ok(project::Model {
        id: ProjectId::at(at).0,
        organisation_id: organisation.0,
        name,
        kind: kind.unwrap_or(ProjectKind::Outgoing).as_str().to_owned(),
        logo_url,
        config: serde_json::to_value(config).map_err(Error::internal)?,
        keep_days: retention::default_class(services).0,
        catalog_version: 1,
        created_at: at,
        updated_at: at,
        deleted_at: None,
    })
}

async fn only_organisation(services: &Services, actor: &Actor) -> Result<OrganisationId> {
    let organisations = organisations::list(services, actor).await?;
    match organisations.as_slice() {
        [only] => Ok(only.id),
        [] => Err(Error::Forbidden("a key of a project may not do this")),
        _ => Err(Error::invalid(
            "organisation_id",
            "is required: you belong to several organisations",
        )),
    }
}

async fn counts(services: &Services, ids: &[Uuid]) -> Result<HashMap<Uuid, Counts>> {
    let rows = db::projects::counts(&services.db, ids).await?;
    let counted = rows.into_iter().map(|row| {
        let counts = Counts {
            endpoints: row.endpoints.unsigned_abs(),
            subscriptions: row.subscriptions.unsigned_abs(),
            sources: row.sources.unsigned_abs(),
            events_exist: row.events_exist,
        };
        (row.id, counts)
    });
    Ok(counted.collect())
}

fn name_taken(error: db::DbError) -> Error {
    match error {
        db::DbError::Duplicate { constraint } if constraint == "projects_name_key" => {
            Error::invalid("name", "a project with this name already exists")
        }
        other => other.into(),
    }
}

async fn record(
    txn: &Txn,
    actor: &Actor,
    at: DateTime<Utc>,
    action: &str,
    project: &Project,
    detail: Value,
) -> Result<()> {
    let change = Change {
        action,
        project: Some(project.id),
        subject: &project.name,
        subject_id: Some(project.id.0),
        detail,
    };
    audit::record(txn, actor, at, change).await
}

fn read_kind(kind: &str) -> Result<ProjectKind> {
    ProjectKind::parse(kind).ok_or_else(|| Error::internal(format!("a project is of kind {kind}")))
}

fn read_config(config: Value) -> Result<ProjectConfig> {
    serde_json::from_value(config).map_err(Error::internal)
}

/// A project as it is shown.
pub(crate) fn read(row: project::Model) -> Result<Project> {
    Ok(Project {
        id: ProjectId(row.id),
        organisation_id: OrganisationId(row.organisation_id),
        kind: read_kind(&row.kind)?,
        name: row.name,
        logo_url: row.logo_url,
        config: config::shown(read_config(row.config)?),
        keep_days: KeepDays(row.keep_days),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// For how long the project's new rows are kept, as this process knows it.
pub(crate) fn class(services: &Services, project: ProjectId) -> KeepDays {
    services
        .catalog
        .project(project)
        .map_or(KeepDays::FOR_EVER, |project| project.keep_days)
}
