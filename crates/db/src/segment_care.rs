//! What keeps the index of the archive true: what is to be removed, to be verified, and to be adopted.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::ProjectId;
use domain::lifecycle::{next_day, start_of};
use domain::segment::Kind;
use domain::state::SegmentState;
use sea_orm::sqlx;
use uuid::Uuid;

use crate::export::table;
use crate::segments::{COLUMNS, Segment, from_rows};
use crate::{Db, DbError};

/// The lease in rows that were made from an object alone.
const ADOPTED: &str = "adopted";
/// The lease in rows of objects that the index did not know and that could not be adopted.
const UNKNOWN: &str = "unknown";

/// Gives up what was planned before `before` by writers whose lease is not theirs any more.
///
/// # Errors
/// As every statement.
pub async fn abandon_ownerless(db: &Db, before: DateTime<Utc>) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE segments s SET state = 'abandoned', last_error = 'its writer lost the lease' \
         WHERE state IN ('planned', 'uploaded') AND created_at < $1 AND NOT EXISTS ( \
            SELECT 1 FROM leases l WHERE l.name = s.lease AND l.fence = s.fence AND l.expires_at > clock_timestamp())",
    )
    .bind(before)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected())
}

/// Segments made before `before` whose objects nobody reads any more, behind `after` by their ids.
///
/// # Errors
/// As every statement.
pub async fn leftovers(
    db: &Db,
    before: DateTime<Utc>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Segment>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segments s WHERE s.state IN ('abandoned', 'replaced') AND s.created_at < $1 AND s.id > $2 \
         ORDER BY s.id LIMIT $3"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(before)
        .bind(after)
        .bind(limit)
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// What lies together: segments of one of these share no id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// The project.
    pub project: ProjectId,
    /// What the rows are.
    pub kind: Kind,
    /// Event type, or a reserved topic.
    pub topic: String,
    /// The day that the rows were accepted on.
    pub day: NaiveDate,
}

impl Group {
    /// Where a segment lies.
    pub fn of(segment: &Segment) -> Self {
        Self {
            project: segment.project_id,
            kind: segment.kind,
            topic: segment.topic.clone(),
            day: segment.day,
        }
    }
}

/// The segments of a group that count, in the order of their ids.
///
/// # Errors
/// As every statement.
pub async fn counting(db: &Db, group: &Group) -> Result<Vec<Segment>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segments s WHERE s.project_id = $1 AND s.kind = $2 AND s.topic = $3 AND s.day = $4 \
         AND s.state IN ('committed', 'rewriting') ORDER BY s.first_id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(group.project.0)
        .bind(group.kind.code())
        .bind(&group.topic)
        .bind(group.day)
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// How the index knows an archive id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where it stands.
    pub state: SegmentState,
    /// Whether the row says only that the object is there and nobody knows why.
    pub is_unknown: bool,
}

/// Which of these archive ids the index has.
///
/// # Errors
/// As every statement.
pub async fn known(db: &Db, ids: &[Uuid]) -> Result<HashMap<Uuid, Known>, DbError> {
    let rows: Vec<(Uuid, String, bool)> =
        sqlx::query_as("SELECT id, state, lease = $2 FROM segments WHERE id = ANY($1)")
            .bind(ids)
            .bind(UNKNOWN)
            .fetch_all(db.pool())
            .await?;
    let known = |(id, state, is_unknown): (Uuid, String, bool)| {
        let state = SegmentState::parse(&state).unwrap_or(SegmentState::Quarantined);
        (id, Known { state, is_unknown })
    };
    Ok(rows.into_iter().map(known).collect())
}

/// The object of a segment that did not count is gone.
///
/// # Errors
/// As every statement.
pub async fn removed(db: &Db, id: Uuid) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE segments SET state = 'deleted', last_error = NULL \
         WHERE id = $1 AND (state IN ('abandoned', 'replaced') OR (state = 'quarantined' AND lease = $2))",
    )
    .bind(id)
    .bind(UNKNOWN)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Keeps the object of a segment that was to be removed: it holds what nothing else holds.
///
/// # Errors
/// As every statement.
pub async fn hold_back(db: &Db, id: Uuid, why: &str) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE segments SET state = 'quarantined', lease = $3, last_error = $2 \
         WHERE id = $1 AND state IN ('abandoned', 'replaced', 'deleted')",
    )
    .bind(id)
    .bind(why)
    .bind(UNKNOWN)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Writes down an object that the index does not know, for a person to look at. Without an index of
