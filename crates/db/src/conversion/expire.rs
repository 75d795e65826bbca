//! Retention of a table that is not partitioned: bounded deletes in place of dropped leaves.

use chrono::NaiveDate;
use domain::id::first_of_millisecond;
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, next_day, start_of};
use sea_orm::sqlx;

use crate::{Db, DbError};

/// Deletes up to `limit` rows of one day and keep class, oldest first, in one short transaction.
/// Works in every layout; a partitioned table drops leaves instead. Returns how many went: fewer
/// than `limit` when none are left.
///
/// Whether they may go (flag, holds, backup) is for the caller to know.
///
/// # Errors
/// As every statement. [`DbError::Internal`] for a table that is no hot table.
pub async fn expire_rows(
    db: &Db,
    table: &str,
    day: NaiveDate,
    class: KeepDays,
    limit: u32,
) -> Result<u64, DbError> {
    if !PARTITIONED_TABLES.contains(&table) {
        return Err(DbError::Internal(format!("{table} is no hot table").into()));
    }
    let (from, to) = (start_of(day), start_of(next_day(day)));
    // Ids carry the day, so the key finds the rows without an index on the time.
    let within = format!(
        "id >= $1 AND id < $2 AND accepted_at >= '{}' AND accepted_at < '{}' AND keep_days = {}::smallint",
        from.to_rfc3339(),
        to.to_rfc3339(),
        class.0
    );
    let sql = format!(
        "WITH oldest AS MATERIALIZED (SELECT id AS gone FROM {table} WHERE {within} ORDER BY id LIMIT {limit}) \
         DELETE FROM {table} USING oldest WHERE id = gone AND {within}"
    );
    let done = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(first_of_millisecond(from))
        .bind(first_of_millisecond(to))
        .execute(db.pool())
        .await?;
    Ok(done.rows_affected())
}
