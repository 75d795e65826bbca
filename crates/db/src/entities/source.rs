//! Rows of `sources`.

use sea_orm::entity::prelude::*;

/// Where events come from, other than the API.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sources")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The project.
    pub project_id: Uuid,
    /// What people call it.
    pub name: String,
    /// `http`, `pub_sub` and the like.
    pub kind: String,
    /// Part of the ingest address.
    pub mask_id: String,
    /// Well-known sender; may be empty.
    pub provider: String,
    /// Whether it takes nothing.
    pub disabled: bool,
    /// Settings.
    #[sea_orm(column_type = "JsonBinary")]
    pub config: Json,
    /// Encrypted JSON of verifier secrets and broker credentials.
    #[sea_orm(column_type = "VarBinary(StringLen::None)", nullable)]
    pub secrets: Option<Vec<u8>>,
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
