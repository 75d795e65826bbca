//! Segments on their way to a generation without erased values.

use chrono::{DateTime, Utc};
use domain::id::{ErasureId, EventId, ProjectId};
use domain::segment::Kind;
use sea_orm::sqlx::{self, Row};
use serde_json::Value;
use uuid::Uuid;

use super::hot::remember;
use crate::segments::{COLUMNS, Segment, from_row, from_rows};
use crate::{Db, DbError};

/// Which segments an erasure has to look into.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The erasure.
    pub erasure: ErasureId,
    /// Its project.
    pub project: ProjectId,
    /// What the rows are.
    pub kind: Kind,
    /// Every segment with rows accepted up to this instant. Without, those that the events lie in
    /// which the erasure is known to mean.
    pub until: Option<DateTime<Utc>>,
    /// Those that were in the way before this instant are tried again.
    pub retry: DateTime<Utc>,
}

impl Scope {
    fn condition(&self) -> &'static str {
        if self.until.is_some() {
            "s.first_at <= $4"
        } else {
            // `$4` is bound in any case.
            "($4::timestamptz IS NULL) AND EXISTS (SELECT 1 FROM erasure_events n WHERE n.erasure_id = $1 \
             AND n.accepted_at BETWEEN s.first_at AND s.last_at)"
        }
    }
}

/// The next segment to look into; `None` when there is none left.
///
/// # Errors
/// As every statement.
pub async fn next(db: &Db, scope: &Scope) -> Result<Option<Segment>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segments s WHERE s.project_id = $2 AND s.kind = $3 AND {} \
         AND s.state IN ('committed', 'rewriting', 'quarantined') AND NOT EXISTS ( \
            SELECT 1 FROM erasure_segments d WHERE d.erasure_id = $1 AND d.segment_id = s.id \
            AND d.outcome <> 'rewriting' AND (d.outcome <> 'blocked' OR d.at >= $5)) ORDER BY s.id LIMIT 1",
        scope.condition()
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.erasure.0)
        .bind(scope.project.0)
        .bind(scope.kind.code())
        .bind(scope.until)
        .bind(scope.retry)
        .fetch_optional(db.pool())
        .await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// How many segments an erasure has to look into, and their bytes.
///
/// # Errors
/// As every statement.
pub async fn count(db: &Db, project: ProjectId, until: DateTime<Utc>) -> Result<(i64, i64), DbError> {
    let row = sqlx::query(
        "SELECT count(*) AS n, coalesce(sum(size_bytes), 0)::bigint AS bytes FROM segments \
         WHERE project_id = $1 AND kind = 0 AND first_at <= $2 AND state IN ('committed', 'rewriting')",
    )
    .bind(project.0)
    .bind(until)
    .fetch_one(db.pool())
    .await?;
    Ok((row.try_get("n")?, row.try_get("bytes")?))
}

/// How many segments that count have these events between their first and their last row.
///
/// # Errors
/// As every statement.
pub async fn count_around(db: &Db, project: ProjectId, events: &[EventId]) -> Result<(i64, i64), DbError> {
    let row = sqlx::query(
        "SELECT count(*) AS n, coalesce(sum(size_bytes), 0)::bigint AS bytes FROM segments s \
         WHERE project_id = $1 AND kind = 0 AND state IN ('committed', 'rewriting') \
         AND EXISTS (SELECT 1 FROM unnest($2::uuid[]) AS n(id) WHERE n.id BETWEEN s.first_id AND s.last_id)",
    )
    .bind(project.0)
    .bind(events.iter().map(|id| id.0).collect::<Vec<_>>())
    .fetch_one(db.pool())
    .await?;
    Ok((row.try_get("n")?, row.try_get("bytes")?))
}

/// Segments of deliveries with rows accepted between two instants.
///
/// # Errors
/// As every statement.
pub async fn deliveries_between(
    db: &Db,
    project: ProjectId,
    at: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Segment>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segments s WHERE s.project_id = $1 AND s.kind = $2 AND s.first_at <= $4 AND s.last_at >= $3 \
         AND s.state IN ('committed', 'rewriting') ORDER BY s.id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.0)
        .bind(Kind::Deliveries.code())
        .bind(at.0)
        .bind(at.1)
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// Events that an erasure means and that are not held, accepted between two instants.
///
/// # Errors
/// As every statement.
pub async fn free_events(
    db: &Db,
    erasure: ErasureId,
    at: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<EventId>, DbError> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT event_id FROM erasure_events WHERE erasure_id = $1 AND accepted_at BETWEEN $2 AND $3 AND NOT held ORDER BY 1",
    )
    .bind(erasure.0)
    .bind(at.0)
    .bind(at.1)
    .fetch_all(db.pool())
    .await?;
    Ok(ids.into_iter().map(EventId).collect())
}

