//! Organisations and their members.

use chrono::{DateTime, Utc};
use db::entities::{member, organisation};
use domain::id::{OrganisationId, ProjectId, UserId};
use domain::role::Role;
use serde::Serialize;

use crate::Services;
use crate::access::{Actor, Grants};
use crate::audit::{self, Change};
use crate::changed::now;
use crate::error::{Error, Result};
use crate::fields::Fields;

/// Owns projects, has members.
#[derive(Clone, Debug, Serialize)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl From<organisation::Model> for Organisation {
    fn from(row: organisation::Model) -> Self {
        Self {
            id: OrganisationId(row.id),
            name: row.name,
            created_at: row.created_at,
        }
    }
}

/// Makes an organisation. Only for instance admins.
///
/// # Errors
/// [`Error::Invalid`] for `name`.
pub async fn create(services: &Services, actor: &Actor, name: &str) -> Result<Organisation> {
    actor.require_instance()?;
    let mut fields = Fields::new();
    let name = fields.name("name", name);
    fields.finish()?;
    let at = now(services);
    let row = organisation::Model {
        id: OrganisationId::at(at).0,
        name,
        created_at: at,
        updated_at: at,
    };
    let txn = services.db.begin().await?;
    db::organisations::insert(&txn, row.clone()).await?;
    let change = Change {
        action: "organisation.created",
        project: None,
        subject: &row.name,
        subject_id: Some(row.id),
        detail: serde_json::json!({}),
    };
    audit::record(&txn, actor, at, change).await?;
    txn.commit().await?;
    Ok(row.into())
}

/// The organisations that the actor may see, by name: all for instance admins, those that they
/// belong to for people, none for keys of projects.
///
/// # Errors
/// As every statement.
pub async fn list(services: &Services, actor: &Actor) -> Result<Vec<Organisation>> {
    let conn = services.db.orm();
    let own = match (&actor.grants, actor.user()) {
        (Grants::Instance, _) => None,
        (Grants::Projects(_), Some(user)) => {
            let memberships = db::organisations::memberships(conn, user.0).await?;
            Some(
                memberships
                    .into_iter()
                    .map(|m| m.organisation_id)
                    .collect::<Vec<_>>(),
            )
        }
        (Grants::Projects(_), None) => return Ok(Vec::new()),
    };
    let rows = db::organisations::list(conn, own.as_deref()).await?;
    Ok(rows.into_iter().map(Organisation::from).collect())
}

/// Makes a person a member: of all projects of the organisation, or of one. A member gets the new
/// role. For instance admins and for admins of the organisation.
///
/// # Errors
/// [`Error::Invalid`] for `role` and `project_id`, [`Error::NotFound`], [`Error::Forbidden`].
pub async fn add_member(
    services: &Services,
    actor: &Actor,
    organisation: OrganisationId,
    user: UserId,
    project: Option<ProjectId>,
    role: Role,
) -> Result<()> {
    require_admin(services, actor, organisation).await?;
    if role > Role::ProjectAdmin {
        return Err(Error::invalid("role", "must be project_viewer or project_admin"));
    }
    let conn = services.db.orm();
    let person = db::users::find(conn, user.0)
        .await?
        .ok_or(Error::NotFound("user"))?;
    if db::organisations::find(conn, organisation.0).await?.is_none() {
        return Err(Error::NotFound("organisation"));
    }
    if let Some(project) = project {
        let found = db::projects::find(conn, project.0).await?;
        if found.is_none_or(|found| found.organisation_id != organisation.0) {
            return Err(Error::invalid(
                "project_id",
                "is not a project of this organisation",
            ));
        }
    }
    let at = now(services);
    let row = member::Model {
        id: domain::id::uuid_at(at),
        organisation_id: organisation.0,
        user_id: user.0,
        project_id: project.map(|id| id.0),
        role: role.as_str().to_owned(),
        created_at: at,
    };
    let txn = services.db.begin().await?;
    db::organisations::put_member(&txn, row).await?;
    let change = Change {
        action: "member.added",
        project,
        subject: &person.email,
        subject_id: Some(user.0),
        detail: serde_json::json!({"organisation_id": organisation, "role": role}),
    };
    audit::record(&txn, actor, at, change).await?;
    txn.commit().await?;
    Ok(())
}

/// Checks that the actor rules the instance or the whole organisation.
pub(crate) async fn require_admin(
    services: &Services,
    actor: &Actor,
    organisation: OrganisationId,
) -> Result<()> {
    if matches!(actor.grants, Grants::Instance) {
        return Ok(());
    }
    let Some(user) = actor.user() else {
        return Err(Error::Forbidden("a key of a project may not do this"));
    };
    let memberships = db::organisations::memberships(services.db.orm(), user.0).await?;
    let rules = memberships.iter().any(|m| {
        m.organisation_id == organisation.0
            && m.project_id.is_none()
            && Role::parse(&m.role).is_some_and(|role| role >= Role::ProjectAdmin)
    });
    if rules {
        Ok(())
    } else {
        Err(Error::Forbidden("only an admin of the organisation may do this"))
    }
}
