//! Filters of subscriptions.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::entities::filter::{Column, Entity, Model};
use crate::{DbError, Txn, rows};

/// Stores new filters in one statement.
pub async fn insert_many(txn: &Txn, filters: Vec<Model>) -> Result<(), DbError> {
    rows::insert_many(txn.orm(), filters).await
}

/// Stores a changed filter.
pub async fn update(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::update(txn.orm(), row).await
}

/// The filters of `subscriptions`, by event type.
pub async fn of_subscriptions(
    conn: &impl ConnectionTrait,
    subscriptions: &[Uuid],
) -> Result<Vec<Model>, DbError> {
    Ok(Entity::find()
        .filter(Column::SubscriptionId.is_in(subscriptions.iter().copied()))
        .order_by_asc(Column::EventType)
        .all(conn)
        .await?)
}

/// One filter of a subscription.
pub async fn find(
    conn: &impl ConnectionTrait,
    subscription: Uuid,
    id: Uuid,
) -> Result<Option<Model>, DbError> {
    Ok(Entity::find_by_id(id)
        .filter(Column::SubscriptionId.eq(subscription))
        .one(conn)
        .await?)
}

/// Removes the filters with one of `ids`.
pub async fn delete(txn: &Txn, ids: &[Uuid]) -> Result<(), DbError> {
    Entity::delete_many()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(txn.orm())
        .await?;
    Ok(())
}
