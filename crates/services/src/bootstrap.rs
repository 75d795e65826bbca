//! First steps of an instance: a user, an organisation, a project, an API key.

use domain::id::OrganisationId;
use domain::role::Role;

use crate::Services;
use crate::access::Actor;
use crate::api_keys::{self, CreatedApiKey, NewApiKey};
use crate::error::Result;
use crate::organisations::{self, Organisation};
use crate::projects::{self, NewProject, Project};
use crate::users::{self, NewUser, User};

/// What things are called when nobody says.
const DEFAULT_NAME: &str = "Default";
/// Two bootstraps at the same time take turns on this lock.
const LOCK: i64 = 0x6c68_626f_6f74; // "lhboot"

/// What there shall be.
#[derive(Clone, Default)]
pub struct Bootstrap {
    /// What the first user signs in with.
    pub email: String,
    /// Its password; looked at only when the user is made.
    pub password: String,
    /// `Default` when empty.
    pub organisation_name: String,
    /// `Default` when empty.
    pub project_name: String,
    /// Whether to make a key although the project has one.
    pub new_api_key: bool,
}

impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bootstrap")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// What there is now.
#[derive(Clone, Debug)]
pub struct Bootstrapped {
    /// The user; rules the instance when it was made here.
    pub user: User,
    /// The organisation.
    pub organisation: Organisation,
    /// The project.
    pub project: Project,
    /// The key in clear; `None` when the project had one and no other was asked for.
    pub api_key: Option<CreatedApiKey>,
}

/// Makes what is missing and keeps what is there, however often it is called.
///
/// # Errors
/// [`crate::Error::Invalid`] for `email`, `password` and the names.
pub async fn bootstrap(services: &Services, wanted: Bootstrap) -> Result<Bootstrapped> {
    let turn = services.db.begin().await?;
    turn.lock(LOCK).await?;
    let actor = Actor::system();
    let user = ensure_user(services, &actor, &wanted).await?;
    let organisation = ensure_organisation(services, &actor, &wanted, &user).await?;
    let (project, mut api_key) = ensure_project(services, &actor, &wanted, organisation.id).await?;
    let has_key = db::api_keys::count_unrevoked(services.db.orm(), project.id.0).await? > 0;
    if api_key.is_none() && (wanted.new_api_key || !has_key) {
        let new = NewApiKey {
            name: "bootstrap".to_owned(),
            ..NewApiKey::default()
        };
        api_key = Some(api_keys::create(services, &actor, project.id, new).await?);
    }
    turn.commit().await?;
    Ok(Bootstrapped {
        user,
        organisation,
        project,
        api_key,
    })
}

async fn ensure_user(services: &Services, actor: &Actor, wanted: &Bootstrap) -> Result<User> {
    if let Some(known) = db::users::find_by_email(services.db.orm(), wanted.email.trim()).await? {
        return Ok(known.into());
    }
    let new = NewUser {
        email: wanted.email.clone(),
        password: wanted.password.clone(),
        instance_admin: true,
        ..NewUser::default()
    };
    users::create(services, actor, new).await
}

async fn ensure_organisation(
    services: &Services,
    actor: &Actor,
    wanted: &Bootstrap,
    user: &User,
) -> Result<Organisation> {
    let name = or_default(&wanted.organisation_name);
    if let Some(known) = db::organisations::find_by_name(services.db.orm(), name).await? {
        return Ok(known.into());
    }
    let made = organisations::create(services, actor, name).await?;
    organisations::add_member(services, actor, made.id, user.id, None, Role::ProjectAdmin).await?;
    Ok(made)
}

async fn ensure_project(
    services: &Services,
    actor: &Actor,
    wanted: &Bootstrap,
    organisation: OrganisationId,
) -> Result<(Project, Option<CreatedApiKey>)> {
    let name = or_default(&wanted.project_name);
    if let Some(known) = db::projects::find_by_name(services.db.orm(), organisation.0, name).await? {
        return Ok((projects::read(known)?, None));
    }
    let new = NewProject {
        organisation: Some(organisation),
        name: name.to_owned(),
        kind: "outgoing".to_owned(),
        ..NewProject::default()
    };
    let made = projects::create(services, actor, new).await?;
    Ok((made.project, Some(made.api_key)))
}

fn or_default(name: &str) -> &str {
    match name.trim() {
        "" => DEFAULT_NAME,
        given => given,
    }
}
