//! API keys of projects.

use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};
use uuid::Uuid;

use crate::entities::api_key::{Column, Entity, Model};
use crate::entities::project;
use crate::{DbError, Txn, rows};

/// Stores a new key.
pub async fn insert(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// Stores a changed key.
pub async fn update(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::update(txn.orm(), row).await
}

/// All keys of a project, newest first.
pub async fn list(conn: &impl ConnectionTrait, project: Uuid) -> Result<Vec<Model>, DbError> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .order_by_desc(Column::Id)
        .all(conn)
        .await?)
}

/// How many keys of a project were not revoked.
pub async fn count_unrevoked(conn: &impl ConnectionTrait, project: Uuid) -> Result<u64, DbError> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::RevokedAt.is_null())
        .count(conn)
        .await?)
}

/// A key of a project, kept from other changes until the transaction ends.
pub async fn lock(txn: &Txn, project: Uuid, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(Entity::find_by_id(id)
        .filter(Column::ProjectId.eq(project))
        .lock(LockType::NoKeyUpdate)
        .one(txn.orm())
        .await?)
}

/// The key with this public part, when its project lives. Expired and revoked keys are found too.
pub async fn find_by_mask(conn: &impl ConnectionTrait, mask: &str) -> Result<Option<Model>, DbError> {
    let live = project::Entity::find()
        .select_only()
        .column(project::Column::Id)
        .filter(project::Column::DeletedAt.is_null())
        .into_query();
    Ok(Entity::find()
        .filter(Column::Mask.eq(mask))
        .filter(Column::ProjectId.in_subquery(live))
        .one(conn)
        .await?)
}
