//! Runs: one row per execution of a job.
//!
//! Whoever runs a job holds the lease `job:NAME` under the id of the run. A row that says `running`
//! without its lease belongs to a process that died.

use chrono::{DateTime, Utc};
use domain::id::RunId;
use domain::page::{Page, PageRequest};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, sqlx};
use serde_json::Value;
use uuid::Uuid;

pub use crate::entities::run::Model as Run;
use crate::entities::run::{Column, Entity};
use crate::{Db, DbError, paging};

/// A run that starts.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// Its id.
    pub id: RunId,
    /// Name of the job.
    pub job: &'a str,
    /// `schedule` or `manual`.
    pub trigger: &'a str,
    /// What it is asked for.
    pub input: Value,
    /// The only project that it is for.
    pub project: Option<Uuid>,
    /// The moment that it acts for, when not the present one.
    pub as_of: Option<DateTime<Utc>>,
    /// When it starts.
    pub started_at: DateTime<Utc>,
}

/// Which runs to list; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Of this job.
    pub job: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// For this project alone.
    pub project: Option<Uuid>,
}

/// The name of the lease that whoever runs `job` holds.
pub fn lease_of(job: &str) -> String {
    format!("job:{job}")
}

/// Records the start of a run.
///
/// # Errors
/// As every statement.
pub async fn start(db: &Db, run: NewRun<'_>) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO runs (id, job, trigger, state, input, project_id, as_of, started_at) \
         VALUES ($1, $2, $3, 'running', $4, $5, $6, $7)",
    )
    .bind(run.id.0)
    .bind(run.job)
    .bind(run.trigger)
    .bind(run.input)
    .bind(run.project)
    .bind(run.as_of)
    .bind(run.started_at)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Records how far a run is.
///
/// # Errors
/// As every statement.
pub async fn progress(db: &Db, id: RunId, progress: Value) -> Result<(), DbError> {
    sqlx::query("UPDATE runs SET progress = $2 WHERE id = $1 AND state = 'running'")
        .bind(id.0)
        .bind(progress)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Records the end of a run, its counts and the error if it failed, and gives its lease back.
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
    sqlx::query(
        "WITH ended AS (UPDATE runs SET state = $2, counts = $3, error = $4, ended_at = greatest(started_at, $5) \
            WHERE id = $1 RETURNING job) \
         UPDATE leases SET expires_at = clock_timestamp() FROM ended \
         WHERE name = 'job:' || ended.job AND holder = $1::text",
    )
    .bind(id.0)
    .bind(if error.is_some() { "failed" } else { "done" })
    .bind(counts)
    .bind(error)
    .bind(now)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Ends the runs that say `running` although nobody holds their lease; of one job, or of all.
/// Returns how many there were.
///
/// # Errors
/// As every statement.
pub async fn fail_dead(db: &Db, job: Option<&str>, error: &str, now: DateTime<Utc>) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE runs SET state = 'failed', error = $2, ended_at = greatest(started_at, $3) \
         WHERE state = 'running' AND ($1::text IS NULL OR job = $1) AND NOT EXISTS ( \
            SELECT 1 FROM leases WHERE name = 'job:' || runs.job AND holder = runs.id::text \
            AND expires_at > clock_timestamp())",
    )
    .bind(job)
    .bind(error)
    .bind(now)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected())
}

/// Removes the run before `id` when it did nothing: of many such runs in a row the last one tells
/// as much as all of them.
///
/// # Errors
/// As every statement.
pub async fn forget_idle_before(db: &Db, job: &str, id: RunId) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM runs WHERE id = (SELECT b.id FROM runs AS a JOIN runs AS b ON b.job = a.job \
            AND b.recorded_at < a.recorded_at WHERE a.id = $2 AND a.job = $1 ORDER BY b.recorded_at DESC LIMIT 1) \
         AND state = 'done' AND trigger = 'schedule' \
         AND NOT EXISTS (SELECT 1 FROM jsonb_each(counts) WHERE value <> '0')",
    )
    .bind(job)
    .bind(id.0)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// The last run of each of `jobs` that has one; with `trigger`, the last one started that way.
///
/// # Errors
/// As every statement.
pub async fn last(db: &Db, jobs: &[&str], trigger: Option<&str>) -> Result<Vec<Run>, DbError> {
    let jobs: Vec<String> = jobs.iter().map(|&job| job.to_owned()).collect();
    let statement = sea_orm::Statement::from_sql_and_values(
        sea_orm::DbBackend::Postgres,
        "SELECT r.* FROM unnest($1::text[]) AS j(name) CROSS JOIN LATERAL \
            (SELECT * FROM runs WHERE job = j.name AND ($2::text IS NULL OR trigger = $2) \
             ORDER BY recorded_at DESC LIMIT 1) AS r",
        [jobs.into(), trigger.map(str::to_owned).into()],
    );
    Ok(Run::find_by_statement(statement).all(db.orm()).await?)
}

/// One run.
///
/// # Errors
/// As every statement.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Run>, DbError> {
    Ok(Entity::find_by_id(id).one(conn).await?)
}

/// Runs that fit `filter`.
///
/// # Errors
/// As every statement.
pub async fn page(
    conn: &impl ConnectionTrait,
    filter: &RunFilter,
    request: PageRequest,
) -> Result<Page<Run>, DbError> {
    let mut query = Entity::find();
    if let Some(job) = &filter.job {
        query = query.filter(Column::Job.eq(job));
    }
    if let Some(state) = &filter.state {
        query = query.filter(Column::State.eq(state));
    }
    if let Some(project) = filter.project {
        query = query.filter(Column::ProjectId.eq(project));
    }
    paging::page(conn, query, Column::Id, request, |row| row.id).await
}
