//! Leases: who acts for all processes, with a fencing number that only grows.
//!
//! Times are those of the database. The clock of a process may be set, and those of two machines
//! may differ; a lease has to end for everybody at the same moment.

use std::time::Duration;

use sea_orm::sqlx;

use crate::{Db, DbError};

/// Takes or renews the lease `name` for `holder`, for `term` from now on.
///
/// Returns its fencing number, or `None` while somebody else holds it. The number grows whenever
/// the holder changes, so that what a former holder still has under way can be told apart.
///
/// # Errors
/// As every statement.
pub async fn acquire(db: &Db, name: &str, holder: &str, term: Duration) -> Result<Option<i64>, DbError> {
    let fence = sqlx::query_scalar(
        "INSERT INTO leases AS l (name, holder, fence, expires_at) \
         VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3)) \
         ON CONFLICT (name) DO UPDATE SET holder = $2, expires_at = excluded.expires_at, \
            fence = CASE WHEN l.holder = $2 THEN l.fence ELSE l.fence + 1 END \
         WHERE l.holder = $2 OR l.expires_at <= clock_timestamp() RETURNING fence",
    )
    .bind(name)
    .bind(holder)
    .bind(term.as_secs_f64())
    .fetch_optional(db.pool())
    .await?;
    Ok(fence)
}

/// Gives the lease back, so that the next holder need not wait.
///
/// # Errors
/// As every statement.
pub async fn release(db: &Db, name: &str, holder: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE leases SET expires_at = clock_timestamp() WHERE name = $1 AND holder = $2")
        .bind(name)
        .bind(holder)
        .execute(db.pool())
        .await?;
    Ok(())
}
