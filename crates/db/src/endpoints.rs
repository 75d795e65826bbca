//! Endpoints and their secrets.

use chrono::{DateTime, Utc};
use domain::page::{Page, PageRequest};
use sea_orm::sea_query::extension::postgres::PgExpr;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

use crate::entities::endpoint::{Column, Entity, Model};
use crate::entities::endpoint_secret as secret;
use crate::{DbError, Txn, paging, rows};

/// Which endpoints to list; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct EndpointFilter {
    /// Part of the name, in any case of letters.
    pub name: Option<String>,
    /// The customer behind them.
    pub owner_id: Option<String>,
}

fn live(project: Uuid) -> Select<Entity> {
    Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::DeletedAt.is_null())
}

/// Stores a new endpoint.
pub async fn insert(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// Stores a changed endpoint.
pub async fn update(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::update(txn.orm(), row).await
}

/// A live endpoint of a project.
pub async fn find(conn: &impl ConnectionTrait, project: Uuid, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(live(project).filter(Column::Id.eq(id)).one(conn).await?)
}

/// A live endpoint of a project, kept from other changes until the transaction ends.
pub async fn lock(txn: &Txn, project: Uuid, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(live(project)
        .filter(Column::Id.eq(id))
        .lock(LockType::NoKeyUpdate)
        .one(txn.orm())
        .await?)
}

/// Those of `ids` that belong to the project, deleted ones included.
pub async fn by_ids(conn: &impl ConnectionTrait, project: Uuid, ids: &[Uuid]) -> Result<Vec<Model>, DbError> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .all(conn)
        .await?)
}

/// Live endpoints of a project.
pub async fn page(
    conn: &impl ConnectionTrait,
    project: Uuid,
    filter: &EndpointFilter,
    request: PageRequest,
) -> Result<Page<Model>, DbError> {
    let mut query = live(project);
    if let Some(name) = &filter.name {
        query = query.filter(Expr::col((Entity, Column::Name)).ilike(paging::containing(name)));
    }
    if let Some(owner) = &filter.owner_id {
        query = query.filter(Column::OwnerId.eq(owner));
    }
    paging::page(conn, query, Column::Id, request, |row| row.id).await
}

/// Stores a new secret.
pub async fn insert_secret(txn: &Txn, row: secret::Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// The secrets of `endpoints` that sign at `now`, oldest first.
pub async fn secrets(
    conn: &impl ConnectionTrait,
    endpoints: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<secret::Model>, DbError> {
    Ok(secret::Entity::find()
        .filter(secret::Column::EndpointId.is_in(endpoints.iter().copied()))
        .filter(good_at(now))
        .order_by_asc(secret::Column::Id)
        .all(conn)
        .await?)
}

/// Lets the secrets of an endpoint sign until `until` and no longer, and removes those that signed
/// their last before `now`.
pub async fn expire_secrets(
    txn: &Txn,
    endpoint: Uuid,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    secret::Entity::delete_many()
        .filter(secret::Column::EndpointId.eq(endpoint))
        .filter(secret::Column::ExpiresAt.lte(now))
        .exec(txn.orm())
        .await?;
    secret::Entity::update_many()
        .filter(secret::Column::EndpointId.eq(endpoint))
        .filter(good_at(until))
        .col_expr(secret::Column::ExpiresAt, Expr::value(until))
        .col_expr(secret::Column::UpdatedAt, Expr::value(now))
        .exec(txn.orm())
        .await?;
    Ok(())
}

fn good_at(instant: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(secret::Column::ExpiresAt.is_null())
        .add(secret::Column::ExpiresAt.gt(instant))
}