/// blocks when its object cannot be read.
///
/// # Errors
/// As every statement.
pub async fn quarantine_unknown(
    db: &Db,
    segment: &Segment,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO segments (id, project_id, policy_id, kind, topic, day, object_key, state, lease, fence, row_count, \
            first_id, last_id, first_at, last_at, generation, etag, version_id, size_bytes, created_at, last_error) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'quarantined', $8, 0, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
         ON CONFLICT DO NOTHING",
    )
    .bind(segment.id)
    .bind(segment.project_id.0)
    .bind(segment.policy_id)
    .bind(segment.kind.code())
    .bind(&segment.topic)
    .bind(segment.day)
    .bind(&segment.object_key)
    .bind(UNKNOWN)
    .bind(segment.row_count)
    .bind(segment.ids.map(|ids| ids.0))
    .bind(segment.ids.map(|ids| ids.1))
    .bind(segment.at.map(|at| at.0))
    .bind(segment.at.map(|at| at.1))
    .bind(segment.generation)
    .bind(&segment.etag)
    .bind(&segment.version_id)
    .bind(segment.size_bytes)
    .bind(now)
    .bind(why)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// A segment that is made from its object, with its filters by what they are of.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// All that its object tells. The times of the row are the caller's.
    pub segment: Segment,
    /// Bloom filters: `id`, `key`.
    pub filters: Vec<(&'static str, Vec<u8>)>,
}

/// Makes segments count that were made from their objects, and ends those of the same group that they
/// stand for. Erasures of the project look at them once more. `false` when the index has changed
/// meanwhile so that they do not fit.
///
/// # Errors
/// As every statement; nothing was changed then.
pub async fn adopt(
    db: &Db,
    group: &Group,
    new: &[Adopted],
    replaced: &[Uuid],
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let mut txn = db.pool().begin().await?;
    // Backups and erasures of the project wait, or have been.
    sqlx::query("UPDATE projects SET erasure_version = erasure_version + 1 WHERE id = $1")
        .bind(group.project.0)
        .execute(&mut *txn)
        .await?;
    let done =
        sqlx::query("UPDATE segments SET state = 'replaced' WHERE id = ANY($1) AND state = 'committed'")
            .bind(replaced)
            .execute(&mut *txn)
            .await?;
    if usize::try_from(done.rows_affected()).ok() != Some(replaced.len()) {
        return Ok(false);
    }
    for adopted in new {
        match insert(&mut txn, adopted, now).await {
            Ok(()) => {}
            Err(sqlx::Error::Database(error)) if error.is_exclusion_violation() => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    sqlx::query(
        "UPDATE erasures SET state = 'pending', done_at = NULL WHERE project_id = $1 AND state = 'done'",
    )
    .bind(group.project.0)
    .execute(&mut *txn)
    .await?;
    txn.commit().await?;
    Ok(true)
}

/// Whether an error says that two segments would hold the same ids.
trait Exclusion {
    fn is_exclusion_violation(&self) -> bool;
}

impl Exclusion for Box<dyn sqlx::error::DatabaseError> {
    fn is_exclusion_violation(&self) -> bool {
        self.code().as_deref() == Some("23P01")
    }
}

async fn insert(
    connection: &mut sqlx::PgConnection,
    adopted: &Adopted,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let segment = &adopted.segment;
    sqlx::query(
        "INSERT INTO segments (id, project_id, policy_id, kind, topic, day, object_key, state, lease, fence, row_count, \
            first_id, last_id, first_at, last_at, generation, etag, version_id, size_bytes, raw_bytes, object_sha256, \
            content_sha256, block_index, created_at, committed_at, verified_at, cold_since) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'committed', $8, 0, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
            $20, $21, $22, $23, $23, $23) \
         ON CONFLICT (id) DO UPDATE SET state = 'committed', lease = excluded.lease, policy_id = excluded.policy_id, \
            row_count = excluded.row_count, first_id = excluded.first_id, last_id = excluded.last_id, \
            first_at = excluded.first_at, last_at = excluded.last_at, generation = excluded.generation, \
            etag = excluded.etag, version_id = excluded.version_id, size_bytes = excluded.size_bytes, \
            raw_bytes = excluded.raw_bytes, object_sha256 = excluded.object_sha256, classes = '{}', \
            content_sha256 = excluded.content_sha256, block_index = excluded.block_index, pending = NULL, \
            committed_at = excluded.committed_at, verified_at = excluded.verified_at, cold_since = excluded.cold_since, \
            last_error = NULL",
    )
    .bind(segment.id)
    .bind(segment.project_id.0)
    .bind(segment.policy_id)
    .bind(segment.kind.code())
    .bind(&segment.topic)
    .bind(segment.day)
    .bind(&segment.object_key)
    .bind(ADOPTED)
    .bind(segment.row_count)
    .bind(segment.ids.map(|ids| ids.0))
    .bind(segment.ids.map(|ids| ids.1))
    .bind(segment.at.map(|at| at.0))
    .bind(segment.at.map(|at| at.1))
    .bind(segment.generation)
    .bind(&segment.etag)
    .bind(&segment.version_id)
    .bind(segment.size_bytes)
    .bind(segment.raw_bytes)
    .bind(&segment.object_sha256)
    .bind(&segment.content_sha256)
    .bind(&segment.block_index)
    .bind(segment.created_at)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM segment_filters WHERE segment_id = $1")
        .bind(segment.id)
        .execute(&mut *connection)
        .await?;
    for (what, bits) in &adopted.filters {
        sqlx::query("INSERT INTO segment_filters (segment_id, what, bits) VALUES ($1, $2, $3)")
            .bind(segment.id)
            .bind(*what)
            .bind(bits)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Whether PostgreSQL holds a row of a project's day.
///
/// # Errors
/// As every statement.
pub async fn is_hot(db: &Db, project: ProjectId, kind: Kind, day: NaiveDate) -> Result<bool, DbError> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE accepted_at >= $1 AND accepted_at < $2 AND project_id = $3)",
        table(kind)
    );
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(start_of(day))
        .bind(start_of(next_day(day)))
        .bind(project.0)
        .fetch_one(db.pool())
        .await?)
}

