//! Segments: the index of the archive, and the one transaction that makes a backup count.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::ProjectId;
use domain::lifecycle::{KeepDays, next_day, start_of};
use domain::segment::Kind;
use domain::state::SegmentState;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Postgres, Row, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::export::{digest_sql, table};
use crate::{Db, DbError};

/// How many rows of one keep class, and the sum of their digests: two sets with the same figures
/// hold the same rows in the same state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassDigest {
    /// Rows.
    pub rows: i64,
    /// Wrapping sum of the rows' digests.
    pub sum: i64,
}

impl ClassDigest {
    /// Counts a row in.
    pub fn add(&mut self, hash: i64) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    /// Counts a set in.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// A column `modulo`, a sum modulo 2^64, as the wrapping sum of 64-bit integers gives it.
pub(crate) const WRAPPED_SUM: &str = "(CASE WHEN modulo >= 9223372036854775808 THEN modulo - 18446744073709551616 \
     WHEN modulo < -9223372036854775808 THEN modulo + 18446744073709551616 ELSE modulo END)::bigint";

/// Digest per keep class.
pub type ClassDigests = BTreeMap<i16, ClassDigest>;

/// A row of `segments`, without its filters.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The archive id: last part of the object's name.
    pub id: Uuid,
    /// Its project.
    pub project_id: ProjectId,
    /// The storage policy that it was written under.
    pub policy_id: Uuid,
    /// What its rows are.
    pub kind: Kind,
    /// Event type, or a reserved topic.
    pub topic: String,
    /// The day that its rows were accepted on.
    pub day: NaiveDate,
    /// Name of the object, without the policy's prefix.
    pub object_key: String,
    /// Where it stands.
    pub state: SegmentState,
    /// Rows in it.
    pub row_count: i32,
    /// Smallest and largest id in it; of segments that were written.
    pub ids: Option<(Uuid, Uuid)>,
    /// Times of its first and last row; of segments that were written.
    pub at: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Rows per keep class when it was written.
    pub classes: ClassDigests,
    /// Grows with every rewriting.
    pub generation: i32,
    /// What replaces the object, while it is rewritten.
    pub pending: Option<Value>,
    /// Tag of the object's content.
    pub etag: Option<String>,
    /// Version of the object, in stores that keep versions.
    pub version_id: Option<String>,
    /// Bytes of the object.
    pub size_bytes: i64,
    /// Bytes of its text.
    pub raw_bytes: i64,
    /// SHA-256 of the object.
    pub object_sha256: Option<Vec<u8>>,
    /// SHA-256 of its text.
    pub content_sha256: Option<Vec<u8>>,
    /// `storage::segment::BlockIndex` as bytes.
    pub block_index: Option<Vec<u8>>,
    /// When it was planned.
    pub created_at: DateTime<Utc>,
    /// When it began to count.
    pub committed_at: Option<DateTime<Utc>>,
    /// When it was last read back and found whole.
    pub verified_at: Option<DateTime<Utc>>,
    /// Since when some of its rows may be gone from PostgreSQL.
    pub cold_since: Option<DateTime<Utc>>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// Columns in the order of [`Segment`].
pub(crate) const COLUMNS: &str = "s.id, s.project_id, s.policy_id, s.kind, s.topic, s.day, s.object_key, s.state, s.row_count, \
     s.first_id, s.last_id, s.first_at, s.last_at, s.classes, s.generation, s.pending, s.etag, s.version_id, s.size_bytes, s.raw_bytes, \
     s.object_sha256, s.content_sha256, s.block_index, s.created_at, s.committed_at, s.verified_at, s.cold_since, s.last_error";

pub(crate) fn from_row(row: &PgRow) -> Result<Segment, sqlx::Error> {
    let first: Option<Uuid> = row.try_get("first_id")?;
    let last: Option<Uuid> = row.try_get("last_id")?;
    let first_at: Option<DateTime<Utc>> = row.try_get("first_at")?;
    let last_at: Option<DateTime<Utc>> = row.try_get("last_at")?;
    Ok(Segment {
        id: row.try_get("id")?,
        project_id: ProjectId(row.try_get("project_id")?),
        policy_id: row.try_get("policy_id")?,
        kind: Kind::from_code(row.try_get("kind")?).unwrap_or(Kind::Events),
        topic: row.try_get("topic")?,
        day: row.try_get("day")?,
        object_key: row.try_get("object_key")?,
        state: SegmentState::parse(row.try_get("state")?).unwrap_or(SegmentState::Quarantined),
        row_count: row.try_get("row_count")?,
        ids: first.zip(last),
        at: first_at.zip(last_at),
        classes: serde_json::from_value(row.try_get("classes")?).unwrap_or_default(),
        generation: row.try_get("generation")?,
        pending: row.try_get("pending")?,
        etag: row.try_get("etag")?,
        version_id: row.try_get("version_id")?,
        size_bytes: row.try_get("size_bytes")?,
        raw_bytes: row.try_get("raw_bytes")?,
        object_sha256: row.try_get("object_sha256")?,
        content_sha256: row.try_get("content_sha256")?,
        block_index: row.try_get("block_index")?,
        created_at: row.try_get("created_at")?,
        committed_at: row.try_get("committed_at")?,
        verified_at: row.try_get("verified_at")?,
        cold_since: row.try_get("cold_since")?,
        last_error: row.try_get("last_error")?,
    })
}

pub(crate) fn from_rows(rows: &[PgRow]) -> Result<Vec<Segment>, DbError> {
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// What is known of a segment before its object exists.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The archive id; new for every attempt.
    pub id: Uuid,
    /// The project.
    pub project_id: ProjectId,
    /// The storage policy to write under.
    pub policy_id: Uuid,
    /// What its rows are.
    pub kind: Kind,
    /// Event type, or a reserved topic.
    pub topic: String,
    /// The day that its rows were accepted on.
    pub day: NaiveDate,
    /// Name of the object, without the policy's prefix.
    pub object_key: String,
    /// The writer's lease and its fence.
    pub lease: (&'static str, i64),
}

/// Writes the intent: from now on the object is known, whatever happens to its writer.
///
/// # Errors
/// As every statement.
pub async fn plan(db: &Db, intent: &Intent, now: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO segments (id, project_id, policy_id, kind, topic, day, object_key, state, lease, fence, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'planned', $8, $9, $10)",
    )
    .bind(intent.id)
    .bind(intent.project_id.0)
    .bind(intent.policy_id)
    .bind(intent.kind.code())
    .bind(&intent.topic)
    .bind(intent.day)
    .bind(&intent.object_key)
    .bind(intent.lease.0)
    .bind(intent.lease.1)
    .bind(now)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// What is known of an object once it was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The segment.
    pub id: Uuid,
    /// Rows in it.
    pub row_count: i32,
    /// Smallest and largest id.
    pub ids: (Uuid, Uuid),
    /// Times of the first and the last row.
    pub at: (DateTime<Utc>, DateTime<Utc>),
    /// Rows per keep class.
    pub classes: ClassDigests,
    /// Tag of the object's content.
    pub etag: String,
    /// Version of the object, in stores that keep versions.
    pub version_id: Option<String>,
    /// Bytes of the object.
    pub size_bytes: i64,
    /// Bytes of its text.
    pub raw_bytes: i64,
    /// SHA-256 of the object.
    pub object_sha256: Vec<u8>,
    /// SHA-256 of its text.
    pub content_sha256: Vec<u8>,
    /// Index of blocks.
    pub block_index: Vec<u8>,
    /// Bloom filters by what they are of: `id`, `key`.
    pub filters: Vec<(&'static str, Vec<u8>)>,
}

/// Records that the object lies in the store.
///
/// # Errors
/// As every statement.
pub async fn uploaded(db: &Db, written: &Written) -> Result<(), DbError> {
    let mut txn = db.pool().begin().await?;
    sqlx::query(
        "UPDATE segments SET state = 'uploaded', row_count = $2, first_id = $3, last_id = $4, first_at = $5, last_at = $6, \
            classes = $7, etag = $8, version_id = $9, size_bytes = $10, raw_bytes = $11, object_sha256 = $12, \
            content_sha256 = $13, block_index = $14 WHERE id = $1 AND state = 'planned'",
    )
    .bind(written.id)
    .bind(written.row_count)
    .bind(written.ids.0)
    .bind(written.ids.1)
    .bind(written.at.0)
    .bind(written.at.1)
    .bind(serde_json::to_value(&written.classes).unwrap_or_default())
    .bind(&written.etag)
    .bind(&written.version_id)
    .bind(written.size_bytes)
    .bind(written.raw_bytes)
    .bind(&written.object_sha256)
    .bind(&written.content_sha256)
    .bind(&written.block_index)
    .execute(&mut *txn)
    .await?;
    for (what, bits) in &written.filters {
        sqlx::query(
            "INSERT INTO segment_filters (segment_id, what, bits) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(written.id)
        .bind(*what)
        .bind(bits)
        .execute(&mut *txn)
        .await?;
    }
    txn.commit().await?;
    Ok(())
}

/// Gives up segments that never counted; their objects are the sweeper's now.
///
/// # Errors
/// As every statement.
pub async fn abandon(db: &Db, ids: &[Uuid], why: &str) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE segments SET state = 'abandoned', last_error = $2 WHERE id = ANY($1) AND state IN ('planned', 'uploaded')",
    )
    .bind(ids)
    .bind(why)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Gives up what writers with an older fence left behind: they are gone, or will fail to commit.
///
/// # Errors
/// As every statement.
pub async fn abandon_before(db: &Db, lease: &str, fence: i64) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE segments SET state = 'abandoned', last_error = 'its writer lost the lease' \
         WHERE lease = $1 AND fence < $2 AND state IN ('planned', 'uploaded')",
    )
    .bind(lease)
    .bind(fence)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected())
}

