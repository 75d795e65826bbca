//! Sources.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::DbError;
use crate::entities::source::{Column, Entity, Model};

/// A live source of a project.
pub async fn find(conn: &impl ConnectionTrait, project: Uuid, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(Entity::find_by_id(id)
        .filter(Column::ProjectId.eq(project))
        .filter(Column::DeletedAt.is_null())
        .one(conn)
        .await?)
}
