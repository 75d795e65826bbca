//! Where copies lie: the storage policy of the instance, or a project's own.
//!
//! A change makes a new version; a version is never changed, and segments remember theirs, so what
//! was written before a change stays readable. When the configuration names a storage, it decides
//! for the instance, and the page only shows it.
//!
//! - [`save`]: new versions, from a form, the API, or the configuration
//! - [`test`]: trying a policy out
//! - [`stores`]: opened stores

mod save;
mod stores;
mod test;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::Txn;
use db::entities::storage_policy;
use domain::id::{ProjectId, StoragePolicyId};
use domain::role::Role;
use domain::storage::{ProbeReport, StoragePolicy};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

pub use save::{Saved, save, sync_configuration};
pub use stores::{Stores, store_for};
pub use test::{probe, test};

use crate::Services;
use crate::access::Actor;
use crate::error::{Error, Result};

/// Whose policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The instance's, for every project without its own.
    Instance,
    /// A project's own.
    Project(ProjectId),
}

/// Where a version came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A form of the dashboard.
    Page,
    /// The REST API.
    Api,
    /// The command line.
    Command,
    /// The configuration of the instance.
    Configuration,
}

/// What a version is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// New segments are written there.
    Writing,
    /// Segments lie there and are read.
    ReadOnly,
    /// Nothing lies there.
    Empty,
}

/// A policy that is in effect, with its secrets. For jobs; it serializes masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The version; segments remember it.
    pub id: StoragePolicyId,
    /// Counts from 1 within its scope.
    pub version: i32,
    /// Whose it is.
    pub scope: Scope,
    /// The policy.
    pub policy: StoragePolicy,
}

/// Where copies of a project's days lie, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The version.
    pub id: StoragePolicyId,
    /// Counts from 1 within its scope.
    pub version: i32,
    /// Whose it is.
    pub scope: Scope,
    /// In words: `S3, longhaul-archive, prod/`.
    pub place: String,
    /// When it was last tried out.
    pub probed_at: Option<DateTime<Utc>>,
    /// Whether it was fit for copies then.
    pub is_ready: Option<bool>,
}

/// One version of a policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyVersion {
    /// Its id.
    pub id: StoragePolicyId,
    /// Counts from 1 within its scope.
    pub version: i32,
    /// What it is there for.
    pub state: VersionState,
    /// The policy with its secrets masked.
    pub policy: StoragePolicy,
    /// In words: `S3, longhaul-archive, prod/`.
    pub place: String,
    /// Where it came from.
    pub origin: Origin,
    /// Since when it is, or was, in effect.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
    /// Since when a newer one is in effect.
    pub replaced_at: Option<DateTime<Utc>>,
    /// Segments that lie there.
    pub segments: u64,
    /// Their bytes in the store.
    pub bytes: u64,
    /// When one of them was last found whole.
    pub verified_at: Option<DateTime<Utc>>,
    /// What the last try found.
    pub probe: Option<ProbeReport>,
    /// When that was.
    pub probed_at: Option<DateTime<Utc>>,
}

/// The storage of a scope.
#[derive(Clone, Debug, Serialize)]
pub struct Storage {
    /// Whose it is.
    pub scope: Scope,
    /// Whether the configuration decides; the page cannot change it then. Of the instance.
    pub is_configured: bool,
    /// Whether the project uses its own policy. Of a project.
    pub uses_own: bool,
    /// What is in effect for the scope; of a project without its own, the instance's.
    pub in_effect: Option<Place>,
    /// Every version of the scope, newest first.
    pub versions: Vec<PolicyVersion>,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Api => "api",
            Self::Command => "command",
            Self::Configuration => "configuration",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        [Self::Page, Self::Api, Self::Command, Self::Configuration]
            .into_iter()
            .find(|origin| origin.as_str() == text)
            .ok_or_else(|| Error::internal(format!("a storage policy came from {text}")))
    }
}

impl Scope {
    fn project(self) -> Option<ProjectId> {
        match self {
            Self::Instance => None,
            Self::Project(project) => Some(project),
        }
    }

    /// The value of the column `project_id`.
    fn column(self) -> Option<Uuid> {
        self.project().map(|project| project.0)
    }

    fn of(row: &storage_policy::Model) -> Self {
        row.project_id
            .map_or(Self::Instance, |id| Self::Project(ProjectId(id)))
    }

    /// Checks that the actor may look (`Role::Viewer`) or change and try out (`Role::ProjectAdmin`).
    async fn require(self, services: &Services, actor: &Actor, role: Role) -> Result<()> {
        match self {
            Self::Instance => actor.require_instance(),
            Self::Project(project) => {
                actor.require(project, role)?;
                crate::projects::require_live(services, project).await
            }
        }
    }
}

/// The policy under which copies of the project's days are written now; `None` when nobody has said
/// where to. For jobs: no actor.
///
/// # Errors
/// As every statement; [`Error::Internal`] when the secrets do not open with the instance's key.
pub async fn effective(services: &Services, project: ProjectId) -> Result<Option<Effective>> {
    let own = match db::retention::find(services.db.orm(), project.0).await? {
        Some(row) => row.own_storage,
        None => false,
    };
    let scope = if own {
        Scope::Project(project)
    } else {
        Scope::Instance
    };
    newest(services, scope).await
}

