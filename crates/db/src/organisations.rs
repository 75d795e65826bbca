//! Organisations and their members.

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};
use uuid::Uuid;

use crate::entities::{member, organisation};
use crate::{DbError, Txn, rows};

/// Stores a new organisation.
pub async fn insert(txn: &Txn, row: organisation::Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// The organisation with this id.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<organisation::Model>, DbError> {
    Ok(organisation::Entity::find_by_id(id).one(conn).await?)
}

/// The oldest organisation of this name.
pub async fn find_by_name(
    conn: &impl ConnectionTrait,
    name: &str,
) -> Result<Option<organisation::Model>, DbError> {
    Ok(organisation::Entity::find()
        .filter(organisation::Column::Name.eq(name))
        .order_by_asc(organisation::Column::Id)
        .one(conn)
        .await?)
}

/// All organisations, or those with one of `ids`; by name.
pub async fn list(
    conn: &impl ConnectionTrait,
    ids: Option<&[Uuid]>,
) -> Result<Vec<organisation::Model>, DbError> {
    let mut query = organisation::Entity::find();
    if let Some(ids) = ids {
        query = query.filter(organisation::Column::Id.is_in(ids.iter().copied()));
    }
    Ok(query
        .order_by_asc(organisation::Column::Name)
        .order_by_asc(organisation::Column::Id)
        .all(conn)
        .await?)
}

/// Stores a membership; one that exists for the same person and scope gets the new role.
pub async fn put_member(txn: &Txn, row: member::Model) -> Result<(), DbError> {
    use member::Column::{OrganisationId, ProjectId, Role, UserId};
    let mut same_scope = OnConflict::columns([OrganisationId, UserId, ProjectId]);
    member::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(same_scope.update_column(Role).to_owned())
        .exec_without_returning(txn.orm())
        .await?;
    Ok(())
}

/// Every membership of a person.
pub async fn memberships(conn: &impl ConnectionTrait, user: Uuid) -> Result<Vec<member::Model>, DbError> {
    Ok(member::Entity::find()
        .filter(member::Column::UserId.eq(user))
        .all(conn)
        .await?)
}
