//! What the page of partitions shows beside the leaves: heaps, backup by day, what left, free space.

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::ProjectId;
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, Part};
use domain::segment::Kind;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Row};
use serde::Serialize;

use crate::{Db, DbError};

/// A hot table by itself, without leaves.
#[derive(Clone, Debug)]
pub struct Heap {
    /// The table.
    pub table: &'static str,
    /// Whether it is split into days: then it holds no rows itself.
    pub is_partitioned: bool,
    /// Rows that it holds itself, estimated.
    pub rows: i64,
    /// Bytes of them, with indexes.
    pub bytes: i64,
}

/// Every hot table by itself.
///
/// # Errors
/// As every statement.
pub async fn heaps(db: &Db) -> Result<Vec<Heap>, DbError> {
    let rows: Vec<(String, bool, i64, i64)> = sqlx::query_as(
        "SELECT relname::text, relkind = 'p', \
                CASE WHEN relkind = 'p' THEN 0 \
                     ELSE greatest(pg_stat_get_live_tuples(oid), reltuples::bigint, 0) END, \
                coalesce(pg_total_relation_size(oid), 0) \
         FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('p', 'r') \
         AND relname = ANY($1)",
    )
    .bind(PARTITIONED_TABLES.map(str::to_owned).to_vec())
    .fetch_all(db.pool())
    .await?;
    let heap = |table: &'static str| {
        let (_, is_partitioned, rows, bytes) = rows.iter().find(|(name, ..)| name == table)?;
        Some(Heap {
            table,
            is_partitioned: *is_partitioned,
            rows: *rows,
            bytes: *bytes,
        })
    };
    Ok(PARTITIONED_TABLES.into_iter().filter_map(heap).collect())
}

/// How a project's rows are kept and backed up.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// The project.
    pub id: ProjectId,
    /// Class of its new rows.
    pub keep_days: KeepDays,
    /// Whether its days are backed up.
    pub backup_on: bool,
    /// Events, and deliveries with attempts, are covered up to and with these days.
    pub through: [Option<NaiveDate>; 2],
}

/// Every project, deleted ones included: their rows are still kept.
///
/// # Errors
/// As every statement.
pub async fn keepers(db: &Db) -> Result<Vec<Keeper>, DbError> {
    let rows = sqlx::query(
        "SELECT p.id, p.keep_days, p.backup_on, e.through AS events, d.through AS deliveries FROM projects p \
         LEFT JOIN backup_marks e ON e.project_id = p.id AND e.part = 'events' \
         LEFT JOIN backup_marks d ON d.project_id = p.id AND d.part = 'deliveries'",
    )
    .fetch_all(db.pool())
    .await?;
    let keeper = |row: &PgRow| {
        Ok(Keeper {
            id: ProjectId(row.try_get("id")?),
            keep_days: KeepDays(row.try_get("keep_days")?),
            backup_on: row.try_get("backup_on")?,
            through: [row.try_get("events")?, row.try_get("deliveries")?],
        })
    };
    Ok(rows.iter().map(keeper).collect::<Result<_, sqlx::Error>>()?)
}

/// A day whose backup the watermark does not tell: it is open again, or lies behind the mark.
#[derive(Clone, Debug)]
pub struct MarkedDay {
    /// The project.
    pub project: ProjectId,
    /// What of it.
    pub part: Part,
    /// The day.
    pub day: NaiveDate,
    /// `waiting`, `covered` or `failed`.
    pub state: String,
    /// Why the last try did not cover it.
    pub error: Option<String>,
    /// Since when tries have failed.
    pub failed_since: Option<DateTime<Utc>>,
}

/// What [`Keeper::through`] leaves open, of projects with backup.
///
/// # Errors
/// As every statement.
pub async fn marked_days(db: &Db) -> Result<Vec<MarkedDay>, DbError> {
    let rows = sqlx::query(
        "SELECT b.project_id, b.part, b.day, b.state, b.error, b.failed_since FROM backup_days b \
         JOIN projects p ON p.id = b.project_id AND p.backup_on WHERE b.state <> 'covered' \
         UNION ALL \
         SELECT b.project_id, b.part, b.day, b.state, b.error, b.failed_since FROM projects p \
         CROSS JOIN (VALUES ('events'), ('deliveries')) AS parts (name) \
         LEFT JOIN backup_marks m ON m.project_id = p.id AND m.part = parts.name \
         JOIN backup_days b ON b.project_id = p.id AND b.part = parts.name \
              AND b.day > coalesce(m.through, '-infinity') \
         WHERE p.backup_on AND b.state = 'covered'",
    )
    .fetch_all(db.pool())
    .await?;
    let day = |row: &PgRow| {
        Ok(MarkedDay {
            project: ProjectId(row.try_get("project_id")?),
            part: Part::parse(row.try_get("part")?).unwrap_or(Part::Events),
            day: row.try_get("day")?,
            state: row.try_get("state")?,
            error: row.try_get("error")?,
            failed_since: row.try_get("failed_since")?,
        })
    };
    Ok(rows.iter().map(day).collect::<Result<_, sqlx::Error>>()?)
}

/// A hold in force.
#[derive(Clone, Debug)]
pub struct HeldSpan {
    /// The project.
    pub project: ProjectId,
    /// Rows accepted from here on ...
    pub from_at: DateTime<Utc>,
    /// ... and before this.
    pub to_at: DateTime<Utc>,
}