/// The newest version of a scope, with its secrets. For jobs and the command line: no actor.
///
/// # Errors
/// As [`effective`].
pub async fn newest(services: &Services, scope: Scope) -> Result<Option<Effective>> {
    let row = db::storage_policies::newest(services.db.orm(), scope.column()).await?;
    row.map(|row| open(services, row)).transpose()
}

/// The storage of a scope with all of its versions.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(services: &Services, actor: &Actor, scope: Scope) -> Result<Storage> {
    scope.require(services, actor, Role::Viewer).await?;
    let (uses_own, in_effect) = match scope {
        Scope::Instance => (false, newest_place(services, scope).await?),
        Scope::Project(project) => {
            let row = db::retention::find(services.db.orm(), project.0).await?;
            let own = row.is_some_and(|row| row.own_storage);
            (own, place_of(services, project, own).await?)
        }
    };
    Ok(Storage {
        scope,
        is_configured: services.options.storage.is_some(),
        uses_own,
        versions: versions(services, scope, in_effect.as_ref()).await?,
        in_effect,
    })
}

/// Where copies of a project's days lie.
pub(crate) async fn place_of(services: &Services, project: ProjectId, own: bool) -> Result<Option<Place>> {
    let scope = if own {
        Scope::Project(project)
    } else {
        Scope::Instance
    };
    newest_place(services, scope).await
}

/// Whether the project has a policy of its own, in use or not.
pub(crate) async fn has_own(txn: &Txn, project: Uuid) -> Result<bool> {
    Ok(db::storage_policies::newest(txn.orm(), Some(project))
        .await?
        .is_some())
}

/// Whether somebody has said where copies of the project's days lie.
pub(crate) async fn is_set(txn: &Txn, project: Uuid, own: bool) -> Result<bool> {
    let scope = own.then_some(project);
    Ok(db::storage_policies::newest(txn.orm(), scope).await?.is_some())
}

async fn newest_place(services: &Services, scope: Scope) -> Result<Option<Place>> {
    let row = db::storage_policies::newest(services.db.orm(), scope.column()).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Place {
        id: StoragePolicyId(row.id),
        version: row.version,
        scope,
        place: shown(services, &row)?.place(),
        is_ready: read_probe(row.probe)?.map(|report| report.is_ready()),
        probed_at: row.probed_at,
    }))
}

async fn versions(
    services: &Services,
    scope: Scope,
    in_effect: Option<&Place>,
) -> Result<Vec<PolicyVersion>> {
    let rows = db::storage_policies::list(services.db.orm(), scope.column()).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let usage = db::storage_policies::usage(&services.db, &ids).await?;
    let mut usage: HashMap<Uuid, _> = usage.into_iter().map(|usage| (usage.policy_id, usage)).collect();
    let mut replaced_at = None;
    let mut versions = Vec::with_capacity(rows.len());
    for row in rows {
        let policy = shown(services, &row)?;
        let usage = usage.remove(&row.id);
        let segments = usage.map_or(0, |usage| usage.segments.unsigned_abs());
        let state = if in_effect.is_some_and(|place| place.id.0 == row.id) {
            VersionState::Writing
        } else if segments > 0 {
            VersionState::ReadOnly
        } else {
            VersionState::Empty
        };
        versions.push(PolicyVersion {
            id: StoragePolicyId(row.id),
            version: row.version,
            state,
            place: policy.place(),
            policy,
            origin: Origin::parse(&row.origin)?,
            created_at: row.created_at,
            created_by: row.created_by,
            replaced_at,
            segments,
            bytes: usage.map_or(0, |usage| usage.bytes.unsigned_abs()),
            verified_at: usage.and_then(|usage| usage.verified_at),
            probe: read_probe(row.probe)?,
            probed_at: row.probed_at,
        });
        replaced_at = Some(row.created_at);
    }
    Ok(versions)
}

/// A stored version with its secrets.
fn open(services: &Services, row: storage_policy::Model) -> Result<Effective> {
    let secrets = match &row.secrets {
        Some(sealed) => {
            let clear = services.vault.open(sealed)?;
            Some(serde_json::from_slice(&clear).map_err(Error::internal)?)
        }
        None => None,
    };
    Ok(Effective {
        id: StoragePolicyId(row.id),
        version: row.version,
        scope: Scope::of(&row),
        policy: StoragePolicy::join(row.settings, secrets).map_err(Error::internal)?,
    })
}

/// A stored version as it is shown: with masks for secrets. Without its secrets when they do not
/// open, so that a page that helps to put that right can still be shown.
fn shown(services: &Services, row: &storage_policy::Model) -> Result<StoragePolicy> {
    match open(services, row.clone()) {
        Ok(opened) => Ok(opened.policy.masked()),
        Err(error) => {
            tracing::warn!(policy = %row.id, %error, "secrets of a storage policy do not open");
            StoragePolicy::join(row.settings.clone(), None).map_err(Error::internal)
        }
    }
}

fn read_probe(probe: Option<Value>) -> Result<Option<ProbeReport>> {
    probe
        .map(serde_json::from_value)
        .transpose()
        .map_err(Error::internal)
}
