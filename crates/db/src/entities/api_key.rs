//! Rows of `api_keys`.

use sea_orm::entity::prelude::*;

/// A key of one project.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The project that it opens.
    pub project_id: Uuid,
    /// What people call it.
    pub name: String,
    /// The public part; finds the row.
    pub mask: String,
    /// SHA-256 of the secret part.
    #[sea_orm(column_type = "VarBinary(StringLen::None)")]
    pub hash: Vec<u8>,
    /// `domain::role::Role`, by name.
    pub role: String,
    /// Who made it.
    pub created_by: Option<Uuid>,
    /// Until when it is good; null = for ever.
    pub expires_at: Option<DateTimeUtc>,
    /// Since when it is refused.
    pub revoked_at: Option<DateTimeUtc>,
    /// When the row was made.
    pub created_at: DateTimeUtc,
}

/// Relations are joined by hand where a statement needs them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
