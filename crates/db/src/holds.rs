//! Legal holds.

use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::entities::hold::{Column, Entity, Model};
use crate::{DbError, Txn, rows};

/// Stores a new hold.
///
/// # Errors
/// As every statement.
pub async fn insert(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// Stores a changed hold.
///
/// # Errors
/// As every statement.
pub async fn update(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::update(txn.orm(), row).await
}

/// A hold of a project, kept from other changes until the transaction ends.
///
/// # Errors
/// As every statement.
pub async fn lock(txn: &Txn, project: Uuid, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(Entity::find_by_id(id)
        .filter(Column::ProjectId.eq(project))
        .lock(LockType::Update)
        .one(txn.orm())
        .await?)
}

/// Every hold of a project, released ones included, newest first.
///
/// # Errors
/// As every statement.
pub async fn list(conn: &impl ConnectionTrait, project: Uuid) -> Result<Vec<Model>, DbError> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .order_by_desc(Column::Id)
        .all(conn)
        .await?)
}

/// The holds of a project that are in force, by their start.
///
/// # Errors
/// As every statement.
pub async fn in_force(conn: &impl ConnectionTrait, project: Uuid) -> Result<Vec<Model>, DbError> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::ReleasedAt.is_null())
        .order_by_asc(Column::FromAt)
        .order_by_asc(Column::Id)
        .all(conn)
        .await?)
}
