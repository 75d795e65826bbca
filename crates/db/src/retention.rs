//! How long a project keeps its rows, and what is known about them without counting.

use chrono::{DateTime, Utc};
use domain::counts::Metric;
use domain::id::ProjectId;
use domain::lifecycle::KeepDays;
use sea_orm::sqlx;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value as Bound};
use serde_json::Value;
use uuid::Uuid;

use crate::{Db, DbError, Txn};

/// What a project's row says about keeping.
#[derive(Clone, Debug, FromQueryResult)]
pub struct RetentionRow {
    /// The project.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its settings; the retry schedule is of interest.
    pub config: Value,
    /// Whether its rows leave.
    pub retention_on: bool,
    /// After how many days.
    pub retention_days: i16,
    /// Whether its days are copied before they leave.
    pub backup_on: bool,
    /// Whether its own storage policy is in use.
    pub own_storage: bool,
    /// Class of new rows.
    pub keep_days: i16,
    /// Since when rows of other classes may exist.
    pub reclass_since: Option<DateTime<Utc>>,
}

/// What is written of [`RetentionRow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Whether rows leave.
    pub on: bool,
    /// After how many days.
    pub days: i16,
    /// Whether days are copied before they leave.
    pub backup: bool,
    /// Whether the project's own storage policy is in use.
    pub own_storage: bool,
    /// Class of new rows.
    pub class: KeepDays,
}

/// How a live project keeps its rows.
///
/// # Errors
/// As every statement.
pub async fn find(conn: &impl ConnectionTrait, project: Uuid) -> Result<Option<RetentionRow>, DbError> {
    select(conn, project, "").await
}

/// As [`find`], and keeps the row from other changes until the transaction ends.
///
/// # Errors
/// As every statement.
pub async fn lock(txn: &Txn, project: Uuid) -> Result<Option<RetentionRow>, DbError> {
    select(txn.orm(), project, " FOR NO KEY UPDATE").await
}

async fn select(
    conn: &impl ConnectionTrait,
    project: Uuid,
    suffix: &str,
) -> Result<Option<RetentionRow>, DbError> {
    let sql = format!(
        "SELECT id, name, config, retention_on, retention_days, backup_on, own_storage, keep_days, reclass_since \
         FROM projects WHERE id = $1 AND deleted_at IS NULL{suffix}"
    );
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [project.into()]);
    Ok(RetentionRow::find_by_statement(statement).one(conn).await?)
}

/// Stores how a project keeps its rows.
///
/// # Errors
/// As every statement.
pub async fn update(
    txn: &Txn,
    project: Uuid,
    settings: RetentionSettings,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let values: [Bound; 7] = [
        project.into(),
        settings.on.into(),
        settings.days.into(),
        settings.backup.into(),
        settings.own_storage.into(),
        settings.class.0.into(),
        now.into(),
    ];
    let sql = "UPDATE projects SET retention_on = $2, retention_days = $3, backup_on = $4, own_storage = $5, \
                      keep_days = $6, updated_at = $7 WHERE id = $1";
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    txn.orm().execute_raw(statement).await?;
    Ok(())
}

/// Notes that rows of the project may lie in another class than they should. The moment differs
/// from the one noted before, so that a run that is under way sees that it has to go on.
///
/// # Errors
/// As every statement.
pub async fn request_reclass(txn: &Txn, project: Uuid, now: DateTime<Utc>) -> Result<(), DbError> {
    let sql = "UPDATE projects SET reclass_since = GREATEST($2, reclass_since + interval '1 millisecond') \
               WHERE id = $1";
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [project.into(), now.into()]);
    txn.orm().execute_raw(statement).await?;
    Ok(())
}

/// Names of a project's live subscriptions with the retry schedule of each that has its own.
///
/// # Errors
/// As every statement.
pub async fn own_retries(
    conn: &impl ConnectionTrait,
    project: Uuid,
) -> Result<Vec<(String, Value)>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        name: String,
        retry: Value,
    }
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT name, retry FROM subscriptions WHERE project_id = $1 AND deleted_at IS NULL AND retry IS NOT NULL \
         ORDER BY name, id",
        [project.into()],
    );
    let rows = Row::find_by_statement(statement).all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.retry)).collect())
}

/// Events that a project accepted per hour, from `from` (included) to `to` (excluded).
///
/// # Errors
/// As every statement.
pub async fn accepted_hourly(
    db: &Db,
    project: ProjectId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, i64)>, DbError> {
    let rows = sqlx::query_as(
        "SELECT hour, sum(n)::bigint FROM delivery_counts_hourly \
         WHERE project_id = $1 AND hour >= $2 AND hour < $3 \
           AND endpoint_id = '00000000-0000-0000-0000-000000000000' AND metric = $4 GROUP BY hour ORDER BY hour",
    )
    .bind(project.0)
    .bind(from)
    .bind(to)
    .bind(Metric::Accepted.code())
    .fetch_all(db.pool())
    .await?;
    Ok(rows)
}

/// Bytes that the database takes on disk.
///
/// # Errors
/// As every statement.
pub async fn database_bytes(db: &Db) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(db.pool())
        .await?)
}
