//! Browser sessions. Ids come hashed.

use chrono::{DateTime, Utc};
use sea_orm::sqlx;
use serde_json::Value;
use uuid::Uuid;

use crate::{Db, DbError};

/// A session.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// The person, once signed in.
    pub user_id: Option<Uuid>,
    /// What the session holds.
    pub data: Value,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

/// Stores a new session; `false` when the id is taken.
pub async fn insert(db: &Db, id_hash: &[u8], row: &SessionRow) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO sessions (id_hash, user_id, data, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(id_hash)
    .bind(row.user_id)
    .bind(&row.data)
    .bind(row.expires_at)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores what a session holds; `false` when there is no such session (any more).
pub async fn update(db: &Db, id_hash: &[u8], row: &SessionRow) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE sessions SET user_id = $2, data = $3, expires_at = $4 WHERE id_hash = $1")
        .bind(id_hash)
        .bind(row.user_id)
        .bind(&row.data)
        .bind(row.expires_at)
        .execute(db.pool())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The session, when it is good at `now`.
pub async fn find(db: &Db, id_hash: &[u8], now: DateTime<Utc>) -> Result<Option<SessionRow>, DbError> {
    let row: Option<(Option<Uuid>, Value, DateTime<Utc>)> = sqlx::query_as(
        "SELECT user_id, data, expires_at FROM sessions WHERE id_hash = $1 AND expires_at > $2",
    )
    .bind(id_hash)
    .bind(now)
    .fetch_optional(db.pool())
    .await?;
    Ok(row.map(|(user_id, data, expires_at)| SessionRow {
        user_id,
        data,
        expires_at,
    }))
}

/// Removes a session.
pub async fn delete(db: &Db, id_hash: &[u8]) -> Result<(), DbError> {
    sqlx::query("DELETE FROM sessions WHERE id_hash = $1")
        .bind(id_hash)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Removes the sessions of a person but `except`; how many.
pub async fn delete_of_user(db: &Db, user: Uuid, except: Option<&[u8]>) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id_hash IS DISTINCT FROM $2")
        .bind(user)
        .bind(except)
        .execute(db.pool())
        .await?;
    Ok(done.rows_affected())
}

/// Removes the sessions that were good until `now`; how many.
pub async fn delete_expired(db: &Db, now: DateTime<Utc>) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1")
        .bind(now)
        .execute(db.pool())
        .await?;
    Ok(done.rows_affected())
}
