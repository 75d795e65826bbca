//! One segment, rewritten in place.
//!
//! The next generation is spliced on this machine: blocks without a changed row keep every byte. It is
//! announced in the segment's row, written over the object while that is still the old one, read back,
//! and made to count. Whoever reads meanwhile gets the old object by its etag, or finds the announced
//! one. After a death at any step the row and the object tell together where things stand
//! ([`object::settle`]).

use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use db::erasures::objects::{self, Generation, Keys};
use db::segments::Segment;
use domain::id::{ErasureId, EventId};
use domain::segment::Kind;
use domain::state::SegmentState;
use serde::Deserialize;
use serde_json::json;
use storage::segment::{Block, BloomBuilder, Replacement, SegmentError, Spliced, splice};
use storage::{Body, ErrorKind, ObjectStore, PutCondition, StoreError, Stored};
use tempfile::{NamedTempFile, TempPath};
use uuid::Uuid;

use super::editor::{Editor, Fate};
use super::object;
use crate::Services;
use crate::backup::copy::{self, CopyError, Fetched};
use crate::error::{Error, Result};
use crate::storage_policies::store_for;

/// How often a rewrite begins again because the segment changed under it.
const TRIES: u32 = 5;
/// Stands in every event that has an idempotency key.
const KEY_MEMBER: &str = "\"idempotency_key\":";

/// What was done about a segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// Whether it was rewritten.
    pub(super) rewritten: bool,
    /// Rows that a hold keeps.
    pub(super) held: u64,
    /// Old versions of the object that were removed.
    pub(super) versions: i32,
}

/// Why a segment was not rewritten.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Somebody has to act.
    Blocked(String),
    /// It goes away by itself.
    Later(String),
    /// PostgreSQL, or a bug.
    Service(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

impl From<db::DbError> for Trouble {
    fn from(error: db::DbError) -> Self {
        Self::Service(error.into())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            ErrorKind::Denied => Self::Blocked(format!("the store protects it: {error}")),
            _ => Self::Later(error.to_string()),
        }
    }
}

impl From<CopyError> for Trouble {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Store(error) => error.into(),
            error if error.is_damage() => Self::Blocked(format!("its object is damaged: {error}")),
            error => Self::Later(error.to_string()),
        }
    }
}

impl From<SegmentError> for Trouble {
    fn from(error: SegmentError) -> Self {
        CopyError::from(error).into()
    }
}

/// The next generation in a temporary file, and what is different in it.
struct Made {
    spliced: Spliced,
    rows: i32,
    erased: Vec<EventId>,
    held: Vec<EventId>,
    keys: Keys,
    file: TempPath,
}

/// Rewrites a segment as editors say, if there is anything to change, and removes old versions of its
/// object.
pub(super) async fn rewrite<E: Editor>(
    services: &Services,
    erasure: ErasureId,
    segment: &Segment,
    editor: impl Fn() -> E,
) -> std::result::Result<Outcome, Trouble> {
    let mut segment = segment.clone();
    for _ in 0..TRIES {
        segment = object::settle(services, segment).await?;
        let store = store_for(services, segment.policy_id.into()).await?;
        let fetched = match fetch(store.as_ref(), &segment).await {
            Err(CopyError::Store(error)) if is_stale(&error) => {
                segment = object::adopt(services, &segment).await?;
                continue;
            }
            fetched => fetched?,
        };
        let (kind, editor) = (segment.kind, editor());
        let made = tokio::task::spawn_blocking(move || make(kind, &fetched, &editor));
        let made = made.await.map_err(Error::internal)??;
        let mut outcome = Outcome {
            rewritten: !made.spliced.rewritten.is_empty(),
            held: made.held.len() as u64,
            versions: 0,
        };
        if outcome.rewritten {
            let Some(replaced) = replace(services, erasure, &segment, store.as_ref(), &made).await? else {
                segment = reload(services, segment.id).await?;
                continue;
            };
            segment = replaced;
        } else {
            db::erasures::hot::remember_held(&services.db, erasure, &made.held).await?;
        }
        if segment.generation > 1 {
            outcome.versions = purge(store.as_ref(), &segment).await?;
        }
        return Ok(outcome);
    }
    Err(Trouble::Later("it kept changing".to_owned()))
}

