//! Rows of `holds`.

use sea_orm::entity::prelude::*;

/// A legal hold on a window of a project.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "holds")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The project.
    pub project_id: Uuid,
    /// What people call it.
    pub name: String,
    /// Rows accepted from here on are kept.
    pub from_at: DateTimeUtc,
    /// Rows accepted before this are kept.
    pub to_at: DateTimeUtc,
    /// Since when it is in force.
    pub placed_at: DateTimeUtc,
    /// Who placed it.
    pub placed_by: String,
    /// Since when it is not in force any more.
    pub released_at: Option<DateTimeUtc>,
    /// Who released it.
    pub released_by: Option<String>,
}

/// Relations are joined by hand where a statement needs them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