/// The segments of a project's day that count, in the order of topic and id.
///
/// # Errors
/// As every statement.
pub async fn of_day(
    db: &Db,
    project: ProjectId,
    kind: Kind,
    day: NaiveDate,
) -> Result<Vec<Segment>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segments s WHERE s.project_id = $1 AND s.kind = $2 AND s.day = $3 \
         AND s.state IN ('committed', 'rewriting') ORDER BY s.topic COLLATE \"C\", s.first_id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.0)
        .bind(kind.code())
        .bind(day)
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// One segment by its archive id.
///
/// # Errors
/// As every statement.
pub async fn find(db: &Db, id: Uuid) -> Result<Option<Segment>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM segments s WHERE s.id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(db.pool())
        .await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// Whether anything was ever written under a storage policy.
///
/// # Errors
/// As every statement.
pub async fn any_under(db: &Db, policy: Uuid) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM segments WHERE policy_id = $1 AND etag IS NOT NULL)",
        )
        .bind(policy)
        .fetch_one(db.pool())
        .await?,
    )
}

/// What makes a project's day count as backed up.
#[derive(Clone, Debug)]
pub struct Commit<'a> {
    /// The project.
    pub project_id: ProjectId,
    /// The day.
    pub day: NaiveDate,
    /// Written and read back.
    pub new: &'a [Uuid],
    /// Superseded by `new`.
    pub old: &'a [Uuid],
    /// Lease under which this was written, and its fence.
    pub lease: (&'a str, i64),
    /// The project's erasures when the rows were read.
    pub erasure_version: i64,
    /// What was read, per kind: must still be what the tables hold.
    pub read: &'a [(Kind, ClassDigests)],
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The new segments count.
    Committed,
    /// Somebody else holds the lease.
    LeaseLost,
    /// Rows came, changed or were erased since they were read: read again.
    Changed,
}

