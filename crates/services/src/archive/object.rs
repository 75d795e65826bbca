//! The object of a segment: which version of it is read, and how its blocks are fetched and checked.

use std::sync::Arc;
use std::time::Duration;

use db::segment_reads::ColdSegment;
use domain::state::SegmentState;
use serde::Deserialize;
use storage::segment::{
    Block, BlockIndex, Entry, Footer, Identity, POINTER_BYTES, SegmentError, decode_block, read_footer,
    read_pointer,
};
use storage::{ErrorKind, ObjectStore, StoreError};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::cache::Version;
use super::fault::Fault;
use crate::error::Error;

/// How long a reader waits for a block, tries of the store included.
const PATIENCE: Duration = Duration::from_secs(15);

/// An object whose index is known.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its segment and generation.
    pub(super) version: Version,
    pub(super) key: String,
    pub(super) etag: Option<String>,
    pub(super) index: Arc<BlockIndex>,
    pub(super) store: Arc<dyn ObjectStore>,
    /// Of the segment when its row was read.
    pub(super) state: SegmentState,
}

/// Why an object gave no block.
#[derive(Debug)]
pub(super) enum FetchError {
    /// It is not what the index says.
    Damaged(String),
    Fault(Fault),
}

impl From<StoreError> for FetchError {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            ErrorKind::Precondition | ErrorKind::NotFound => {
                tracing::debug!(%error, "an object of the archive changed");
                Self::Fault(Fault::Stale)
            }
            ErrorKind::Corrupt => Self::Damaged(error.to_string()),
            _ => {
                tracing::warn!(%error, "the archive cannot be read");
                Self::Fault(Fault::away())
            }
        }
    }
}

