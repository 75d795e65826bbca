//! Objects in stores that the index does not know.

use chrono::{DateTime, Utc};
use db::segment_care::{self, Known};
use domain::id::instant_of;
use domain::segment::parse_object_key;
use domain::state::SegmentState;
use storage::{ErrorKind, Meta, ObjectStore, StoreError};
use uuid::Uuid;

use super::{PAGE, Place};
use crate::Services;
use crate::error::Error;

/// What is before the keys of the ledger of erasures and of what probes write: no segment's key begins so.
const LEDGER: &str = "_ledger/";
/// Before what a probe writes and removes again.
pub(super) const PROBE: &str = "_probe/";

/// Why a store could not be listed.
#[derive(Debug)]
pub(super) enum ListError {
    Store(StoreError),
    Service(Error),
}

impl From<StoreError> for ListError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for ListError {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

/// What a list of a store gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Named as a segment is, but not in the index, or there only as unknown or removed.
    pub(super) unknown: Vec<Unknown>,
    /// What probes left behind.
    pub(super) probes: Vec<Meta>,
    /// Objects that are not ours. They are left alone.
    pub(super) foreign: u64,
}

/// An object that the index does not know.
#[derive(Clone, Debug)]
pub(super) struct Unknown {
    pub(super) archive_id: Uuid,
    pub(super) meta: Meta,
    /// What the index says all the same: that it is unknown, or that it was removed.
    pub(super) known: Option<Known>,
}

impl Unknown {
    /// When it was made, by the clock that named it.
    pub(super) fn made_at(&self) -> DateTime<Utc> {
        instant_of(self.archive_id).unwrap_or(self.meta.modified)
    }
}

/// Lists everything in a place.
pub(super) async fn list(services: &Services, place: &Place) -> Result<Found, ListError> {
    let mut found = Found::default();
    let mut after = None;
    loop {
        let page = match place.store.list("", after.as_deref(), PAGE).await {
            // Nothing was ever written there.
            Err(error) if error.kind() == ErrorKind::NoBucket && !place.is_used => return Ok(found),
            page => page?,
        };
        let mut named = Vec::new();
        for meta in page.objects {
            if meta.key.starts_with(PROBE) {
                found.probes.push(meta);
            } else if let Some(parts) = parse_object_key(&meta.key) {
                named.push((parts.archive_id, meta));
            } else if !meta.key.starts_with(LEDGER) {
                found.foreign += 1;
            }
        }
        let ids: Vec<Uuid> = named.iter().map(|(id, _)| *id).collect();
        let known = segment_care::known(&services.db, &ids)
            .await
            .map_err(Error::from)?;
        for (archive_id, meta) in named {
            let known = known.get(&archive_id).copied();
            if known.is_none_or(|known| known.is_unknown || known.state == SegmentState::Deleted) {
                found.unknown.push(Unknown {
                    archive_id,
                    meta,
                    known,
                });
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// Removes every version of an object.
pub(super) async fn remove(store: &dyn ObjectStore, key: &str) -> Result<(), StoreError> {
    let versions = match store.versions(key).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Vec::new(),
        versions => versions?,
    };
    let ids: Vec<&str> = versions
        .iter()
        .filter_map(|version| version.version_id.as_deref())
        .collect();
    for id in &ids {
        store.delete(key, Some(id)).await?;
    }
    if ids.is_empty() {
        store.delete(key, None).await?;
    }
    Ok(())
}
