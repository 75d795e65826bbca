//! People who sign in.

use domain::page::{Page, PageRequest};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::entities::user::{Column, Entity, Model};
use crate::{DbError, Txn, paging, rows};

/// Stores a new person.
pub async fn insert(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// Stores a changed person.
pub async fn update(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::update(txn.orm(), row).await
}

/// The person with this id.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(Entity::find_by_id(id).one(conn).await?)
}

/// The person who signs in with this address, in any case of letters.
pub async fn find_by_email(conn: &impl ConnectionTrait, email: &str) -> Result<Option<Model>, DbError> {
    // As the index has it: `lower(email)`. The argument goes through the same function, because
    // PostgreSQL and Rust disagree about the lower case of some letters.
    let same = Expr::expr(Func::lower(Expr::col(Column::Email))).eq(Func::lower(Expr::val(email)));
    Ok(Entity::find().filter(same).one(conn).await?)
}

/// All people.
pub async fn page(conn: &impl ConnectionTrait, request: PageRequest) -> Result<Page<Model>, DbError> {
    paging::page(conn, Entity::find(), Column::Id, request, |row| row.id).await
}