/// Makes the new segments count instead of the old ones, or changes nothing.
///
/// # Errors
/// As every statement. After [`DbError::Unavailable`] the outcome is unknown: look at the segments'
/// state before anything else, and never remove their objects.
pub async fn commit(db: &Db, commit: &Commit<'_>, now: DateTime<Utc>) -> Result<Verdict, DbError> {
    let mut txn = db.pool().begin().await?;
    let held: Option<i64> = sqlx::query_scalar("SELECT fence FROM leases WHERE name = $1 FOR UPDATE")
        .bind(commit.lease.0)
        .fetch_optional(&mut *txn)
        .await?;
    if held != Some(commit.lease.1) {
        return Ok(Verdict::LeaseLost);
    }
    // Also keeps erasures away until the end: they change this row.
    let erasures: i64 = sqlx::query_scalar("SELECT erasure_version FROM projects WHERE id = $1 FOR SHARE")
        .bind(commit.project_id.0)
        .fetch_one(&mut *txn)
        .await?;
    if erasures != commit.erasure_version {
        return Ok(Verdict::Changed);
    }
    for (kind, read) in commit.read {
        let found = digests_in(&mut txn, &[commit.project_id], *kind, commit.day, None).await?;
        if found.get(&commit.project_id).unwrap_or(&ClassDigests::new()) != read {
            return Ok(Verdict::Changed);
        }
    }
    let replaced =
        sqlx::query("UPDATE segments SET state = 'replaced' WHERE id = ANY($1) AND state = 'committed'")
            .bind(commit.old)
            .execute(&mut *txn)
            .await?;
    // One of them is being rewritten, or was quarantined.
    if usize::try_from(replaced.rows_affected()).unwrap_or(0) != commit.old.len() {
        return Ok(Verdict::Changed);
    }
    let done = sqlx::query(
        "UPDATE segments n SET state = 'committed', committed_at = $2, verified_at = $2, \
            cold_since = (SELECT min(o.cold_since) FROM segments o WHERE o.id = ANY($3)) \
         WHERE n.id = ANY($1) AND n.state = 'uploaded'",
    )
    .bind(commit.new)
    .bind(now)
    .bind(commit.old)
    .execute(&mut *txn)
    .await?;
    if usize::try_from(done.rows_affected()).unwrap_or(0) != commit.new.len() {
        return Ok(Verdict::LeaseLost);
    }
    txn.commit().await?;
    Ok(Verdict::Committed)
}

