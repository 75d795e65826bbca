//! Rows of `projects`.

use sea_orm::entity::prelude::*;

/// A project.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "projects")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organisation that it belongs to.
    pub organisation_id: Uuid,
    /// Unique in the organisation without regard to case, deleted ones aside.
    pub name: String,
    /// `domain::project::ProjectKind`, by name.
    pub kind: String,
    /// Address of a picture; may be empty.
    pub logo_url: String,
    /// `domain::project::ProjectConfig`.
    #[sea_orm(column_type = "JsonBinary")]
    pub config: Json,
    /// Keep class of new rows, in days; 0 = for ever.
    pub keep_days: i16,
    /// Grows with every change that routing depends on; written by triggers only.
    pub catalog_version: i64,
    /// When the row was made.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
    /// Since when it is gone.
    pub deleted_at: Option<DateTimeUtc>,
}

/// Relations are joined by hand where a statement needs them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
