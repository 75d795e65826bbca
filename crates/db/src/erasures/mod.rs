//! Erasures: what was asked for, and how far it is.
//!
//! - [`hot`]: rows in PostgreSQL
//! - [`objects`]: segments that hold what has to go

pub mod hot;
pub mod objects;

use chrono::{DateTime, Utc};
use domain::id::{ErasureId, EventId, ProjectId};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Row};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::Value;
use uuid::Uuid;

use crate::{Db, DbError, Txn};

/// A row of `erasures`.
#[derive(Clone, Debug)]
pub struct ErasureRow {
    /// Its id.
    pub id: ErasureId,
    /// The project.
    pub project_id: ProjectId,
    /// `domain::erasure::Target`; a value in it is encrypted.
    pub target: Value,
    /// Why, in words.
    pub reason: String,
    /// Who asked for it.
    pub requested_by: String,
    /// When; events accepted later are not meant.
    pub requested_at: DateTime<Utc>,
    /// `pending`, `blocked` or `done`.
    pub state: String,
    /// What it waits for.
    pub blocked_by: Option<String>,
    /// What was done so far.
    pub receipt: Value,
    /// Its object in the store.
    pub ledger_key: Option<String>,
    /// When nothing was left.
    pub done_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "id, project_id, target, reason, requested_by, requested_at, state, blocked_by, receipt, ledger_key, done_at";

fn from_row(row: &PgRow) -> Result<ErasureRow, sqlx::Error> {
    Ok(ErasureRow {
        id: ErasureId(row.try_get("id")?),
        project_id: ProjectId(row.try_get("project_id")?),
        target: row.try_get("target")?,
        reason: row.try_get("reason")?,
        requested_by: row.try_get("requested_by")?,
        requested_at: row.try_get("requested_at")?,
        state: row.try_get("state")?,
        blocked_by: row.try_get("blocked_by")?,
        receipt: row.try_get("receipt")?,
        ledger_key: row.try_get("ledger_key")?,
        done_at: row.try_get("done_at")?,
    })
}

fn from_rows(rows: &[PgRow]) -> Result<Vec<ErasureRow>, DbError> {
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// Stores a new erasure and the events that it names. Readers mask from the commit on, and no backup
/// that has read before it will count.
///
/// # Errors
/// As every statement; [`DbError::Duplicate`] when it is known already.
pub async fn insert(txn: &Txn, row: &ErasureRow, events: &[EventId]) -> Result<(), DbError> {
    let run = async |sql: &str, values: Vec<sea_orm::Value>| {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        txn.orm().execute_raw(statement).await.map_err(DbError::from)
    };
    run(
        "INSERT INTO erasures (id, project_id, target, reason, requested_by, requested_at, state, receipt, ledger_key) \
         VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8)",
        vec![
            row.id.0.into(),
            row.project_id.0.into(),
            row.target.clone().into(),
            row.reason.clone().into(),
            row.requested_by.clone().into(),
            row.requested_at.into(),
            row.receipt.clone().into(),
            row.ledger_key.clone().into(),
        ],
    )
    .await?;
    for event in events {
        run(
            "INSERT INTO erasure_events (erasure_id, event_id, accepted_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            vec![row.id.0.into(), event.0.into(), event.instant().into()],
        )
        .await?;
    }
    run(
        "UPDATE projects SET erasure_version = erasure_version + 1 WHERE id = $1",
        vec![row.project_id.0.into()],
    )
    .await?;
    Ok(())
}

/// One erasure of a project.
///
/// # Errors
/// As every statement.
pub async fn find(db: &Db, project: ProjectId, id: ErasureId) -> Result<Option<ErasureRow>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM erasures WHERE id = $1 AND project_id = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .bind(project.0)
        .fetch_optional(db.pool())
        .await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// Erasures of a project, newest first.
///
/// # Errors
/// As every statement.
pub async fn list(db: &Db, project: ProjectId, limit: i64) -> Result<Vec<ErasureRow>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM erasures WHERE project_id = $1 ORDER BY id DESC LIMIT $2");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.0)
        .bind(limit)
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// Erasures that are not done, oldest first; of one project or of all.
///
/// # Errors
/// As every statement.
pub async fn open(db: &Db, project: Option<ProjectId>) -> Result<Vec<ErasureRow>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM erasures WHERE state <> 'done' AND ($1::uuid IS NULL OR project_id = $1) ORDER BY id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.map(|id| id.0))
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// Which of these erasures PostgreSQL knows.
///
/// # Errors
/// As every statement.
pub async fn known(db: &Db, ids: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    Ok(sqlx::query_scalar("SELECT id FROM erasures WHERE id = ANY($1)")
        .bind(ids)
        .fetch_all(db.pool())
        .await?)
}

/// How far an erasure is.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// `pending`, `blocked` or `done`.
    pub state: &'a str,
    /// What it waits for.
    pub blocked_by: Option<&'a str>,
    /// What was done so far.
    pub receipt: &'a Value,
    /// Segments that still hold something.
    pub segments_left: Option<i32>,
    /// When nothing was left.
    pub done_at: Option<DateTime<Utc>>,
}

/// Writes down how far an erasure is.
///
/// # Errors
/// As every statement.
pub async fn stand(db: &Db, id: ErasureId, standing: &Standing<'_>) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE erasures SET state = $2, blocked_by = $3, receipt = $4, segments_left = $5, done_at = $6 WHERE id = $1",
    )
    .bind(id.0)
    .bind(standing.state)
    .bind(standing.blocked_by)
    .bind(standing.receipt)
    .bind(standing.segments_left)
    .bind(standing.done_at)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Writes down where the erasure stands in the store.
///
/// # Errors
/// As every statement.
pub async fn entered(db: &Db, id: ErasureId, key: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE erasures SET ledger_key = $2 WHERE id = $1")
        .bind(id.0)
        .bind(key)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Of the open erasures of a project, the events in a range of times that they are known to mean.
///
/// # Errors
/// As every statement.
pub async fn meant(
    db: &Db,
    project: ProjectId,
    at: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<DateTime<Utc>>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT n.accepted_at FROM erasures e JOIN erasure_events n ON n.erasure_id = e.id \
         WHERE e.project_id = $1 AND e.state <> 'done' AND n.accepted_at BETWEEN $2 AND $3",
    )
    .bind(project.0)
    .bind(at.0)
    .bind(at.1)
    .fetch_all(db.pool())
    .await?)
}

/// Events that open erasures of a project mean as a whole and that a hold keeps.
///
/// # Errors
/// As every statement.
pub async fn held(db: &Db, project: ProjectId) -> Result<Vec<Uuid>, DbError> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT n.event_id FROM erasures e JOIN erasure_events n ON n.erasure_id = e.id \
         WHERE e.project_id = $1 AND e.state <> 'done' AND n.held AND e.target->>'type' <> 'value'",
    )
    .bind(project.0)
    .fetch_all(db.pool())
    .await?)
}

/// Every version of every storage policy, newest first.
///
/// # Errors
/// As every statement.
pub async fn policies(db: &Db) -> Result<Vec<Uuid>, DbError> {
    Ok(
        sqlx::query_scalar("SELECT id FROM storage_policies ORDER BY id DESC")
            .fetch_all(db.pool())
            .await?,
    )
}

/// Every backup of the project that has read before now will not count.
///
/// # Errors
/// As every statement.
pub async fn outdate_backups(db: &Db, project: ProjectId) -> Result<(), DbError> {
    sqlx::query("UPDATE projects SET erasure_version = erasure_version + 1 WHERE id = $1")
        .bind(project.0)
        .execute(db.pool())
        .await?;
    Ok(())
}
