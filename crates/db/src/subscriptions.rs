//! Subscriptions.

use chrono::{DateTime, Utc};
use domain::page::{Page, PageRequest};
use sea_orm::sea_query::extension::postgres::PgExpr;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use crate::entities::subscription::{Column, Entity, Model};
use crate::{DbError, Txn, paging, rows};

/// Which subscriptions to list; empty and `None` do not narrow.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionFilter {
    /// To one of these endpoints.
    pub endpoints: Vec<Uuid>,
    /// Part of the name, in any case of letters.
    pub name: Option<String>,
}

fn live(project: Uuid) -> Select<Entity> {
    Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::DeletedAt.is_null())
}

/// Stores a new subscription.
pub async fn insert(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// Stores a changed subscription.
pub async fn update(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::update(txn.orm(), row).await
}

/// A live subscription of a project.
pub async fn find(conn: &impl ConnectionTrait, project: Uuid, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(live(project).filter(Column::Id.eq(id)).one(conn).await?)
}

/// A live subscription of a project, kept from other changes until the transaction ends.
pub async fn lock(txn: &Txn, project: Uuid, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(live(project)
        .filter(Column::Id.eq(id))
        .lock(LockType::NoKeyUpdate)
        .one(txn.orm())
        .await?)
}

/// Live subscriptions of a project.
pub async fn page(
    conn: &impl ConnectionTrait,
    project: Uuid,
    filter: &SubscriptionFilter,
    request: PageRequest,
) -> Result<Page<Model>, DbError> {
    let mut query = live(project);
    if !filter.endpoints.is_empty() {
        query = query.filter(Column::EndpointId.is_in(filter.endpoints.iter().copied()));
    }
    if let Some(name) = &filter.name {
        query = query.filter(Expr::col((Entity, Column::Name)).ilike(paging::containing(name)));
    }
    paging::page(conn, query, Column::Id, request, |row| row.id).await
}

/// How many live subscriptions an endpoint has, `except` aside.
pub async fn count_of_endpoint(txn: &Txn, endpoint: Uuid, except: Option<Uuid>) -> Result<u64, DbError> {
    let mut query = Entity::find()
        .filter(Column::EndpointId.eq(endpoint))
        .filter(Column::DeletedAt.is_null());
    if let Some(id) = except {
        query = query.filter(Column::Id.ne(id));
    }
    Ok(query.count(txn.orm()).await?)
}

/// Deletes the live subscriptions of an endpoint; how many.
pub async fn delete_of_endpoint(txn: &Txn, endpoint: Uuid, now: DateTime<Utc>) -> Result<u64, DbError> {
    let done = Entity::update_many()
        .filter(Column::EndpointId.eq(endpoint))
        .filter(Column::DeletedAt.is_null())
        .col_expr(Column::DeletedAt, Expr::value(now))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .exec(txn.orm())
        .await?;
    Ok(done.rows_affected)
}
