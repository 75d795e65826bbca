//! Rows of `event_types`.

use sea_orm::entity::prelude::*;

/// A name that events go by.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "event_types")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The project.
    pub project_id: Uuid,
    /// Unique in the project.
    pub name: String,
    /// Groups types on pages; may be empty.
    pub category: String,
    /// For people; may be empty.
    pub description: String,
    /// What payloads look like.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub json_schema: Option<Json>,
    /// Since when it should not be used any more.
    pub deprecated_at: Option<DateTimeUtc>,
    /// When the row was made.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

/// Relations are joined by hand where a statement needs them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
