//! Legal holds: events of a window are kept, whatever the retention says, until the hold is
//! released.
//!
//! A hold takes effect for the deletion job as soon as it is committed. Rows under it move to the
//! class that is kept for ever by the next reclass run, and back after the release.

use chrono::{DateTime, Utc};
use db::Txn;
use db::entities::hold;
use domain::id::{HoldId, ProjectId};
use domain::role::Role;
use serde::Serialize;
use serde_json::{Value, json};

use crate::Services;
use crate::access::Actor;
use crate::audit::{self, Change};
use crate::changed::{changed, now};
use crate::error::{Error, Result};
use crate::fields::Fields;

/// A hold on a window of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// The project.
    pub project_id: ProjectId,
    /// What people call it.
    pub name: String,
    /// Events accepted from here on are kept.
    pub from: DateTime<Utc>,
    /// Events accepted before this are kept.
    pub to: DateTime<Utc>,
    /// Since when it is in force.
    pub placed_at: DateTime<Utc>,
    /// Who placed it.
    pub placed_by: String,
    /// Since when it is not in force any more.
    pub released_at: Option<DateTime<Utc>>,
    /// Who released it.
    pub released_by: Option<String>,
}

impl Hold {
    /// Whether it keeps events now.
    pub fn is_in_force(&self) -> bool {
        self.released_at.is_none()
    }
}

/// A hold to place.
#[derive(Clone, Debug)]
pub struct NewHold {
    /// What people call it.
    pub name: String,
    /// Events accepted from here on are kept.
    pub from: DateTime<Utc>,
    /// Events accepted before this are kept.
    pub to: DateTime<Utc>,
}

/// Places a hold.
///
/// # Errors
/// [`Error::Invalid`] for `name` and `to`; [`Error::NotFound`], [`Error::Forbidden`].
pub async fn place(services: &Services, actor: &Actor, project: ProjectId, new: NewHold) -> Result<Hold> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let mut fields = Fields::new();
    let name = fields.name("name", &new.name);
    fields.check(new.to > new.from, "to", "must be later than from");
    fields.finish()?;
    let row = hold::Model {
        id: HoldId::at(at).0,
        project_id: project.0,
        name,
        from_at: new.from,
        to_at: new.to,
        placed_at: at,
        placed_by: actor.label.clone(),
        released_at: None,
        released_by: None,
    };
    let placed = read(row.clone());
    let txn = services.db.begin().await?;
    require_project(&txn, project).await?;
    db::holds::insert(&txn, row).await?;
    finish(services, txn, actor, at, &placed, "hold.placed").await?;
    Ok(placed)
}

/// Ends a hold. What it kept leaves when its time is over, at the earliest in the next run.
///
/// # Errors
/// [`Error::Conflict`] when it was released before; [`Error::NotFound`], [`Error::Forbidden`].
pub async fn release(services: &Services, actor: &Actor, project: ProjectId, id: HoldId) -> Result<Hold> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    require_project(&txn, project).await?;
    let row = db::holds::lock(&txn, project.0, id.0)
        .await?
        .ok_or(Error::NotFound("hold"))?;
    if row.released_at.is_some() {
        return Err(Error::Conflict("the hold is released already".to_owned()));
    }
    let row = hold::Model {
        released_at: Some(at),
        released_by: Some(actor.label.clone()),
        ..row
    };
    let released = read(row.clone());
    db::holds::update(&txn, row).await?;
    finish(services, txn, actor, at, &released, "hold.released").await?;
    Ok(released)
}

/// Every hold of a project, newest first, released ones included.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn list(services: &Services, actor: &Actor, project: ProjectId) -> Result<Vec<Hold>> {
    actor.require(project, Role::Viewer)?;
    crate::projects::require_live(services, project).await?;
    let rows = db::holds::list(services.db.orm(), project.0).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// The holds of a project that are in force, by their start. For jobs: no actor.
///
/// # Errors
/// As every statement.
pub async fn in_force(services: &Services, project: ProjectId) -> Result<Vec<Hold>> {
    let rows = db::holds::in_force(services.db.orm(), project.0).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Locks the project's row: holds and the policy never change at the same time.
async fn require_project(txn: &Txn, project: ProjectId) -> Result<()> {
    match db::retention::lock(txn, project.0).await? {
        Some(_) => Ok(()),
        None => Err(Error::NotFound("project")),
    }
}

async fn finish(
    services: &Services,
    txn: Txn,
    actor: &Actor,
    at: DateTime<Utc>,
    hold: &Hold,
    action: &str,
) -> Result<()> {
    db::retention::request_reclass(&txn, hold.project_id.0, at).await?;
    let change = Change {
        action,
        project: Some(hold.project_id),
        subject: &hold.name,
        subject_id: Some(hold.id.0),
        detail: window(hold),
    };
    audit::record(&txn, actor, at, change).await?;
    txn.commit().await?;
    changed(services, hold.project_id).await;
    Ok(())
}

fn window(hold: &Hold) -> Value {
    json!({"from": hold.from, "to": hold.to})
}

fn read(row: hold::Model) -> Hold {
    Hold {
        id: HoldId(row.id),
        project_id: ProjectId(row.project_id),
        name: row.name,
        from: row.from_at,
        to: row.to_at,
        placed_at: row.placed_at,
        placed_by: row.placed_by,
        released_at: row.released_at,
        released_by: row.released_by,
    }
}
