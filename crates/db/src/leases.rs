//! Leases: who acts for all processes, with a fencing number that only grows.

use chrono::{DateTime, Utc};
use sea_orm::sqlx;

use crate::{Db, DbError};

/// Takes or renews the lease `name` for `holder` until `until`.
///
/// Returns its fencing number, or `None` while somebody else holds it. The number grows whenever
/// the holder changes, so that what a former holder still has under way can be told apart.
///
/// # Errors
/// As every statement.
pub async fn acquire(
    db: &Db,
    name: &str,
    holder: &str,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<i64>, DbError> {
    let fence = sqlx::query_scalar(
        "INSERT INTO leases AS l (name, holder, fence, expires_at) VALUES ($1, $2, 1, $4) \
         ON CONFLICT (name) DO UPDATE SET holder = $2, expires_at = $4, \
            fence = CASE WHEN l.holder = $2 THEN l.fence ELSE l.fence + 1 END \
         WHERE l.holder = $2 OR l.expires_at <= $3 RETURNING fence",
    )
    .bind(name)
    .bind(holder)
    .bind(now)
    .bind(until)
    .fetch_optional(db.pool())
    .await?;
    Ok(fence)
}

/// Gives the lease back, so that the next holder need not wait.
///
/// # Errors
/// As every statement.
pub async fn release(db: &Db, name: &str, holder: &str, now: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query("UPDATE leases SET expires_at = $3 WHERE name = $1 AND holder = $2")
        .bind(name)
        .bind(holder)
        .bind(now)
        .execute(db.pool())
        .await?;
    Ok(())
}
