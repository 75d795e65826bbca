//! API keys of projects: `LH.<16 characters>.<64 characters>`.
//!
//! The first part finds the key, the second proves it. Only the second part's SHA-256 is stored.

use chrono::{DateTime, Utc};
use db::Txn;
use db::entities::api_key;
use domain::id::{ApiKeyId, ProjectId, UserId};
use domain::role::Role;
use rand::Rng;
use rand::distr::Alphanumeric;
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Services;
use crate::access::{Actor, ActorKind, Grants};
use crate::audit::{self, Change};
use crate::changed::{changed, now};
use crate::error::{Error, Result};
use crate::fields::Fields;

/// Characters that find a key.
const MASK_LENGTH: usize = 16;
/// Characters that prove a key: more than 380 random bits.
const SECRET_LENGTH: usize = 64;

/// A key as it is listed: never in clear.
#[derive(Clone, Debug, Serialize)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The project that it opens.
    pub project_id: ProjectId,
    /// What people call it.
    pub name: String,
    /// The public part: `LH.<16 characters>`.
    pub mask: String,
    /// What it may do in the project.
    pub role: Role,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// Until when it is good; `None` = for ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl From<api_key::Model> for ApiKey {
    fn from(row: api_key::Model) -> Self {
        Self {
            id: ApiKeyId(row.id),
            project_id: ProjectId(row.project_id),
            name: row.name,
            mask: format!("LH.{}", row.mask),
            role: Role::parse(&row.role).unwrap_or(Role::Viewer),
            created_by: row.created_by.map(UserId),
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            created_at: row.created_at,
        }
    }
}

/// A fresh key, with the only sight of its clear text.
#[derive(Clone)]
pub struct CreatedApiKey {
    /// The key.
    pub key: ApiKey,
    /// What the client sends: `LH.<16 characters>.<64 characters>`.
    pub clear: String,
}

impl std::fmt::Debug for CreatedApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedApiKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A key to make.
#[derive(Clone, Debug, Default)]
pub struct NewApiKey {
    /// What people call it.
    pub name: String,
    /// What it may do; project admin when left out.
    pub role: Option<Role>,
    /// Until when it is good; for ever when left out.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a key. The clear text is in the answer and nowhere else.
///
/// # Errors
/// [`Error::Invalid`] for `name`, `role` and `expires_at`.
pub async fn create(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    new: NewApiKey,
) -> Result<CreatedApiKey> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let mut fields = Fields::new();
    let name = fields.name("name", &new.name);
    fields.check(
        new.role.is_none_or(|role| role <= Role::ProjectAdmin),
        "role",
        "must be project_viewer or project_admin",
    );
    fields.check(
        new.expires_at.is_none_or(|until| until > at),
        "expires_at",
        "must lie in the future",
    );
    fields.finish()?;

    let txn = services.db.begin().await?;
    if db::projects::find(txn.orm(), project.0).await?.is_none() {
        return Err(Error::NotFound("project"));
    }
    let created = insert(&txn, actor, project, NewApiKey { name, ..new }, at).await?;
    txn.commit().await?;
    changed(services, project).await;
    Ok(created)
}

/// Makes a key inside of a larger change; the name has been checked.
pub(crate) async fn insert(
    txn: &Txn,
    actor: &Actor,
    project: ProjectId,
    new: NewApiKey,
    at: DateTime<Utc>,
) -> Result<CreatedApiKey> {
    let (mask, secret) = (random_text(MASK_LENGTH), random_text(SECRET_LENGTH));
    let row = api_key::Model {
        id: ApiKeyId::at(at).0,
        project_id: project.0,
        name: new.name,
        hash: Sha256::digest(&secret).to_vec(),
        role: new.role.unwrap_or(Role::ProjectAdmin).as_str().to_owned(),
        created_by: actor.user().map(|id| id.0),
        expires_at: new.expires_at,
        revoked_at: None,
        created_at: at,
        mask: mask.clone(),
    };
    let key = ApiKey::from(row.clone());
    db::api_keys::insert(txn, row).await?;
    let detail = serde_json::json!({"role": key.role, "expires_at": key.expires_at});
    record(txn, actor, at, "api_key.created", &key, detail).await?;
    Ok(CreatedApiKey {
        key,
        clear: format!("LH.{mask}.{secret}"),
    })
}

/// All keys of a project, newest first, revoked ones included.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(services: &Services, actor: &Actor, project: ProjectId) -> Result<Vec<ApiKey>> {
    actor.require(project, Role::ProjectAdmin)?;
    let rows = db::api_keys::list(services.db.orm(), project.0).await?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Stops a key. To stop it again changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn revoke(services: &Services, actor: &Actor, project: ProjectId, id: ApiKeyId) -> Result<()> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let row = db::api_keys::lock(&txn, project.0, id.0)
        .await?
        .ok_or(Error::NotFound("API key"))?;
    if row.revoked_at.is_some() {
        return Ok(());
    }
    let row = api_key::Model {
        revoked_at: Some(at),
        ..row
    };
    db::api_keys::update(&txn, row.clone()).await?;
    record(
        &txn,
        actor,
        at,
        "api_key.revoked",
        &row.into(),
        serde_json::json!({}),
    )
    .await?;
    txn.commit().await?;
    changed(services, project).await;
    Ok(())
}

/// The actor behind a key, straight from the table. `address` is the client's network address.
///
/// # Errors
/// [`Error::Unauthenticated`] for whatever is not a good key of a live project.
pub async fn authenticate(services: &Services, token: &str, address: Option<String>) -> Result<Actor> {
    const REFUSED: Error = Error::Unauthenticated("authorization failed");
    let (mask, secret) = token
        .strip_prefix("LH.")
        .and_then(|rest| rest.split_once('.'))
        .ok_or(REFUSED)?;
    if mask.len() != MASK_LENGTH || !mask.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(REFUSED);
    }
    let row = db::api_keys::find_by_mask(services.db.orm(), mask)
        .await?
        .ok_or(REFUSED)?;
    let proven: bool = Sha256::digest(secret).as_slice().ct_eq(&row.hash).into();
    let expired = row.expires_at.is_some_and(|until| until <= services.clock.now());
    if !proven || expired || row.revoked_at.is_some() {
        return Err(REFUSED);
    }
    let role = Role::parse(&row.role)
        .unwrap_or(Role::Viewer)
        .min(Role::ProjectAdmin);
    Ok(Actor {
        kind: ActorKind::ApiKey(ApiKeyId(row.id)),
        label: format!("key {}", row.name),
        address,
        grants: Grants::Projects(vec![(ProjectId(row.project_id), role)]),
    })
}

/// Letters and digits from the system's entropy.
pub(crate) fn random_text(length: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}

async fn record(
    txn: &Txn,
    actor: &Actor,
    at: DateTime<Utc>,
    action: &str,
    key: &ApiKey,
    detail: serde_json::Value,
) -> Result<()> {
    let change = Change {
        action,
        project: Some(key.project_id),
        subject: &key.name,
        subject_id: Some(key.id.0),
        detail,
    };
    audit::record(txn, actor, at, change).await
}
