//! Writing whole rows.

use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, ModelTrait};

use crate::DbError;

type Active<M> = <<M as ModelTrait>::Entity as EntityTrait>::ActiveModel;

/// Stores a new row.
pub(crate) async fn insert<M>(conn: &impl ConnectionTrait, row: M) -> Result<(), DbError>
where
    M: ModelTrait + IntoActiveModel<Active<M>>,
{
    M::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(conn)
        .await?;
    Ok(())
}

/// Stores new rows in one statement.
pub(crate) async fn insert_many<M>(conn: &impl ConnectionTrait, rows: Vec<M>) -> Result<(), DbError>
where
    M: ModelTrait + IntoActiveModel<Active<M>>,
{
    if rows.is_empty() {
        return Ok(());
    }
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    M::Entity::insert_many(rows).exec_without_returning(conn).await?;
    Ok(())
}

/// Stores every column of a row that exists.
pub(crate) async fn update<M>(conn: &impl ConnectionTrait, row: M) -> Result<(), DbError>
where
    M: ModelTrait + IntoActiveModel<Active<M>>,
{
    M::Entity::update(row.into_active_model().reset_all())
        .exec_without_returning(conn)
        .await?;
    Ok(())
}