/// Every hold in force.
///
/// # Errors
/// As every statement.
pub async fn held(db: &Db) -> Result<Vec<HeldSpan>, DbError> {
    let rows = sqlx::query("SELECT project_id, from_at, to_at FROM holds WHERE released_at IS NULL")
        .fetch_all(db.pool())
        .await?;
    let span = |row: &PgRow| {
        Ok(HeldSpan {
            project: ProjectId(row.try_get("project_id")?),
            from_at: row.try_get("from_at")?,
            to_at: row.try_get("to_at")?,
        })
    };
    Ok(rows.iter().map(span).collect::<Result<_, sqlx::Error>>()?)
}

/// A leaf that left, or could not.
#[derive(Clone, Debug, Serialize)]
pub struct LeafDrop {
    /// The leaf.
    pub leaf: String,
    /// `refused`, `dropping` or `dropped`.
    pub state: String,
    /// Its rows.
    pub rows: i64,
    /// Its bytes.
    pub bytes: i64,
    /// Why it could not leave.
    pub reason: Option<String>,
    /// Since when it is in that state, or when it began to leave.
    pub since: DateTime<Utc>,
    /// When it was gone.
    pub ended_at: Option<DateTime<Utc>>,
    /// How long others could not use the table, in milliseconds.
    pub locked_ms: Option<i32>,
}

/// Every leaf that is on its way or could not leave, and the last `limit` that left, newest first.
///
/// # Errors
/// As every statement.
pub async fn drops(db: &Db, limit: i64) -> Result<Vec<LeafDrop>, DbError> {
    let rows = sqlx::query(
        "(SELECT * FROM leaf_drops WHERE state IN ('refused', 'dropping')) \
         UNION ALL \
         (SELECT * FROM leaf_drops WHERE state = 'dropped' ORDER BY since DESC, leaf LIMIT $1)",
    )
    .bind(limit)
    .fetch_all(db.pool())
    .await?;
    let dropped = |row: &PgRow| {
        Ok(LeafDrop {
            leaf: row.try_get("leaf")?,
            state: row.try_get("state")?,
            rows: row.try_get("row_count")?,
            bytes: row.try_get("size_bytes")?,
            reason: row.try_get("reason")?,
            since: row.try_get("since")?,
            ended_at: row.try_get("ended_at")?,
            locked_ms: row.try_get("locked_ms")?,
        })
    };
    Ok(rows.iter().map(dropped).collect::<Result<_, sqlx::Error>>()?)
}

/// How many segments hold rows of a kind, day and keep class.
#[derive(Clone, Copy, Debug)]
pub struct SegmentCount {
    /// What they hold.
    pub kind: Kind,
    /// The day.
    pub day: NaiveDate,
    /// The class.
    pub keep_days: KeepDays,
    /// How many.
    pub segments: i64,
}

/// The segments of `days`, counted per kind and class.
///
/// # Errors
/// As every statement.
pub async fn segments(db: &Db, days: &[NaiveDate]) -> Result<Vec<SegmentCount>, DbError> {
    // By way of the projects, so that the index of project and day serves.
    let rows: Vec<(i16, NaiveDate, i16, i64)> = sqlx::query_as(
        "SELECT s.kind, s.day, c.class::smallint, count(*) FROM projects p \
         JOIN segments s ON s.project_id = p.id AND s.day = ANY($1) AND s.state IN ('committed', 'rewriting') \
         CROSS JOIN jsonb_object_keys(s.classes) AS c (class) GROUP BY 1, 2, 3",
    )
    .bind(days)
    .fetch_all(db.pool())
    .await?;
    let count = |(kind, day, class, segments)| {
        Some(SegmentCount {
            kind: Kind::from_code(kind)?,
            day,
            keep_days: KeepDays(class),
            segments,
        })
    };
    Ok(rows.into_iter().filter_map(count).collect())
}

/// Bytes of the archive: of everything, and of the days from `from` to `to`, per day.
///
/// # Errors
/// As every statement.
pub async fn archive_bytes(db: &Db, from: NaiveDate, to: NaiveDate) -> Result<(i64, i64), DbError> {
    Ok(sqlx::query_as(
        "SELECT coalesce(sum(size_bytes), 0)::bigint, \
                coalesce(sum(size_bytes) FILTER (WHERE day BETWEEN $1 AND $2) \
                         / nullif(count(DISTINCT day) FILTER (WHERE day BETWEEN $1 AND $2), 0), 0)::bigint \
         FROM backup_days WHERE size_bytes > 0",
    )
    .bind(from)
    .bind(to)
    .fetch_one(db.pool())
    .await?)
}

/// The disk that PostgreSQL writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Bytes of the whole database.
///
/// # Errors
/// As every statement.
pub async fn database_bytes(db: &Db) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("SELECT coalesce(pg_database_size(current_database()), 0)")
            .fetch_one(db.pool())
            .await?,
    )
}

/// The disk of PostgreSQL, when it runs on this machine and may tell where its files are.
///
/// # Errors
/// As every statement.
pub async fn disk(db: &Db) -> Result<Option<Disk>, DbError> {
    let folder: Option<String> = sqlx::query_scalar(
        "SELECT CASE WHEN coalesce(host(inet_server_addr()) IN ('127.0.0.1', '::1'), true) \
                      AND pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') \
                THEN current_setting('data_directory', true) END",
    )
    .fetch_one(db.pool())
    .await?;
    let Some(space) = folder.and_then(|folder| rustix::fs::statvfs(folder.as_str()).ok()) else {
        return Ok(None);
    };
    Ok(Some(Disk {
        free: space.f_bavail.saturating_mul(space.f_frsize),
        total: space.f_blocks.saturating_mul(space.f_frsize),
    }))
}
