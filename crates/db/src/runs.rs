//! Runs: one row per execution of a job.

use chrono::{DateTime, Utc};
use domain::id::RunId;
use sea_orm::sqlx;
use serde_json::Value;

use crate::{Db, DbError};

/// Records the start of a run.
///
/// # Errors
/// As every statement.
pub async fn start(
    db: &Db,
    id: RunId,
    job: &str,
    trigger: &str,
    input: Value,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO runs (id, job, trigger, state, input, started_at) VALUES ($1, $2, $3, 'running', $4, $5)")
        .bind(id.0)
        .bind(job)
        .bind(trigger)
        .bind(input)
        .bind(now)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Records the end of a run: its counts, and the error if it failed.
///
/// # Errors
/// As every statement.
pub async fn finish(
    db: &Db,
    id: RunId,
    counts: Value,
    error: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("UPDATE runs SET state = $2, counts = $3, error = $4, ended_at = $5 WHERE id = $1")
        .bind(id.0)
        .bind(if error.is_some() { "failed" } else { "done" })
        .bind(counts)
        .bind(error)
        .bind(now)
        .execute(db.pool())
        .await?;
    Ok(())
}