impl From<SegmentError> for FetchError {
    fn from(error: SegmentError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl Opened {
    /// What the index says of a block.
    pub(super) fn entry(&self, block: usize) -> Result<Entry, Fault> {
        let entry = self.index.entries().get(block).copied();
        entry.ok_or_else(|| Fault::internal("a block that the index does not have"))
    }

    /// Fetches a block and checks it. Waits for a free place among the requests.
    pub(super) async fn fetch(&self, gate: &Semaphore, entry: Entry) -> Result<Arc<Block>, FetchError> {
        // The semaphore is never closed.
        let place = gate.acquire().await;
        let fetching = self
            .store
            .get_range(&self.key, entry.range(), self.etag.as_deref());
        let fetched = tokio::time::timeout(PATIENCE, fetching).await;
        drop(place);
        let Ok(fetched) = fetched else {
            tracing::warn!(key = self.key, "a store does not answer");
            return Err(FetchError::Fault(Fault::away()));
        };
        let fetched = fetched?;
        let block = tokio::task::spawn_blocking(move || decode_block(&fetched, &entry)).await;
        let block = block.map_err(|error| FetchError::Fault(Error::internal(error).into()))?;
        Ok(Arc::new(block?))
    }
}

/// What is recorded of the object that is about to replace another one, as far as readers need it.
#[derive(Debug, Deserialize)]
struct Pending {
    generation: i32,
    /// In hexadecimal digits.
    content_sha256: String,
}

/// While a segment is rewritten its row still tells of the old object. This is the new one, when it
/// is already there: `None` while it is not.
pub(super) async fn replacement(
    segment: &ColdSegment,
    store: &Arc<dyn ObjectStore>,
) -> Result<Option<Opened>, FetchError> {
    if segment.state != SegmentState::Rewriting {
        return Ok(None);
    }
    let Some(meta) = store.head(&segment.object_key).await? else {
        return Err(FetchError::Fault(Fault::Stale));
    };
    if Some(&meta.etag) == segment.etag.as_ref() {
        return Ok(None);
    }
    let footer = read_end(segment, store, &meta).await?;
    check(segment, &footer)?;
    Ok(Some(Opened {
        version: (segment.id, segment.generation + 1),
        key: segment.object_key.clone(),
        etag: Some(meta.etag),
        index: Arc::new(footer.index),
        store: Arc::clone(store),
        state: segment.state,
    }))
}

/// The footer of an object: two ranged reads.
async fn read_end(
    segment: &ColdSegment,
    store: &Arc<dyn ObjectStore>,
    meta: &storage::Meta,
) -> Result<Footer, FetchError> {
    let tail = meta.size.saturating_sub(POINTER_BYTES as u64)..meta.size;
    let tail = store
        .get_range(&segment.object_key, tail, Some(&meta.etag))
        .await?;
    let place = read_pointer(&tail, meta.size)?;
    let offset = place.start;
    let footer = store
        .get_range(&segment.object_key, place, Some(&meta.etag))
        .await?;
    Ok(read_footer(&footer, offset)?)
}

/// Whether the footer is the one that the row announces.
fn check(segment: &ColdSegment, footer: &Footer) -> Result<(), FetchError> {
    footer.identity.check(&Identity {
        archive_id: segment.id,
        kind: segment.kind,
        tenant: segment.project_id.to_string(),
        topic: segment.topic.clone(),
    })?;
    let pending: Option<Pending> = segment
        .pending
        .as_ref()
        .and_then(|pending| serde_json::from_value(pending.clone()).ok());
    let announced = pending.is_some_and(|pending| {
        pending.generation == segment.generation + 1
            && i32::try_from(footer.generation) == Ok(pending.generation)
            && pending
                .content_sha256
                .eq_ignore_ascii_case(&hex::encode(footer.content_sha256))
    });
    if announced {
        Ok(())
    } else {
        // A later generation, or one that nobody announced: the row tells, read once more.
        Err(FetchError::Fault(Fault::Stale))
    }
}

/// Says in a log or a row which object it was.
pub(super) fn describe(segment: Uuid, why: &str) -> String {
    format!("segment {segment}: {why}")
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use domain::id::{ProjectId, StoragePolicyId};
    use domain::segment::Kind;
    use domain::storage::{OnPremPolicy, StoragePolicy};
    use serde_json::{Value, json};
    use storage::segment::{Replacement, SegmentWriter, WriterOptions, splice};
    use storage::{Body, PutCondition};

    use super::*;

    const SECRET: &str = "{\"mail\":\"a@b.c\"}";

    fn row(id: Uuid, data: &str) -> String {
        format!("{{\"uid\":\"{id}\",\"data\":{data}}}")
    }

    /// A segment with one row, as it was written.
    fn written(segment: &ColdSegment, id: Uuid) -> Vec<u8> {
        let mut object = Vec::new();
        let identity = Identity {
            archive_id: segment.id,
            kind: segment.kind,
            tenant: segment.project_id.to_string(),
            topic: segment.topic.clone(),
        };
        let options = WriterOptions {
            threads: 1,
            max_rows: 10,
        };
        let mut writer = SegmentWriter::new(&mut object, identity, options).expect("a writer");
        writer.push(id, 0, row(id, SECRET).as_bytes()).expect("taken");
        writer.finish().expect("written");
        object
    }

    fn footer(object: &[u8]) -> Footer {
        let place = read_pointer(object, object.len() as u64).expect("a pointer");
        let (from, to) = (place.start as usize, place.end as usize);
        read_footer(&object[from..to], place.start).expect("a footer")
    }

    /// The next generation, without what was secret.
    fn rewritten(old: &[u8], id: Uuid) -> Vec<u8> {
        let mut object = Vec::new();
        let part = |entry: &Entry| {
            let range = entry.range();
            Ok(old[range.start as usize..range.end as usize].to_vec())
        };
        let replace = |_: usize, _: &Block| {
            Some(vec![Replacement {
                id,
                json: row(id, "null"),
            }])
        };
        splice(&footer(old), part, replace, &mut object).expect("spliced");
        object
    }

    fn segment() -> ColdSegment {
        let id = domain::id::uuid_at(chrono::DateTime::UNIX_EPOCH);
        ColdSegment {
            id,
            project_id: ProjectId(Uuid::from_u128(1)),
            policy_id: StoragePolicyId(Uuid::from_u128(2)),
            kind: Kind::Events,
            topic: "a".to_owned(),
            day: NaiveDate::default(),
            object_key: format!("p/a/{id}.json.gz"),
            state: SegmentState::Rewriting,
            ids: (Uuid::nil(), Uuid::max()),
            generation: 1,
            pending: None,
            etag: None,
        }
    }

    async fn put(store: &Arc<dyn ObjectStore>, key: &str, object: &[u8]) -> String {
        let body = Body::Bytes(bytes::Bytes::copy_from_slice(object));
        store
            .put(key, body, PutCondition::Any)
            .await
            .expect("stored")
            .etag
    }

    #[tokio::test]
    async fn while_a_segment_is_rewritten_readers_find_the_old_object_or_the_announced_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = storage::open(&StoragePolicy::OnPrem(OnPremPolicy {
            path: folder.path().display().to_string(),
        }));
        store.ensure_bucket().await.expect("a folder for objects");
        let (mut segment, id) = (segment(), domain::id::uuid_at(chrono::DateTime::UNIX_EPOCH));
        let old = written(&segment, id);
        segment.etag = Some(put(&store, &segment.object_key, &old).await);
        let found = replacement(&segment, &store).await.expect("looked");
        assert!(found.is_none(), "the old one is still there");

        let new = rewritten(&old, id);
        put(&store, &segment.object_key, &new).await;
        let hash = hex::encode(footer(&new).content_sha256);
        let other = hex::encode(footer(&old).content_sha256);
        let announced =
            |generation: i32, hash: &str| json!({"generation": generation, "content_sha256": hash});
        for pending in [announced(2, &other), announced(3, &hash), Value::Null] {
            segment.pending = Some(pending);
            let found = replacement(&segment, &store).await;
            assert!(matches!(found, Err(FetchError::Fault(Fault::Stale))), "{found:?}");
        }
        segment.pending = Some(announced(2, &hash));
        let opened = replacement(&segment, &store)
            .await
            .expect("looked")
            .expect("the new one");
        assert_eq!(opened.version, (segment.id, 2));
        let entry = opened.entry(0).expect("a block");
        let block = opened.fetch(&Semaphore::new(1), entry).await.expect("fetched");
        assert_eq!(block.get(id).expect("the row").json, row(id, "null"));

        segment.topic = "b".to_owned();
        let found = replacement(&segment, &store).await;
        assert!(
            matches!(found, Err(FetchError::Damaged(_))),
            "another segment: {found:?}"
        );
    }
}
