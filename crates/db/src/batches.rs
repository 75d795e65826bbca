//! Batches: retries and replays of many at once, with progress.

use chrono::{DateTime, Utc};
use domain::id::{BatchId, ProjectId};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Row};
use uuid::Uuid;

use crate::{Db, DbError};

/// A row of `batches`.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// Its project.
    pub project_id: ProjectId,
    /// `retry` or `replay`.
    pub kind: String,
    /// `pending`, `processing`, `completed`, `failed` or `cancelled`.
    pub state: String,
    /// Which rows, as JSON of the filter.
    pub filter: serde_json::Value,
    /// Last row done.
    pub cursor: Option<Uuid>,
    /// Rows done.
    pub processed: i64,
    /// Rows that could not be done.
    pub failed: i64,
    /// Why it failed.
    pub error: Option<String>,
    /// End of the owner's lease, which is also its fence.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
}

fn from_row(row: &PgRow) -> Result<Batch, sqlx::Error> {
    Ok(Batch {
        id: BatchId(row.try_get("id")?),
        project_id: ProjectId(row.try_get("project_id")?),
        kind: row.try_get("kind")?,
        state: row.try_get("state")?,
        filter: row.try_get("filter")?,
        cursor: row.try_get("cursor")?,
        processed: row.try_get("processed")?,
        failed: row.try_get("failed")?,
        error: row.try_get("error")?,
        due_at: row.try_get("due_at")?,
        created_at: row.try_get("created_at")?,
        completed_at: row.try_get("completed_at")?,
    })
}

/// Stores a batch to be done.
///
/// # Errors
/// [`DbError::Duplicate`] while another one of the kind is active in the project.
pub async fn create(
    db: &Db,
    id: BatchId,
    project: ProjectId,
    kind: &str,
    filter: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO batches (id, project_id, kind, state, filter, due_at, created_at) \
         VALUES ($1, $2, $3, 'pending', $4, $5, $5)",
    )
    .bind(id.0)
    .bind(project.0)
    .bind(kind)
    .bind(filter)
    .bind(now)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// One batch.
///
/// # Errors
/// As every statement.
pub async fn find(db: &Db, id: BatchId) -> Result<Option<Batch>, DbError> {
    let row = sqlx::query("SELECT * FROM batches WHERE id = $1")
        .bind(id.0)
        .fetch_optional(db.pool())
        .await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// A project's newest batches.
///
/// # Errors
/// As every statement.
pub async fn list(db: &Db, project: ProjectId, limit: i64) -> Result<Vec<Batch>, DbError> {
    let rows = sqlx::query("SELECT * FROM batches WHERE project_id = $1 ORDER BY id DESC LIMIT $2")
        .bind(project.0)
        .bind(limit)
        .fetch_all(db.pool())
        .await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// Takes one batch that is due, for this caller until `until`.
///
/// # Errors
/// As every statement.
pub async fn claim(db: &Db, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Option<Batch>, DbError> {
    let row = sqlx::query(
        "UPDATE batches SET state = 'processing', due_at = $2 WHERE id = \
         (SELECT id FROM batches WHERE state IN ('pending', 'processing') AND due_at <= $1 \
          ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *",
    )
    .bind(now)
    .bind(until)
    .fetch_optional(db.pool())
    .await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// Records a step: `processed` and `failed` more rows up to `cursor`; the lease goes on to `until`.
/// `false` when the batch was cancelled meanwhile, or somebody took over when `lease` had ended.
///
/// # Errors
/// As every statement.
pub async fn advance(
    db: &Db,
    id: BatchId,
    lease: Option<DateTime<Utc>>,
    (cursor, processed, failed): (Option<Uuid>, i64, i64),
    until: DateTime<Utc>,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE batches SET cursor = coalesce($2, cursor), processed = processed + $3, failed = failed + $4, \
         due_at = $5 WHERE id = $1 AND state = 'processing' AND due_at = $6",
    )
    .bind(id.0)
    .bind(cursor)
    .bind(processed)
    .bind(failed)
    .bind(until)
    .bind(lease)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a batch that is still active; `false` when it had ended.
///
/// # Errors
/// As every statement.
pub async fn finish(
    db: &Db,
    id: BatchId,
    state: &str,
    error: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE batches SET state = $2, error = $3, completed_at = $4, due_at = NULL \
         WHERE id = $1 AND state IN ('pending', 'processing')",
    )
    .bind(id.0)
    .bind(state)
    .bind(error)
    .bind(now)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}
