//! The in-memory table that routing reads instead of PostgreSQL.
//!
//! It holds every live project with its endpoints, subscriptions, filters, secrets and keys. The
//! tables notify on every change, whoever made it; a change in this process is loaded before its
//! call returns. An accepted event carries the version that its process knew, and a worker that
//! knows an older one loads first, so a subscription made before an event always sees it. A lost
//! notification is made up for by comparing versions once a minute.

mod compile;
mod model;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use db::Db;
use domain::clock::Clock;
use domain::id::ProjectId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use model::{BodyForm, Endpoint, Key, Project, Sample, Subscription};

use crate::access::{Actor, ActorKind, Grants};
use crate::error::{Error, Result};
use crate::options::DeliveryOptions;
use crate::vault::Vault;

/// How often versions are compared although no notification came.
const COMPARE_EVERY: Duration = Duration::from_mins(1);
/// Pause before listening again after PostgreSQL went away.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// The table. Readers take a snapshot and never wait.
#[derive(Debug)]
pub struct Catalog {
    db: Db,
    vault: Vault,
    options: DeliveryOptions,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwap<Snapshot>,
    /// One load at a time, so that an older one never overwrites a newer one.
    loading: Mutex<()>,
}

#[derive(Debug, Default)]
struct Snapshot {
    projects: HashMap<ProjectId, Arc<Project>>,
    keys: HashMap<String, Arc<Key>>,
    loaded: bool,
}

impl Catalog {
    /// An empty table; see [`Catalog::reload`] and [`Catalog::follow`].
    pub fn new(db: Db, vault: Vault, options: DeliveryOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            db,
            vault,
            options,
            clock,
            snapshot: ArcSwap::default(),
            loading: Mutex::default(),
        }
    }

    /// A live project.
    pub fn project(&self, id: ProjectId) -> Option<Arc<Project>> {
        self.snapshot.load().projects.get(&id).cloned()
    }

    /// A live project, at least as new as `version`: loads it when this table is behind.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while PostgreSQL is away and the table is behind.
    pub async fn project_at(&self, id: ProjectId, version: i64) -> Result<Option<Arc<Project>>> {
        match self.project(id) {
            Some(project) if project.version >= version => Ok(Some(project)),
            _ => {
                self.refresh(id).await?;
                Ok(self.project(id))
            }
        }
    }

    /// Whether the table was ever loaded.
    pub fn is_loaded(&self) -> bool {
        self.snapshot.load().loaded
    }

    /// Loads everything.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while PostgreSQL is away; the old table stays.
    pub async fn reload(&self) -> Result<()> {
        let _one = self.loading.lock().await;
        let rows = db::catalog::load(&self.db, None).await?;
        let compiled = compile::compile(rows, &self.vault, &self.options);
        self.snapshot.store(Arc::new(Snapshot {
            projects: compiled.projects,
            keys: compiled.keys,
            loaded: true,
        }));
        Ok(())
    }

    /// Loads one project.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while PostgreSQL is away; the old entry stays.
    pub async fn refresh(&self, project: ProjectId) -> Result<()> {
        self.refresh_all(&[project]).await
    }

    async fn refresh_all(&self, projects: &[ProjectId]) -> Result<()> {
        let _one = self.loading.lock().await;
        let rows = db::catalog::load(&self.db, Some(projects)).await?;
        let fresh = compile::compile(rows, &self.vault, &self.options);
        let old = self.snapshot.load();
        let mut next = Snapshot {
            projects: old.projects.clone(),
            keys: old.keys.clone(),
            loaded: old.loaded,
        };
        next.projects.retain(|id, _| !projects.contains(id));
        next.keys.retain(|_, key| !projects.contains(&key.project));
        next.projects.extend(fresh.projects);
        next.keys.extend(fresh.keys);
        self.snapshot.store(Arc::new(next));
        Ok(())
    }

    /// Makes sure that what this table says of some projects is what PostgreSQL says now. Costs one
    /// small statement when it is.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while PostgreSQL is away.
    pub async fn catch_up(&self, projects: &[ProjectId]) -> Result<()> {
        let versions = db::catalog::versions(&self.db, Some(projects)).await?;
        let versions: HashMap<ProjectId, i64> = versions.into_iter().collect();
        let known = |id: &ProjectId| self.project(*id).map(|project| project.version);
        let changed: Vec<ProjectId> = projects
            .iter()
            .filter(|id| known(id) != versions.get(id).copied())
            .copied()
            .collect();
        if changed.is_empty() {
            Ok(())
        } else {
            self.refresh_all(&changed).await
        }
    }

    /// Loads the projects whose version is not the one in this table.
    async fn compare(&self) -> Result<()> {
        let versions = db::catalog::versions(&self.db, None).await?;
        let snapshot = self.snapshot.load_full();
        let mut changed: Vec<ProjectId> = versions
            .iter()
            .filter(|(id, version)| snapshot.projects.get(id).is_none_or(|p| p.version != *version))
            .map(|(id, _)| *id)
            .collect();
        let live: std::collections::HashSet<ProjectId> = versions.into_iter().map(|(id, _)| id).collect();
        changed.extend(snapshot.projects.keys().filter(|id| !live.contains(id)));
        if changed.is_empty() {
            Ok(())
        } else {
            self.refresh_all(&changed).await
        }
    }

    /// Keeps the table up to date until `stop`.
    pub async fn follow(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let heard = tokio::select! {
                () = stop.cancelled() => return,
                heard = self.hear() => heard,
            };
            if let Err(error) = heard {
                tracing::warn!(%error, "cannot follow changes of projects, trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LISTEN_PAUSE) => {}
            }
        }
    }

    /// Listens until the connection breaks.
    async fn hear(&self) -> Result<()> {
        let mut changes = db::catalog::Changes::listen(&self.db).await?;
        // What changed before the first notification could be heard.
        if self.is_loaded() {
            self.compare().await?;
        } else {
            self.reload().await?;
        }
        loop {
            match tokio::time::timeout(COMPARE_EVERY, changes.next()).await {
                Ok(Ok(Some(project))) => self.refresh(project).await?,
                Ok(Ok(None)) | Err(_) => self.compare().await?,
                Ok(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Who holds an API key (`LH.<mask>.<key>`).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a key that is malformed, unknown, revoked or expired.
    pub fn authenticate(&self, token: &str) -> Result<Actor> {
        const REFUSED: Error = Error::Unauthenticated("authorization failed");
        let (mask, secret) = token
            .strip_prefix("LH.")
            .and_then(|rest| rest.split_once('.'))
            .ok_or(REFUSED)?;
        let snapshot = self.snapshot.load();
        if !snapshot.loaded {
            return Err(Error::Unavailable {
                what: "PostgreSQL",
                retry_after: 5,
            });
        }
        let key = snapshot.keys.get(mask).ok_or(REFUSED)?;
        let proven: bool = Sha256::digest(secret.as_bytes())
            .as_slice()
            .ct_eq(&key.hash)
            .into();
        let expired = key.expires_at.is_some_and(|at| at <= self.clock.now());
        if !proven || expired {
            return Err(REFUSED);
        }
        Ok(Actor {
            kind: ActorKind::ApiKey(key.id),
            label: format!("key {}", key.name),
            address: None,
            grants: Grants::Projects(vec![(key.project, key.role)]),
        })
    }
}
