//! Event types.

use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;

use crate::entities::event_type::{Column, Entity, Model};
use crate::{DbError, Txn, rows};

/// Stores a new event type.
pub async fn insert(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// Stores those whose names are not there yet.
pub async fn insert_missing(txn: &Txn, types: Vec<Model>) -> Result<(), DbError> {
    if types.is_empty() {
        return Ok(());
    }
    let types = types.into_iter().map(|row| row.into_active_model().reset_all());
    Entity::insert_many(types)
        .on_conflict(
            OnConflict::columns([Column::ProjectId, Column::Name])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(txn.orm())
        .await?;
    Ok(())
}

/// Stores a changed event type.
pub async fn update(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::update(txn.orm(), row).await
}

/// All event types of a project, by name.
pub async fn list(conn: &impl ConnectionTrait, project: Uuid) -> Result<Vec<Model>, DbError> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .order_by_asc(Column::Name)
        .all(conn)
        .await?)
}

/// An event type of a project, kept from other changes until the transaction ends.
pub async fn lock(txn: &Txn, project: Uuid, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(Entity::find_by_id(id)
        .filter(Column::ProjectId.eq(project))
        .lock(LockType::NoKeyUpdate)
        .one(txn.orm())
        .await?)
}

/// Those of `names` that the project has, kept from other changes until the transaction ends.
pub async fn lock_named(txn: &Txn, project: Uuid, names: &[String]) -> Result<Vec<Model>, DbError> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Name.is_in(names))
        .order_by_asc(Column::Id)
        .lock(LockType::NoKeyUpdate)
        .all(txn.orm())
        .await?)
}
