//! What an object tells of itself: the row of its segment from its end, ids and filters from the whole.

use std::fs::File;

use chrono::DateTime;
use db::segments::{ClassDigests, Segment};
use domain::id::{ProjectId, instant_of};
use domain::segment::{Kind, object_key, parse_object_key};
use domain::state::SegmentState;
use serde::Deserialize;
use storage::segment::{BloomBuilder, Footer, POINTER_BYTES, read_footer, read_object, read_pointer};
use storage::{ErrorKind, Meta, ObjectStore, StoreError};
use uuid::Uuid;

use crate::backup::copy::{self, CopyError};
use crate::error::Error;

/// Stands in every event that has an idempotency key.
const KEY_MEMBER: &str = "\"idempotency_key\":";

/// What is in an object.
#[derive(Debug)]
pub(super) struct Contents {
    /// Ids of its rows, sorted.
    pub(super) ids: Vec<Uuid>,
    /// SHA-256 of the object.
    pub(super) object_sha256: Vec<u8>,
    /// Bloom filters by what they are of.
    pub(super) filters: Vec<(&'static str, Vec<u8>)>,
}

/// The end of an object: two ranged reads.
pub(super) async fn footer(store: &dyn ObjectStore, meta: &Meta) -> Result<Footer, CopyError> {
    let etag = Some(meta.etag.as_str());
    let tail = meta.size.saturating_sub(POINTER_BYTES as u64)..meta.size;
    let place = read_pointer(&store.get_range(&meta.key, tail, etag).await?, meta.size)?;
    let offset = place.start;
    Ok(read_footer(
        &store.get_range(&meta.key, place, etag).await?,
        offset,
    )?)
}

/// The row of an object's segment, as far as its end tells it.
///
/// # Errors
/// [`CopyError::is_damage`] when it is not a segment of ours, or lies under a key that is not its own.
pub(super) async fn describe(store: &dyn ObjectStore, policy: Uuid, key: &str) -> Result<Segment, CopyError> {
    let missing = || StoreError::new(ErrorKind::NotFound, "the object is gone");
    let meta = store.head(key).await?.ok_or_else(missing)?;
    let footer = footer(store, &meta).await?;
    let identity = &footer.identity;
    if object_key(
        &identity.tenant,
        identity.kind,
        &identity.topic,
        identity.archive_id,
    ) != key
    {
        return Err(CopyError::Differs("the key of the object"));
    }
    let project = identity
        .tenant
        .parse()
        .map_err(|_| CopyError::Differs("the project"))?;
    let first_at = instant_of(footer.index.first_id()).ok_or(CopyError::Differs("the form of its ids"))?;
    let at = |ms| DateTime::from_timestamp_millis(ms).unwrap_or_default();
    Ok(Segment {
        id: identity.archive_id,
        project_id: ProjectId(project),
        policy_id: policy,
        kind: identity.kind,
        topic: identity.topic.clone(),
        day: first_at.date_naive(),
        object_key: key.to_owned(),
        state: SegmentState::Committed,
        row_count: i32::try_from(footer.index.rows()).unwrap_or(i32::MAX),
        ids: Some((footer.index.first_id(), footer.index.last_id())),
        at: Some((at(footer.first_at), at(footer.last_at))),
        classes: ClassDigests::new(),
        generation: i32::try_from(footer.generation).unwrap_or(i32::MAX),
        pending: None,
        etag: Some(meta.etag),
        version_id: meta.version_id,
        size_bytes: i64::try_from(meta.size).unwrap_or(i64::MAX),
        raw_bytes: i64::try_from(footer.index.raw_bytes()).unwrap_or(i64::MAX),
        object_sha256: None,
        content_sha256: Some(footer.content_sha256.to_vec()),
        block_index: Some(footer.index.to_bytes()),
        created_at: instant_of(identity.archive_id).unwrap_or_default(),
        committed_at: None,
        verified_at: None,
        cold_since: None,
        last_error: None,
    })
}

/// What is known of an object that cannot be read: what its key tells. `None` when that is not enough.
pub(super) fn describe_key(policy: Uuid, meta: &Meta) -> Option<Segment> {
    let parts = parse_object_key(&meta.key)?;
    let created_at = instant_of(parts.archive_id)?;
    Some(Segment {
        id: parts.archive_id,
        project_id: ProjectId(parts.tenant?.parse().ok()?),
        policy_id: policy,
        kind: parts.kind,
        topic: parts.topic.unwrap_or_default(),
        // Rows are copied after their day has ended.
        day: created_at.date_naive(),
        object_key: meta.key.clone(),
        state: SegmentState::Quarantined,
        row_count: 0,
        ids: None,
        at: None,
        classes: ClassDigests::new(),
        generation: 1,
        pending: None,
        etag: Some(meta.etag.clone()),
        version_id: None,
        size_bytes: i64::try_from(meta.size).unwrap_or(i64::MAX),
        raw_bytes: 0,
        object_sha256: None,
        content_sha256: None,
        block_index: None,
        created_at,
        committed_at: None,
        verified_at: None,
        cold_since: None,
        last_error: None,
    })
}

/// Reads a segment's object as a whole, checks every byte and collects what is in it.
pub(super) async fn read(store: &dyn ObjectStore, segment: &Segment) -> Result<Contents, CopyError> {
    let fetched = copy::fetch(store, segment).await?;
    let kind = segment.kind;
    let reading = tokio::task::spawn_blocking(move || {
        let mut ids = Vec::with_capacity(fetched.footer.index.rows() as usize);
        let (mut of_ids, mut of_keys) = (BloomBuilder::default(), None::<BloomBuilder>);
        let whole = read_object(fetched.footer.clone(), File::open(&fetched.file)?, |block| {
            for row in block.rows() {
                ids.push(row.id);
                of_ids.add_id(row.id);
                if let Some(key) = idempotency_key(kind, row.json) {
                    of_keys.get_or_insert_default().add_text(&key);
                }
            }
            Ok(())
        })?;
        let mut filters = vec![("id", of_ids.build().to_bytes())];
        filters.extend(of_keys.map(|keys| ("key", keys.build().to_bytes())));
        Ok::<_, CopyError>(Contents {
            ids,
            object_sha256: whole.object_sha256.to_vec(),
            filters,
        })
    });
    reading.await.map_err(std::io::Error::other)?
}

fn idempotency_key(kind: Kind, json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Key {
        idempotency_key: Option<String>,
    }
    (kind == Kind::Events && json.contains(KEY_MEMBER))
        .then(|| serde_json::from_str::<Key>(json).ok())
        .flatten()
        .and_then(|key| key.idempotency_key)
}

/// Of `ids`, those that neither PostgreSQL nor a segment of the same group that counts has.
/// `settled_before` asks of those segments to count since before an instant: otherwise `None`.
pub(super) async fn nowhere_else(
    services: &crate::Services,
    segment: &Segment,
    mut ids: Vec<Uuid>,
    settled_before: Option<DateTime<chrono::Utc>>,
) -> Result<Option<Vec<Uuid>>, NowhereError> {
    let group = db::segment_care::Group::of(segment);
    for other in db::segment_care::counting(&services.db, &group)
        .await
        .map_err(Error::from)?
    {
        let overlaps = other
            .ids
            .is_some_and(|(first, last)| ids.iter().any(|id| (first..=last).contains(id)));
        if other.id == segment.id || !overlaps {
            continue;
        }
        if settled_before.is_some_and(|before| other.committed_at.is_none_or(|at| at > before)) {
            return Ok(None);
        }
        let store = crate::storage_policies::store_for(services, other.policy_id.into()).await?;
        let held = read(store.as_ref(), &other).await?.ids;
        ids.retain(|id| held.binary_search(id).is_err());
    }
    let mut rest = Vec::new();
    for chunk in ids.chunks(2000) {
        let hot = db::segment_reads::existing(&services.db, segment.kind, chunk)
            .await
            .map_err(Error::from)?;
        let hot: std::collections::HashSet<Uuid> = hot.into_iter().collect();
        rest.extend(chunk.iter().filter(|id| !hot.contains(id)));
    }
    Ok(Some(rest))
}

/// Why it could not be found out who else holds some rows.
#[derive(Debug)]
pub(super) enum NowhereError {
    /// An object that should hold them, or the way to it.
    Copy(CopyError),
    /// PostgreSQL.
    Service(Error),
}

impl From<CopyError> for NowhereError {
    fn from(error: CopyError) -> Self {
        Self::Copy(error)
    }
}

impl From<Error> for NowhereError {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}
