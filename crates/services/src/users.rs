//! People who sign in, and what each of them may see.

use chrono::{DateTime, Utc};
use db::entities::{member, user};
use db::projects::ProjectScope;
use domain::id::{OrganisationId, ProjectId, UserId};
use domain::project::ProjectKind;
use domain::role::Role;
use serde::Serialize;

use crate::access::{Actor, ActorKind, Grants};
use crate::audit::{self, Change};
use crate::changed::now;
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::organisations::Organisation;
use crate::page::{Page, PageRequest};
use crate::{Services, password, sign_in};

/// A person.
#[derive(Clone, Debug, Serialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// What it signs in with.
    pub email: String,
    /// Given name; may be empty.
    pub first_name: String,
    /// Family name; may be empty.
    pub last_name: String,
    /// Whether it rules the instance.
    pub instance_admin: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it may not sign in.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// A person to make.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// What it signs in with.
    pub email: String,
    /// Clear text, at least 8 characters.
    pub password: String,
    /// Given name; may be empty.
    pub first_name: String,
    /// Family name; may be empty.
    pub last_name: String,
    /// Whether it rules the instance.
    pub instance_admin: bool,
}

/// A project as the navigation shows it.
#[derive(Clone, Debug, Serialize)]
pub struct ViewerProject {
    /// Its id.
    pub id: ProjectId,
    /// The organisation that it belongs to.
    pub organisation_id: OrganisationId,
    /// Its name.
    pub name: String,
    /// Which way its events travel.
    pub kind: ProjectKind,
    /// What the viewer may do in it.
    pub role: Role,
}

/// Who looks at a page: the person, and all that it may see.
#[derive(Clone, Debug, Serialize)]
pub struct Viewer {
    /// The person.
    pub user: User,
    /// The organisations that it belongs to; all for an instance admin. By name.
    pub organisations: Vec<Organisation>,
    /// The projects that it may see, by name.
    pub projects: Vec<ViewerProject>,
}

impl Viewer {
    /// The actor that use cases take; `address` is the client's network address.
    pub fn actor(&self, address: Option<String>) -> Actor {
        let grants = if self.user.instance_admin {
            Grants::Instance
        } else {
            Grants::Projects(
                self.projects
                    .iter()
                    .map(|project| (project.id, project.role))
                    .collect(),
            )
        };
        Actor {
            kind: ActorKind::User(self.user.id),
            label: self.user.email.clone(),
            address,
            grants,
        }
    }
}

/// Makes a person. Only for instance admins.
///
/// # Errors
/// [`Error::Invalid`] for `email` and `password`.
pub async fn create(services: &Services, actor: &Actor, new: NewUser) -> Result<User> {
    actor.require_instance()?;
    let mut fields = Fields::new();
    let email = fields.email("email", &new.email);
    let first_name = fields.line("first_name", &new.first_name, crate::fields::MAX_NAME);
    let last_name = fields.line("last_name", &new.last_name, crate::fields::MAX_NAME);
    password::check(&mut fields, "password", &new.password);
    fields.finish()?;

    let password_hash = password::hash(&new.password).await?;
    let at = now(services);
    let row = user::Model {
        id: UserId::at(at).0,
        email,
        first_name,
        last_name,
        password_hash,
        instance_admin: new.instance_admin,
        created_at: at,
        updated_at: at,
        disabled_at: None,
    };
    let user = User::from(row.clone());
    let txn = services.db.begin().await?;
    db::users::insert(&txn, row).await.map_err(email_taken)?;
    let detail = serde_json::json!({"instance_admin": user.instance_admin});
    record(&txn, actor, at, "user.created", &user, detail).await?;
    txn.commit().await?;
    Ok(user)
}

/// A person by id. For that person and for instance admins.
///
/// # Errors
/// [`Error::Forbidden`] for anybody else, [`Error::NotFound`].
pub async fn find(services: &Services, actor: &Actor, id: UserId) -> Result<User> {
    require_self_or_instance(actor, id)?;
    let row = db::users::find(services.db.orm(), id.0)
        .await?
        .ok_or(Error::NotFound("user"))?;
    Ok(row.into())
}

/// All people. Only for instance admins.
///
/// # Errors
/// [`Error::Forbidden`] for anybody else.
pub async fn list(services: &Services, actor: &Actor, page: PageRequest) -> Result<Page<User>> {
    actor.require_instance()?;
    Ok(db::users::page(services.db.orm(), page).await?.map(User::from))
}