/// Fetches the object of a segment.
pub(super) async fn fetch(
    store: &dyn ObjectStore,
    segment: &Segment,
) -> std::result::Result<Fetched, CopyError> {
    copy::fetch(store, segment).await
}

/// Whether the object is another one than the row says.
pub(super) fn is_stale(error: &StoreError) -> bool {
    matches!(error.kind(), ErrorKind::Precondition | ErrorKind::NotFound)
}

pub(super) async fn reload(services: &Services, id: Uuid) -> std::result::Result<Segment, Trouble> {
    match db::segments::find(&services.db, id).await? {
        Some(segment) if matches!(segment.state, SegmentState::Committed | SegmentState::Rewriting) => {
            Ok(segment)
        }
        // A backup took its place; that one is looked into in its turn.
        Some(_) => Err(Trouble::Later("it was replaced meanwhile".to_owned())),
        None => Err(Trouble::Service(Error::internal(
            "a segment is not known any more",
        ))),
    }
}

/// Splices the next generation into a temporary file.
fn make(kind: Kind, fetched: &Fetched, editor: &impl Editor) -> std::result::Result<Made, CopyError> {
    let mut source = File::open(&fetched.file)?;
    let (file, path) = NamedTempFile::with_prefix_in("rewritten-", copy::spool())?.into_parts();
    let (mut rows, mut erased, mut held) = (0, Vec::new(), Vec::new());
    let mut keys = (kind == Kind::Events).then(BloomBuilder::default);
    let mut any_key = false;
    let mut unreadable = None;
    let mut rewrite = |block: &Block| -> std::result::Result<Option<Vec<Replacement>>, serde_json::Error> {
        let mut next = Vec::new();
        let mut changed = false;
        let touch = editor.may_touch(block);
        for row in block.rows() {
            let json = match if touch { editor.fate(row)? } else { Fate::Keep } {
                Fate::Keep => row.json.to_owned(),
                Fate::Held(event) => {
                    held.push(event);
                    row.json.to_owned()
                }
                Fate::Become(json, event) => {
                    changed = true;
                    rows += 1;
                    erased.push(event);
                    json
                }
            };
            if let Some(keys) = &mut keys
                && let Some(key) = key_of(&json)
            {
                any_key = true;
                keys.add_text(&key);
            }
            if touch {
                next.push(Replacement { id: row.id, json });
            }
        }
        Ok(changed.then_some(next))
    };
    let spliced = splice(
        &fetched.footer,
        |entry| {
            let mut bytes = vec![0; entry.length as usize];
            source.seek(SeekFrom::Start(entry.offset))?;
            source.read_exact(&mut bytes)?;
            Ok(bytes)
        },
        |_, block| match rewrite(block) {
            Ok(rows) => rows,
            Err(error) => {
                unreadable.get_or_insert(error);
                None
            }
        },
        BufWriter::with_capacity(1 << 18, file),
    )?;
    if let Some(error) = unreadable {
        tracing::error!(%error, segment = %fetched.footer.identity.archive_id, "a row of a segment cannot be read");
        return Err(CopyError::Differs("a row"));
    }
    let keys = match keys {
        None => Keys::AsBefore,
        Some(_) if !any_key => Keys::Nothing,
        Some(keys) => Keys::Bits(keys.build().to_bytes()),
    };
    Ok(Made {
        spliced,
        rows,
        erased,
        held,
        keys,
        file: path,
    })
}

/// The idempotency key of an event.
fn key_of(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Key {
        idempotency_key: Option<String>,
    }
    json.contains(KEY_MEMBER)
        .then(|| serde_json::from_str::<Key>(json).ok())
        .flatten()
        .and_then(|key| key.idempotency_key)
}