/// Announces the next generation of a segment, and remembers what is changed in it. `false` when the
/// segment is not what it was any more.
///
/// # Errors
/// As every statement.
pub async fn announce(
    db: &Db,
    erasure: ErasureId,
    segment: &Segment,
    pending: &Value,
    (blocks, rows): (&[i32], i32),
    (events, held): (&[EventId], &[EventId]),
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let mut txn = db.pool().begin().await?;
    let done = sqlx::query(
        "UPDATE segments SET state = 'rewriting', pending = $3 WHERE id = $1 AND generation = $2 AND state = 'committed'",
    )
    .bind(segment.id)
    .bind(segment.generation)
    .bind(pending)
    .execute(&mut *txn)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    remember(&mut txn, erasure, events, false).await?;
    remember(&mut txn, erasure, held, true).await?;
    sqlx::query(
        "INSERT INTO erasure_segments AS d (erasure_id, segment_id, outcome, blocks, row_count, at) \
         VALUES ($1, $2, 'rewriting', $3, $4, $5) ON CONFLICT (erasure_id, segment_id) DO UPDATE SET \
            outcome = 'rewriting', at = excluded.at, row_count = greatest(d.row_count, excluded.row_count), \
            blocks = ARRAY(SELECT DISTINCT unnest(d.blocks || excluded.blocks) ORDER BY 1)",
    )
    .bind(erasure.0)
    .bind(segment.id)
    .bind(blocks)
    .bind(rows)
    .bind(now)
    .execute(&mut *txn)
    .await?;
    txn.commit().await?;
    Ok(true)
}

/// An object that takes the place of a segment's.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Its number.
    pub number: i32,
    /// Tag of its content.
    pub etag: String,
    /// Its version, in stores that keep versions.
    pub version_id: Option<String>,
    /// Its bytes.
    pub size_bytes: i64,
    /// Bytes of its text.
    pub raw_bytes: i64,
    /// SHA-256 of the object.
    pub object_sha256: Vec<u8>,
    /// SHA-256 of its text.
    pub content_sha256: Vec<u8>,
    /// Its index of blocks.
    pub block_index: Vec<u8>,
    /// Its filter of idempotency keys: unknown, none, or this one.
    pub keys: Keys,
}

/// The filter of idempotency keys of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Not known: the old one stays, which only costs reads in vain.
    AsBefore,
    /// No row has a key.
    Nothing,
    /// This one.
    Bits(Vec<u8>),
}

/// Makes a generation count that was read back. Backups that have read the old one will not count.
/// `false` when the segment is not what it was any more.
///
/// # Errors
/// As every statement.
pub async fn swap(db: &Db, segment: &Segment, new: &Generation, now: DateTime<Utc>) -> Result<bool, DbError> {
    let mut txn = db.pool().begin().await?;
    let done = sqlx::query(
        "UPDATE segments SET state = 'committed', pending = NULL, generation = $3, etag = $4, version_id = $5, \
            size_bytes = $6, raw_bytes = $7, object_sha256 = $8, content_sha256 = $9, block_index = $10, verified_at = $11, \
            last_error = NULL WHERE id = $1 AND generation = $2 AND state IN ('committed', 'rewriting')",
    )
    .bind(segment.id)
    .bind(segment.generation)
    .bind(new.number)
    .bind(&new.etag)
    .bind(&new.version_id)
    .bind(new.size_bytes)
    .bind(new.raw_bytes)
    .bind(&new.object_sha256)
    .bind(&new.content_sha256)
    .bind(&new.block_index)
    .bind(now)
    .execute(&mut *txn)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    match &new.keys {
        Keys::AsBefore => {}
        Keys::Nothing => {
            sqlx::query("DELETE FROM segment_filters WHERE segment_id = $1 AND what = 'key'")
                .bind(segment.id)
                .execute(&mut *txn)
                .await?;
        }
        Keys::Bits(bits) => {
            sqlx::query("UPDATE segment_filters SET bits = $2 WHERE segment_id = $1 AND what = 'key'")
                .bind(segment.id)
                .bind(bits)
                .execute(&mut *txn)
                .await?;
        }
    }
    sqlx::query("UPDATE projects SET erasure_version = erasure_version + 1 WHERE id = $1")
        .bind(segment.project_id.0)
        .execute(&mut *txn)
        .await?;
    txn.commit().await?;
    Ok(true)
}

