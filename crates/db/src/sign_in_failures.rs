//! Failed sign-ins, counted per account and per address.

use chrono::{DateTime, Utc};
use sea_orm::sqlx;

use crate::{Db, DbError};

/// Takes one of `allowed` tries of `subject`.
///
/// A try counts as failed until [`give_back`], so that tries made at the same time cannot outrun
/// the count. Tries are forgotten at `until`, which every try moves on. `Some` is the instant from
/// which a further try is allowed: none was taken.
pub async fn take(
    db: &Db,
    subject: &str,
    allowed: i32,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, DbError> {
    let taken = sqlx::query(
        "INSERT INTO sign_in_failures AS f (subject, failures, until) VALUES ($1, 1, $4)
         ON CONFLICT (subject) DO UPDATE
            SET failures = CASE WHEN f.until <= $3 THEN 1 ELSE f.failures + 1 END, until = $4
          WHERE f.until <= $3 OR f.failures < $2",
    )
    .bind(subject)
    .bind(allowed)
    .bind(now)
    .bind(until)
    .execute(db.pool())
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(None);
    }
    let until = sqlx::query_scalar("SELECT until FROM sign_in_failures WHERE subject = $1")
        .bind(subject)
        .fetch_optional(db.pool())
        .await?;
    Ok(Some(until.unwrap_or(now)))
}

/// Gives a try back: it did not fail.
pub async fn give_back(db: &Db, subject: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE sign_in_failures SET failures = greatest(failures - 1, 0) WHERE subject = $1")
        .bind(subject)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Forgets the tries of `subject`.
pub async fn forget(db: &Db, subject: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM sign_in_failures WHERE subject = $1")
        .bind(subject)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Forgets all tries whose time is over at `now`; how many subjects.
pub async fn delete_expired(db: &Db, now: DateTime<Utc>) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM sign_in_failures WHERE until <= $1")
        .bind(now)
        .execute(db.pool())
        .await?;
    Ok(done.rows_affected())
}