/// Announces, writes, reads back, makes it count. `None` when the segment or the object changed
/// meanwhile: look again.
async fn replace(
    services: &Services,
    erasure: ErasureId,
    segment: &Segment,
    store: &dyn ObjectStore,
    made: &Made,
) -> std::result::Result<Option<Segment>, Trouble> {
    if !announce(services, erasure, segment, made).await? {
        return Ok(None);
    }
    let body = Body::File {
        path: made.file.to_path_buf(),
        len: made.spliced.summary.size_bytes,
    };
    let condition = PutCondition::IfMatch(segment.etag.clone().unwrap_or_default());
    let stored = match store.put(&segment.object_key, body, condition).await {
        Ok(stored) => stored,
        // The announcement stays: what was written is found out before anything else.
        Err(error) if error.is_unsure() => return Err(error.into()),
        Err(error) if is_stale(&error) => return Ok(None),
        Err(error) => {
            objects::take_back(&services.db, segment).await?;
            return Err(error.into());
        }
    };
    let new = generation(made, stored);
    let written = as_segment(segment, &new);
    copy::verify(store, &written).await?;
    if !objects::swap(&services.db, segment, &new, services.clock.now()).await? {
        return Ok(None);
    }
    services.archive.forget(segment.id);
    Ok(Some(written))
}

async fn announce(services: &Services, erasure: ErasureId, segment: &Segment, made: &Made) -> Result<bool> {
    let summary = &made.spliced.summary;
    let pending = json!({
        "generation": made.spliced.generation,
        "content_sha256": hex::encode(summary.content_sha256),
        "object_sha256": hex::encode(summary.object_sha256),
        "size_bytes": summary.size_bytes,
        "erasure": erasure,
    });
    let blocks: Vec<i32> = made
        .spliced
        .rewritten
        .iter()
        .map(|block| i32::try_from(*block).unwrap_or(i32::MAX))
        .collect();
    // Which events attempts were of is known from them already.
    let erased: &[EventId] = if segment.kind == Kind::Events {
        &made.erased
    } else {
        &[]
    };
    let done = objects::announce(
        &services.db,
        erasure,
        segment,
        &pending,
        (&blocks, made.rows),
        (erased, &made.held),
        services.clock.now(),
    );
    Ok(done.await?)
}

fn generation(made: &Made, stored: Stored) -> Generation {
    let summary = &made.spliced.summary;
    Generation {
        number: i32::try_from(made.spliced.generation).unwrap_or(i32::MAX),
        etag: stored.etag,
        version_id: stored.version_id,
        size_bytes: i64::try_from(summary.size_bytes).unwrap_or(i64::MAX),
        raw_bytes: i64::try_from(summary.raw_bytes).unwrap_or(i64::MAX),
        object_sha256: summary.object_sha256.to_vec(),
        content_sha256: summary.content_sha256.to_vec(),
        block_index: summary.index.to_bytes(),
        keys: made.keys.clone(),
    }
}

/// The segment with another generation of its object.
pub(super) fn as_segment(segment: &Segment, new: &Generation) -> Segment {
    Segment {
        state: SegmentState::Committed,
        generation: new.number,
        pending: None,
        etag: Some(new.etag.clone()),
        version_id: new.version_id.clone(),
        size_bytes: new.size_bytes,
        raw_bytes: new.raw_bytes,
        object_sha256: Some(new.object_sha256.clone()),
        content_sha256: Some(new.content_sha256.clone()),
        block_index: Some(new.block_index.clone()),
        ..segment.clone()
    }
}

/// Removes every version of the object but the one that is read; says how many.
async fn purge(store: &dyn ObjectStore, segment: &Segment) -> std::result::Result<i32, Trouble> {
    let versions = match store.versions(&segment.object_key).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(0),
        versions => versions?,
    };
    let mut removed = 0;
    for version in versions.iter().filter(|version| !version.is_latest) {
        if let Some(id) = &version.version_id {
            store.delete(&segment.object_key, Some(id)).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes every version of an object; says how many.
pub(super) async fn remove(store: &Arc<dyn ObjectStore>, key: &str) -> std::result::Result<i32, Trouble> {
    let versions = match store.versions(key).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Vec::new(),
        versions => versions?,
    };
    let mut removed = 0;
    for id in versions
        .iter()
        .filter_map(|version| version.version_id.as_deref())
    {
        store.delete(key, Some(id)).await?;
        removed += 1;
    }
    if removed == 0 {
        store.delete(key, None).await?;
    }
    Ok(removed)
}