/// Takes an announcement back: the object is still the old one.
///
/// # Errors
/// As every statement.
pub async fn take_back(db: &Db, segment: &Segment) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE segments SET state = 'committed', pending = NULL WHERE id = $1 AND generation = $2 AND state = 'rewriting'",
    )
    .bind(segment.id)
    .bind(segment.generation)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What was done about a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The segment.
    pub segment: Uuid,
    /// `clean`, `rewritten`, `removed` or `blocked`.
    pub outcome: String,
    /// Blocks that were written anew.
    pub blocks: Vec<i32>,
    /// Rows changed in them.
    pub rows: i32,
    /// Old versions of the object that were removed.
    pub versions_removed: i32,
    /// What stands in the way.
    pub reason: Option<String>,
    /// Name of the object.
    pub object_key: String,
}

/// Writes down what was done about a segment. One that was rewritten stays so when it is looked at
/// again.
///
/// # Errors
/// As every statement.
pub async fn record(
    db: &Db,
    erasure: ErasureId,
    segment: Uuid,
    (outcome, reason): (&str, Option<&str>),
    versions_removed: i32,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO erasure_segments AS d (erasure_id, segment_id, outcome, versions_removed, reason, at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (erasure_id, segment_id) DO UPDATE SET \
            outcome = CASE WHEN $3 = 'clean' AND d.blocks <> '{}' THEN 'rewritten' ELSE $3 END, \
            versions_removed = d.versions_removed + excluded.versions_removed, reason = excluded.reason, at = excluded.at",
    )
    .bind(erasure.0)
    .bind(segment)
    .bind(outcome)
    .bind(versions_removed)
    .bind(reason)
    .bind(now)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// What was done about segments, those that held nothing left out; and how many were looked at.
///
/// # Errors
/// As every statement.
pub async fn done(db: &Db, erasure: ErasureId) -> Result<(Vec<Done>, i64), DbError> {
    let rows = sqlx::query(
        "SELECT d.segment_id, d.outcome, d.blocks, d.row_count, d.versions_removed, d.reason, s.object_key \
         FROM erasure_segments d JOIN segments s ON s.id = d.segment_id \
         WHERE d.erasure_id = $1 AND d.outcome <> 'clean' ORDER BY d.segment_id",
    )
    .bind(erasure.0)
    .fetch_all(db.pool())
    .await?;
    let mut done = Vec::with_capacity(rows.len());
    for row in rows {
        done.push(Done {
            segment: row.try_get("segment_id")?,
            outcome: row.try_get("outcome")?,
            blocks: row.try_get("blocks")?,
            rows: row.try_get("row_count")?,
            versions_removed: row.try_get("versions_removed")?,
            reason: row.try_get("reason")?,
            object_key: row.try_get("object_key")?,
        });
    }
    let looked: i64 = sqlx::query_scalar("SELECT count(*) FROM erasure_segments WHERE erasure_id = $1")
        .bind(erasure.0)
        .fetch_one(db.pool())
        .await?;
    Ok((done, looked))
}

/// Segments that do not count but may have an object with what has to go: those that were superseded or
/// given up, and those whose writer is still at work.
///
/// # Errors
/// As every statement.
pub async fn leftovers(db: &Db, scope: &Scope) -> Result<Vec<Segment>, DbError> {
    // Without a first row nothing is known of what is in it: then it is looked at.
    let sql = format!(
        "SELECT {COLUMNS} FROM segments s WHERE s.project_id = $2 AND s.kind = $3 \
         AND s.state IN ('planned', 'uploaded', 'abandoned', 'replaced') AND (s.first_at IS NULL OR ({})) \
         AND NOT EXISTS (SELECT 1 FROM erasure_segments d WHERE d.erasure_id = $1 AND d.segment_id = s.id \
            AND d.outcome = 'blocked' AND d.at >= $5) ORDER BY s.id",
        scope.condition()
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.erasure.0)
        .bind(scope.project.0)
        .bind(scope.kind.code())
        .bind(scope.until)
        .bind(scope.retry)
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// The object of a segment that did not count any more is gone.
///
/// # Errors
/// As every statement.
pub async fn removed(db: &Db, segment: Uuid) -> Result<(), DbError> {
    sqlx::query("UPDATE segments SET state = 'deleted' WHERE id = $1 AND state IN ('abandoned', 'replaced')")
        .bind(segment)
        .execute(db.pool())
        .await?;
    Ok(())
}
