//! Which days of which project are covered by the archive.

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{EventId, ProjectId};
use domain::lifecycle::{Part, next_day, start_of};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Row};
use serde::Serialize;

use crate::{Db, DbError};

/// A project whose days are backed up.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The project.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// When it was made: nothing of it is older.
    pub created_at: DateTime<Utc>,
    /// Grows with every erasure.
    pub erasure_version: i64,
    /// Events, and deliveries with attempts, are covered up to and with these days.
    pub through: [Option<NaiveDate>; 2],
}

/// Projects with backup on, deleted ones included: their rows are still kept.
///
/// # Errors
/// As every statement.
pub async fn subjects(db: &Db) -> Result<Vec<Subject>, DbError> {
    let rows = sqlx::query(
        "SELECT p.id, p.name, p.created_at, p.erasure_version, e.through AS events, d.through AS deliveries \
         FROM projects p \
         LEFT JOIN backup_marks e ON e.project_id = p.id AND e.part = 'events' \
         LEFT JOIN backup_marks d ON d.project_id = p.id AND d.part = 'deliveries' \
         WHERE p.backup_on ORDER BY p.id",
    )
    .fetch_all(db.pool())
    .await?;
    let subject = |row: &PgRow| {
        Ok(Subject {
            id: ProjectId(row.try_get("id")?),
            name: row.try_get("name")?,
            created_at: row.try_get("created_at")?,
            erasure_version: row.try_get("erasure_version")?,
            through: [row.try_get("events")?, row.try_get("deliveries")?],
        })
    };
    Ok(rows.iter().map(subject).collect::<Result<_, sqlx::Error>>()?)
}

/// The first day of which PostgreSQL holds an event.
///
/// # Errors
/// As every statement.
pub async fn first_day(db: &Db) -> Result<Option<NaiveDate>, DbError> {
    // Ids sort by time, and each partition gives its smallest from the primary key.
    let id: Option<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM events ORDER BY id LIMIT 1")
        .fetch_optional(db.pool())
        .await?;
    Ok(id.map(|id| EventId(id).day()))
}

/// Which of `projects` have deliveries of `day`, or events not matched yet, that are still live.
///
/// # Errors
/// As every statement.
pub async fn unsettled(
    db: &Db,
    projects: &[ProjectId],
    part: Part,
    day: NaiveDate,
) -> Result<Vec<ProjectId>, DbError> {
    let table = match part {
        Part::Events => "events",
        Part::Deliveries => "event_deliveries",
    };
    let sql = format!(
        "SELECT DISTINCT project_id FROM {table} \
         WHERE due_at IS NOT NULL AND accepted_at >= $1 AND accepted_at < $2 AND project_id = ANY($3)"
    );
    let ids: Vec<uuid::Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(start_of(day))
        .bind(start_of(next_day(day)))
        .bind(projects.iter().map(|id| id.0).collect::<Vec<_>>())
        .fetch_all(db.pool())
        .await?;
    Ok(ids.into_iter().map(ProjectId).collect())
}

/// One day of one project and part.
#[derive(Clone, Debug, Serialize)]
pub struct BackupDay {
    /// The project.
    pub project_id: ProjectId,
    /// What was to be covered.
    pub part: Part,
    /// The day.
    pub day: NaiveDate,
    /// `waiting`, `covered` or `failed`.
    pub state: String,
    /// Rows covered.
    pub row_count: i64,
    /// Bytes of the segments.
    pub size_bytes: i64,
    /// When it was covered.
    pub covered_at: Option<DateTime<Utc>>,
    /// Why the last try did not cover it.
    pub error: Option<String>,
    /// Since when tries have failed.
    pub failed_since: Option<DateTime<Utc>>,
}

fn from_row(row: &PgRow) -> Result<BackupDay, sqlx::Error> {
    Ok(BackupDay {
        project_id: ProjectId(row.try_get("project_id")?),
        part: Part::parse(row.try_get("part")?).unwrap_or(Part::Events),
        day: row.try_get("day")?,
        state: row.try_get("state")?,
        row_count: row.try_get("row_count")?,
        size_bytes: row.try_get("size_bytes")?,
        covered_at: row.try_get("covered_at")?,
        error: row.try_get("error")?,
        failed_since: row.try_get("failed_since")?,
    })
}