/// Whether every one of `ids` counts: for a writer whose commit had an unknown outcome.
///
/// # Errors
/// As every statement.
pub async fn all_committed(db: &Db, ids: &[Uuid]) -> Result<bool, DbError> {
    let n: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM segments WHERE id = ANY($1) AND state IN ('committed', 'rewriting')",
    )
    .bind(ids)
    .fetch_one(db.pool())
    .await?;
    Ok(usize::try_from(n).is_ok_and(|n| n == ids.len()))
}

/// What PostgreSQL holds of each project's day, per keep class; with `class`, of that one alone.
///
/// # Errors
/// As every statement.
pub async fn digests(
    db: &Db,
    projects: &[ProjectId],
    kind: Kind,
    day: NaiveDate,
    class: Option<KeepDays>,
) -> Result<BTreeMap<ProjectId, ClassDigests>, DbError> {
    let mut txn = db.pool().begin().await?;
    digests_in(&mut txn, projects, kind, day, class).await
}

async fn digests_in(
    txn: &mut Transaction<'_, Postgres>,
    projects: &[ProjectId],
    kind: Kind,
    day: NaiveDate,
    class: Option<KeepDays>,
) -> Result<BTreeMap<ProjectId, ClassDigests>, DbError> {
    sqlx::query("SET LOCAL statement_timeout = '15min'")
        .execute(&mut **txn)
        .await?;
    let sql = format!(
        "SELECT project_id, keep_days, n, {WRAPPED_SUM} AS total FROM ( \
            SELECT project_id, keep_days, count(*) AS n, mod(sum({}::numeric), 18446744073709551616) AS modulo \
            FROM {} WHERE accepted_at >= $1 AND accepted_at < $2 AND project_id = ANY($3) \
              AND ($4::smallint IS NULL OR keep_days = $4) GROUP BY 1, 2) sums",
        digest_sql(kind),
        table(kind),
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(start_of(day))
        .bind(start_of(next_day(day)))
        .bind(projects.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind(class.map(|class| class.0))
        .fetch_all(&mut **txn)
        .await?;
    let mut digests: BTreeMap<ProjectId, ClassDigests> = BTreeMap::new();
    for row in rows {
        let digest = ClassDigest {
            rows: row.try_get("n")?,
            sum: row.try_get("total")?,
        };
        digests
            .entry(ProjectId(row.try_get("project_id")?))
            .or_default()
            .insert(row.try_get("keep_days")?, digest);
    }
    Ok(digests)
}

/// What segments hold of each project's day, per keep class, as of when they were written.
///
/// # Errors
/// As every statement.
pub async fn stored_digests(
    db: &Db,
    projects: &[ProjectId],
    kind: Kind,
    day: NaiveDate,
) -> Result<BTreeMap<ProjectId, ClassDigests>, DbError> {
    let rows = sqlx::query(
        "SELECT project_id, classes FROM segments \
         WHERE project_id = ANY($1) AND kind = $2 AND day = $3 AND state IN ('committed', 'rewriting')",
    )
    .bind(projects.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind(kind.code())
    .bind(day)
    .fetch_all(db.pool())
    .await?;
    let mut digests: BTreeMap<ProjectId, ClassDigests> = BTreeMap::new();
    for row in rows {
        let classes: ClassDigests = serde_json::from_value(row.try_get("classes")?).unwrap_or_default();
        let of_project = digests.entry(ProjectId(row.try_get("project_id")?)).or_default();
        for (class, digest) in classes {
            of_project.entry(class).or_default().merge(digest);
        }
    }
    Ok(digests)
}

/// From now on readers look into the segments of these projects' day, too: some rows leave
/// PostgreSQL.
///
/// # Errors
/// As every statement.
pub async fn turn_cold(
    db: &Db,
    projects: &[ProjectId],
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE segments SET cold_since = $3 WHERE project_id = ANY($1) AND day = $2 AND cold_since IS NULL \
         AND state IN ('committed', 'rewriting')",
    )
    .bind(projects.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind(day)
    .bind(now)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected())
}
