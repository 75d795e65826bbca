//! Rows of `conversions`: what was asked for, how far it is, what each step took.

use chrono::{DateTime, Utc};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::types::Json;
use sea_orm::sqlx::{self, FromRow, Row};
use serde::{Deserialize, Serialize};

use super::session::Session;
use crate::{Db, DbError};

/// Where a conversion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From one heap to days and leaves.
    Partition,
    /// From days and leaves to one heap.
    Unpartition,
}

impl Direction {
    /// Its name in rows, commands and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Unpartition => "unpartition",
        }
    }
}

/// A finished step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRow {
    /// Its name.
    pub step: String,
    /// How long it took, in milliseconds.
    pub ms: i64,
    /// What there is to say about it.
    pub say: String,
}

/// The last conversion of a table.
#[derive(Clone, Debug, Serialize)]
pub struct Conversion {
    /// The table.
    pub table: String,
    /// `partition` or `unpartition`.
    pub direction: String,
    /// `running`, `paused`, `failed` or `done`.
    pub state: String,
    /// The step that it is at.
    pub step: String,
    /// Rows that are where they belong.
    pub rows_done: i64,
    /// Rows in all.
    pub rows_total: i64,
    /// Finished steps, in order.
    pub steps: Vec<StepRow>,
    /// Who started it.
    pub started_by: String,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When it last told how far it is.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error: Option<String>,
}

impl FromRow<'_, PgRow> for Conversion {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            table: row.try_get("table_name")?,
            direction: row.try_get("direction")?,
            state: row.try_get("state")?,
            step: row.try_get("step")?,
            rows_done: row.try_get("rows_done")?,
            rows_total: row.try_get("rows_total")?,
            steps: row.try_get::<Json<_>, _>("steps")?.0,
            started_by: row.try_get("started_by")?,
            started_at: row.try_get("started_at")?,
            updated_at: row.try_get("updated_at")?,
            ended_at: row.try_get("ended_at")?,
            error: row.try_get("error")?,
        })
    }
}

/// A conversion that starts, or goes on.
#[derive(Clone, Debug)]
pub struct NewConversion<'a> {
    /// The table.
    pub table: &'a str,
    /// Where it goes.
    pub direction: Direction,
    /// Who starts it.
    pub by: &'a str,
    /// When.
    pub at: DateTime<Utc>,
}

/// The last conversion of every table, by table.
///
/// # Errors
/// As every statement.
pub async fn list(db: &Db) -> Result<Vec<Conversion>, DbError> {
    Ok(sqlx::query_as("SELECT * FROM conversions ORDER BY table_name")
        .fetch_all(db.pool())
        .await?)
}

/// Records that a conversion starts. One of the same direction that did not end goes on: its
/// finished steps stay.
///
/// # Errors
/// As every statement.
pub async fn start(db: &Db, new: &NewConversion<'_>) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO conversions AS c (table_name, direction, state, step, started_by, started_at, updated_at) \
         VALUES ($1, $2, 'running', 'check', $3, $4, $4) \
         ON CONFLICT (table_name) DO UPDATE SET direction = $2, state = 'running', updated_at = $4, \
            ended_at = NULL, error = NULL, \
            step = CASE WHEN c.direction = $2 AND c.state <> 'done' THEN c.step ELSE 'check' END, \
            steps = CASE WHEN c.direction = $2 AND c.state <> 'done' THEN c.steps ELSE '[]' END, \
            rows_done = CASE WHEN c.direction = $2 AND c.state <> 'done' THEN c.rows_done ELSE 0 END, \
            rows_total = CASE WHEN c.direction = $2 AND c.state <> 'done' THEN c.rows_total ELSE 0 END, \
            started_by = CASE WHEN c.direction = $2 AND c.state <> 'done' THEN c.started_by ELSE $3 END, \
            started_at = CASE WHEN c.direction = $2 AND c.state <> 'done' THEN c.started_at ELSE $4 END",
    )
    .bind(new.table)
    .bind(new.direction.as_str())
    .bind(new.by)
    .bind(new.at)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Records how far a running conversion is; `false` when it was told to pause.
///
/// # Errors
/// As every statement.
pub async fn progress(
    db: &Db,
    table: &str,
    step: &str,
    rows: (i64, i64),
    at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE conversions SET step = $2, rows_done = $3, rows_total = $4, updated_at = $5 \
         WHERE table_name = $1 AND state = 'running'",
    )
    .bind(table)
    .bind(step)
    .bind(rows.0)
    .bind(rows.1)
    .bind(at)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records a finished step. A step that is done again after a pause replaces what it said before,
/// and its times add up.
///
/// # Errors
/// As every statement.
pub async fn record_step(db: &Db, table: &str, step: &StepRow, at: DateTime<Utc>) -> Result<(), DbError> {
    let steps: Option<Json<Vec<StepRow>>> =
        sqlx::query_scalar("SELECT steps FROM conversions WHERE table_name = $1")
            .bind(table)
            .fetch_optional(db.pool())
            .await?;
    let mut steps = steps.map(|steps| steps.0).unwrap_or_default();
    match steps.iter_mut().find(|known| known.step == step.step) {
        Some(known) => {
            known.ms += step.ms;
            known.say.clone_from(&step.say);
        }
        None => steps.push(step.clone()),
    }
    sqlx::query("UPDATE conversions SET steps = $2, updated_at = $3 WHERE table_name = $1")
        .bind(table)
        .bind(Json(steps))
        .bind(at)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Records the end of a conversion, well or with an error.
///
/// # Errors
/// As every statement.
pub async fn finish(db: &Db, table: &str, error: Option<&str>, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE conversions SET state = CASE WHEN $2::text IS NULL THEN 'done' ELSE 'failed' END, error = $2, \
         updated_at = $3, ended_at = $3 WHERE table_name = $1",
    )
    .bind(table)
    .bind(error)
    .bind(at)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Asks a running conversion to stop at the next batch; `false` when it does not run.
///
/// # Errors
/// As every statement.
pub async fn pause(db: &Db, table: &str, at: DateTime<Utc>) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE conversions SET state = 'paused', updated_at = $2 WHERE table_name = $1 AND state = 'running'",
    )
    .bind(table)
    .bind(at)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

impl Session {
    /// Ends the table's conversion if it says `running`. This session is the only one that converts,
    /// so the process of that conversion died. Returns whether it did.
    ///
    /// # Errors
    /// As every statement.
    pub async fn fail_dead(&mut self, db: &Db, error: &str, at: DateTime<Utc>) -> Result<bool, DbError> {
        let done = sqlx::query(
            "UPDATE conversions SET state = 'failed', error = $2, updated_at = $3, ended_at = $3 \
             WHERE table_name = $1 AND state = 'running'",
        )
        .bind(self.table())
        .bind(error)
        .bind(at)
        .execute(db.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