/// Versions of storage policies, and whether a segment that counts lies there; those with segments first.
///
/// # Errors
/// As every statement.
pub async fn places(db: &Db) -> Result<Vec<(Uuid, bool)>, DbError> {
    Ok(sqlx::query_as(
        "SELECT p.id, EXISTS (SELECT 1 FROM segments s WHERE s.policy_id = p.id AND s.state IN ('committed', 'rewriting')) \
            AS used FROM storage_policies p ORDER BY used DESC, p.version DESC, p.id",
    )
    .fetch_all(db.pool())
    .await?)
}

/// Segments that count and are not being rewritten, behind `after` by their ids.
///
/// # Errors
/// As every statement.
pub async fn committed(db: &Db, after: Uuid, limit: i64) -> Result<Vec<Segment>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segments s WHERE s.state = 'committed' AND s.id > $1 ORDER BY s.id LIMIT $2"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(after)
        .bind(limit)
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// The segments that were not read back for the longest time: one of `share` of all.
///
/// # Errors
/// As every statement.
pub async fn longest_unverified(db: &Db, share: i64) -> Result<Vec<Uuid>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM segments WHERE state = 'committed' ORDER BY verified_at NULLS FIRST, id \
         LIMIT (SELECT (count(*) + $1 - 1) / $1 FROM segments WHERE state = 'committed')",
    )
    .bind(share)
    .fetch_all(db.pool())
    .await?)
}

/// Segments that were found damaged and whose object was known once.
///
/// # Errors
/// As every statement.
pub async fn damaged(db: &Db) -> Result<Vec<Segment>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segments s WHERE s.state = 'quarantined' AND s.lease <> $1 AND s.block_index IS NOT NULL \
         ORDER BY s.id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(UNKNOWN)
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// A segment was read back and found whole.
///
/// # Errors
/// As every statement.
pub async fn verified(db: &Db, id: Uuid, generation: i32, now: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE segments SET verified_at = $3, last_error = NULL WHERE id = $1 AND generation = $2 AND state = 'committed'",
    )
    .bind(id)
    .bind(generation)
    .bind(now)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// A segment that was found damaged is whole again: its object was put back. `false` when another one
/// stands for its rows by now.
///
/// # Errors
/// As every statement.
pub async fn heal(db: &Db, id: Uuid, generation: i32, now: DateTime<Utc>) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE segments SET state = 'committed', verified_at = $3, last_error = NULL \
         WHERE id = $1 AND generation = $2 AND state = 'quarantined'",
    )
    .bind(id)
    .bind(generation)
    .bind(now)
    .execute(db.pool())
    .await;
    match done {
        Ok(done) => Ok(done.rows_affected() == 1),
        Err(sqlx::Error::Database(error)) if error.is_exclusion_violation() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A damaged segment of which every row was in PostgreSQL when its day was covered again: it is
/// superseded. A day turns cold before its first row leaves.
///
/// # Errors
/// As every statement.
pub async fn supersede(db: &Db) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE segments q SET state = 'replaced' WHERE q.state = 'quarantined' AND q.lease <> $1 \
         AND q.cold_since IS NULL AND EXISTS (SELECT 1 FROM segments s WHERE s.project_id = q.project_id AND s.kind = q.kind \
            AND s.topic = q.topic AND s.day = q.day AND s.state IN ('committed', 'rewriting') AND s.id > q.id \
            AND s.first_id <= q.first_id) \
         AND EXISTS (SELECT 1 FROM segments s WHERE s.project_id = q.project_id AND s.kind = q.kind \
            AND s.topic = q.topic AND s.day = q.day AND s.state IN ('committed', 'rewriting') AND s.id > q.id \
            AND s.last_id >= q.last_id)",
    )
    .bind(UNKNOWN)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected())
}