/// Changes a password and ends every session of that person.
///
/// People prove themselves with `current`; instance admins need not for others.
///
/// # Errors
/// [`Error::Invalid`] for `current` and `password`, [`Error::RateLimited`] after too many wrong
/// ones, [`Error::Forbidden`], [`Error::NotFound`].
pub async fn change_password(
    services: &Services,
    actor: &Actor,
    id: UserId,
    current: Option<&str>,
    new: &str,
) -> Result<()> {
    require_self_or_instance(actor, id)?;
    let mut fields = Fields::new();
    password::check(&mut fields, "password", new);
    fields.finish()?;
    let user = db::users::find(services.db.orm(), id.0)
        .await?
        .ok_or(Error::NotFound("user"))?;
    if actor.user() == Some(id) {
        let subject = format!("password:{id}");
        sign_in::take_try(services, &subject).await?;
        if !password::verify(current.unwrap_or_default(), Some(&user.password_hash)).await? {
            return Err(Error::invalid("current", "is not the current password"));
        }
        db::sign_in_failures::forget(&services.db, &subject).await?;
    }

    let password_hash = password::hash(new).await?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let changed = user::Model {
        password_hash,
        updated_at: at,
        ..user
    };
    db::users::update(&txn, changed.clone()).await?;
    record(
        &txn,
        actor,
        at,
        "user.password_changed",
        &changed.into(),
        serde_json::json!({}),
    )
    .await?;
    txn.commit().await?;
    db::sessions::delete_of_user(&services.db, id.0, None).await?;
    Ok(())
}

/// Everything that a page needs to know of who looks at it, in four short reads.
///
/// # Errors
/// [`Error::Unauthenticated`] when the person is gone or disabled.
pub async fn viewer(services: &Services, id: UserId) -> Result<Viewer> {
    let conn = services.db.orm();
    let user: User = db::users::find(conn, id.0)
        .await?
        .filter(|user| user.disabled_at.is_none())
        .ok_or(Error::Unauthenticated("sign in again"))?
        .into();
    let memberships = if user.instance_admin {
        Vec::new()
    } else {
        db::organisations::memberships(conn, id.0).await?
    };
    let own: Option<Vec<_>> =
        (!user.instance_admin).then(|| memberships.iter().map(|m| m.organisation_id).collect());
    let organisations = db::organisations::list(conn, own.as_deref()).await?;
    let scope = ProjectScope {
        ids: None,
        organisations: own,
    };
    let projects = db::projects::list(conn, &scope).await?;
    let projects = projects.into_iter().filter_map(|project| {
        let role = if user.instance_admin {
            Role::InstanceAdmin
        } else {
            role_in(&memberships, project.organisation_id, project.id)?
        };
        Some(ViewerProject {
            id: ProjectId(project.id),
            organisation_id: OrganisationId(project.organisation_id),
            kind: ProjectKind::parse(&project.kind)?,
            name: project.name,
            role,
        })
    });
    Ok(Viewer {
        projects: projects.collect(),
        organisations: organisations.into_iter().map(Organisation::from).collect(),
        user,
    })
}

/// The strongest role that memberships give in a project. Nobody rules the instance by membership.
fn role_in(memberships: &[member::Model], organisation: uuid::Uuid, project: uuid::Uuid) -> Option<Role> {
    memberships
        .iter()
        .filter(|m| m.organisation_id == organisation && m.project_id.is_none_or(|id| id == project))
        .filter_map(|m| Role::parse(&m.role))
        .max()
        .map(|role| role.min(Role::ProjectAdmin))
}

fn require_self_or_instance(actor: &Actor, id: UserId) -> Result<()> {
    if actor.user() == Some(id) {
        Ok(())
    } else {
        actor.require_instance()
    }
}

fn email_taken(error: db::DbError) -> Error {
    match error {
        db::DbError::Duplicate { constraint } if constraint == "users_email_key" => {
            Error::invalid("email", "is taken by another user")
        }
        other => other.into(),
    }
}

async fn record(
    txn: &db::Txn,
    actor: &Actor,
    at: DateTime<Utc>,
    action: &str,
    user: &User,
    detail: serde_json::Value,
) -> Result<()> {
    let change = Change {
        action,
        project: None,
        subject: &user.email,
        subject_id: Some(user.id.0),
        detail,
    };
    audit::record(txn, actor, at, change).await
}

impl From<user::Model> for User {
    fn from(row: user::Model) -> Self {
        Self {
            id: UserId(row.id),
            email: row.email,
            first_name: row.first_name,
            last_name: row.last_name,
            instance_admin: row.instance_admin,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
        }
    }
}
