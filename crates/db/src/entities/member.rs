//! Rows of `organisation_members`.

use sea_orm::entity::prelude::*;

/// What a person may do in an organisation, or in one project of it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "organisation_members")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organisation.
    pub organisation_id: Uuid,
    /// The person.
    pub user_id: Uuid,
    /// The one project that the role is for; null = every project.
    pub project_id: Option<Uuid>,
    /// `domain::role::Role`, by name.
    pub role: String,
    /// When the row was made.
    pub created_at: DateTimeUtc,
}

/// Relations are joined by hand where a statement needs them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