/// Days that were looked at and are not covered, oldest first.
///
/// # Errors
/// As every statement.
pub async fn uncovered(db: &Db) -> Result<Vec<BackupDay>, DbError> {
    let rows =
        sqlx::query("SELECT * FROM backup_days WHERE state <> 'covered' ORDER BY day, project_id, part")
            .fetch_all(db.pool())
            .await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// Days of one project from `from` to `to`, oldest first.
///
/// # Errors
/// As every statement.
pub async fn days(
    db: &Db,
    project: ProjectId,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<BackupDay>, DbError> {
    let rows = sqlx::query(
        "SELECT * FROM backup_days WHERE project_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day, part",
    )
    .bind(project.0)
    .bind(from)
    .bind(to)
    .fetch_all(db.pool())
    .await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// Records a covered day and moves the watermark on as far as days are covered without a gap.
///
/// # Errors
/// As every statement.
pub async fn cover(
    db: &Db,
    (project, part, day): (ProjectId, Part, NaiveDate),
    rows: i64,
    bytes: i64,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let mut txn = db.pool().begin().await?;
    sqlx::query(
        "INSERT INTO backup_days (project_id, part, day, state, row_count, size_bytes, covered_at) \
         VALUES ($1, $2, $3, 'covered', $4, $5, $6) \
         ON CONFLICT (project_id, part, day) DO UPDATE SET state = 'covered', row_count = $4, size_bytes = $5, \
            covered_at = $6, error = NULL, failed_since = NULL",
    )
    .bind(project.0)
    .bind(part.as_str())
    .bind(day)
    .bind(rows)
    .bind(bytes)
    .bind(now)
    .execute(&mut *txn)
    .await?;
    // Days without a gap differ from their number by the same amount: the first such stretch counts,
    // up to the first day that is not covered.
    sqlx::query(
        "INSERT INTO backup_marks AS m (project_id, part, through) \
         WITH known AS (SELECT day, state FROM backup_days WHERE project_id = $1 AND part = $2 AND day >= coalesce( \
                (SELECT through FROM backup_marks WHERE project_id = $1 AND part = $2), '-infinity')), \
              stretches AS (SELECT day, day - row_number() OVER (ORDER BY day)::int AS stretch \
                            FROM known WHERE state = 'covered') \
         SELECT $1, $2, max(day) FROM stretches \
         WHERE stretch = (SELECT min(stretch) FROM stretches) \
           AND day < coalesce((SELECT min(day) FROM known WHERE state <> 'covered'), 'infinity') \
         HAVING max(day) IS NOT NULL \
         ON CONFLICT (project_id, part) DO UPDATE SET through = greatest(m.through, excluded.through)",
    )
    .bind(project.0)
    .bind(part.as_str())
    .execute(&mut *txn)
    .await?;
    txn.commit().await?;
    Ok(())
}

/// Records that a day is not covered: `failed` with an error, or `waiting` with a reason.
///
/// # Errors
/// As every statement.
pub async fn leave_open(
    db: &Db,
    (project, part, day): (ProjectId, Part, NaiveDate),
    failed: bool,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO backup_days AS d (project_id, part, day, state, error, failed_since) \
         VALUES ($1, $2, $3, $4, $5, CASE WHEN $4 = 'failed' THEN $6::timestamptz END) \
         ON CONFLICT (project_id, part, day) DO UPDATE SET state = $4, error = $5, \
            failed_since = CASE WHEN $4 = 'failed' THEN coalesce(d.failed_since, $6) END",
    )
    .bind(project.0)
    .bind(part.as_str())
    .bind(day)
    .bind(if failed { "failed" } else { "waiting" })
    .bind(why)
    .bind(now)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Says that a covered day has to be covered again. A day that failed stays failed.
///
/// # Errors
/// As every statement.
pub async fn reopen(
    db: &Db,
    (project, part, day): (ProjectId, Part, NaiveDate),
    why: &str,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO backup_days AS d (project_id, part, day, state, error) VALUES ($1, $2, $3, 'waiting', $4) \
         ON CONFLICT (project_id, part, day) DO UPDATE SET state = 'waiting', error = $4 WHERE d.state = 'covered'",
    )
    .bind(project.0)
    .bind(part.as_str())
    .bind(day)
    .bind(why)
    .execute(db.pool())
    .await?;
    Ok(())
}
