//! The ledger: every erasure as an object in the store, so that a database that was restored to an older
//! moment hears of it again. Values in it are encrypted with the instance's key.

use chrono::{DateTime, Utc};
use db::erasures::ErasureRow;
use domain::erasure::Target;
use domain::id::{ErasureId, ProjectId, StoragePolicyId};
use serde::{Deserialize, Serialize};
use storage::{Body, ErrorKind, ObjectStore, PutCondition, StoreError};
use uuid::Uuid;

use super::receipt::{self, Progress};
use super::{Open, request};
use crate::Services;
use crate::access::Actor;
use crate::error::{Error, Result};
use crate::storage_policies::{self, store_for};

/// Before every key of the ledger; no segment's key begins so.
const PREFIX: &str = "_ledger/";
/// Entries of one list.
const PAGE: usize = 500;

/// An erasure in the store.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    version: u8,
    id: ErasureId,
    project_id: ProjectId,
    /// A value in it is encrypted.
    target: Target,
    requested_at: DateTime<Utc>,
}

/// Why an entry was not written.
#[derive(Debug)]
pub(super) enum EntryError {
    Store(StoreError),
    Service(Error),
}

impl From<Error> for EntryError {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

/// Name of the object of an erasure.
fn key(project: ProjectId, erasure: ErasureId) -> String {
    format!("{PREFIX}{project}/{erasure}.json")
}

/// Writes the entry of an erasure where the project's segments are written, unless it is there. Without
/// a storage policy there is no archive, and nothing to remember it in.
pub(super) async fn enter(services: &Services, open: &mut Open) -> std::result::Result<(), EntryError> {
    if open.ledger_key.is_some() {
        return Ok(());
    }
    let Some(policy) = storage_policies::effective(services, open.project).await? else {
        return Ok(());
    };
    let entry = Entry {
        version: 1,
        id: open.id,
        project_id: open.project,
        target: receipt::seal(services, &open.target)?,
        requested_at: open.requested_at,
    };
    let key = key(open.project, open.id);
    let store = store_for(services, policy.id).await?;
    let body = serde_json::to_vec(&entry).map_err(Error::internal)?;
    store
        .put(&key, Body::Bytes(body.into()), PutCondition::Any)
        .await
        .map_err(EntryError::Store)?;
    db::erasures::entered(&services.db, open.id, &key)
        .await
        .map_err(Error::from)?;
    open.ledger_key = Some(key);
    Ok(())
}

/// Asks again for every erasure that a ledger knows and PostgreSQL does not: for the moment after a
/// database was restored. Returns how many there were.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL or a store is away: erasures may be missing then.
pub async fn replay_ledger(services: &Services) -> Result<u64> {
    let mut replayed = 0;
    for policy in db::erasures::policies(&services.db).await? {
        let store = store_for(services, StoragePolicyId(policy)).await?;
        replayed += replay_from(services, store.as_ref()).await?;
    }
    Ok(replayed)
}

async fn replay_from(services: &Services, store: &dyn ObjectStore) -> Result<u64> {
    let (mut replayed, mut after) = (0, None);
    loop {
        let page = match store.list(PREFIX, after.as_deref(), PAGE).await {
            // Nothing was ever written there.
            Err(error) if error.kind() == ErrorKind::NoBucket => return Ok(replayed),
            page => page.map_err(|error| away(&error))?,
        };
        let named: Vec<(&str, Uuid)> = page
            .objects
            .iter()
            .filter_map(|object| Some((&*object.key, erasure_of(&object.key)?)))
            .collect();
        let ids: Vec<Uuid> = named.iter().map(|(_, id)| *id).collect();
        let known = db::erasures::known(&services.db, &ids).await?;
        for (key, _) in named.iter().filter(|(_, id)| !known.contains(id)) {
            replayed += u64::from(replay(services, store, key).await?);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(replayed),
        }
    }
}

/// The erasure that a key names.
fn erasure_of(key: &str) -> Option<Uuid> {
    key.strip_suffix(".json")?.rsplit('/').next()?.parse().ok()
}

/// Asks for one erasure again; `false` when its project does not exist or the entry is not ours.
async fn replay(services: &Services, store: &dyn ObjectStore, key: &str) -> Result<bool> {
    let object = store.get(key, None).await.map_err(|error| away(&error))?;
    let bytes = object.bytes().await.map_err(|error| away(&error))?;
    let entry: Entry = match serde_json::from_slice(&bytes) {
        Ok(entry) => entry,
        Err(error) => {
            tracing::error!(%error, key, "an entry of the ledger of erasures cannot be read");
            return Ok(false);
        }
    };
    // With another key nothing could be looked for; it must not look as if it had been.
    if let Err(error) = receipt::unseal(services, &entry.target) {
        tracing::error!(%error, key, "an entry of the ledger of erasures does not open with this instance's key");
        return Ok(false);
    }
    if db::projects::find(services.db.orm(), entry.project_id.0)
        .await?
        .is_none()
    {
        return Ok(false);
    }
    let row = ErasureRow {
        id: entry.id,
        project_id: entry.project_id,
        target: serde_json::to_value(&entry.target).map_err(Error::internal)?,
        reason: "remembered by the ledger in the store".to_owned(),
        requested_by: Actor::system().label,
        requested_at: entry.requested_at,
        state: "pending".to_owned(),
        blocked_by: None,
        receipt: serde_json::to_value(Progress::default()).map_err(Error::internal)?,
        ledger_key: Some(key.to_owned()),
        done_at: None,
    };
    let at = services.clock.now();
    match request::store(services, &Actor::system(), at, &row, &entry.target).await {
        Ok(()) => {
            tracing::warn!(erasure = %entry.id, project = %entry.project_id, "an erasure was restored from the ledger");
            Ok(true)
        }
        // Another process was faster.
        Err(Error::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn away(error: &StoreError) -> Error {
    tracing::warn!(%error, "the ledger of erasures cannot be read");
    Error::Unavailable {
        what: "the archive",
        retry_after: 10,
    }
}
