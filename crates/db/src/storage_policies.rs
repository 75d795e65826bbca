//! Versions of storage policies, and what lies where.

use chrono::{DateTime, Utc};
use sea_orm::sqlx;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Select};
use serde_json::Value;
use uuid::Uuid;

use crate::entities::storage_policy::{Column, Entity, Model};
use crate::{Db, DbError, Txn, rows};

/// Whoever adds a version holds this lock, so that versions count on without a gap.
const VERSION_LOCK: i64 = 0x6c68_7374_6f72; // "lhstor"

/// What lies under a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The version's row.
    pub policy_id: Uuid,
    /// Segments that are read.
    pub segments: i64,
    /// Their bytes in the store.
    pub bytes: i64,
    /// When one of them was last found whole.
    pub verified_at: Option<DateTime<Utc>>,
}

/// The versions of a project, or of the instance.
fn of(project: Option<Uuid>) -> Select<Entity> {
    match project {
        Some(project) => Entity::find().filter(Column::ProjectId.eq(project)),
        None => Entity::find().filter(Column::ProjectId.is_null()),
    }
}

/// Keeps others from adding versions until the transaction ends.
///
/// # Errors
/// [`DbError::Unavailable`] when the wait was too long.
pub async fn lock(txn: &Txn) -> Result<(), DbError> {
    txn.lock(VERSION_LOCK).await
}

/// Stores a new version.
///
/// # Errors
/// As every statement.
pub async fn insert(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// One version.
///
/// # Errors
/// As every statement.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(Entity::find_by_id(id).one(conn).await?)
}

/// The newest version of a project's own policy, or of the instance's.
///
/// # Errors
/// As every statement.
pub async fn newest(conn: &impl ConnectionTrait, project: Option<Uuid>) -> Result<Option<Model>, DbError> {
    Ok(of(project).order_by_desc(Column::Version).one(conn).await?)
}

/// Every version, newest first.
///
/// # Errors
/// As every statement.
pub async fn list(conn: &impl ConnectionTrait, project: Option<Uuid>) -> Result<Vec<Model>, DbError> {
    Ok(of(project).order_by_desc(Column::Version).all(conn).await?)
}

/// Records what a probe of a version found.
///
/// # Errors
/// As every statement.
pub async fn record_probe(db: &Db, id: Uuid, report: &Value, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query("UPDATE storage_policies SET probe = $2, probed_at = $3 WHERE id = $1")
        .bind(id)
        .bind(report)
        .bind(at)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// What lies under each of `ids`; versions without segments are left out.
///
/// # Errors
/// As every statement.
pub async fn usage(db: &Db, ids: &[Uuid]) -> Result<Vec<Usage>, DbError> {
    type Row = (Uuid, i64, i64, Option<DateTime<Utc>>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT policy_id, count(*), coalesce(sum(size_bytes), 0)::bigint, max(verified_at) FROM segments \
         WHERE policy_id = ANY($1) AND state IN ('committed', 'rewriting') GROUP BY policy_id",
    )
    .bind(ids)
    .fetch_all(db.pool())
    .await?;
    let usage = rows
        .into_iter()
        .map(|(policy_id, segments, bytes, verified_at)| Usage {
            policy_id,
            segments,
            bytes,
            verified_at,
        });
    Ok(usage.collect())
}
