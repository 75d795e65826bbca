//! Rows of `filters`.

use sea_orm::entity::prelude::*;

/// What a subscription takes of one event type.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "filters")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The project.
    pub project_id: Uuid,
    /// The subscription.
    pub subscription_id: Uuid,
    /// Name of the event type; `*` = every type.
    pub event_type: String,
    /// Conditions on headers.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub headers: Option<Json>,
    /// Conditions on the payload.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub body: Option<Json>,
    /// Conditions on query parameters.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub query: Option<Json>,
    /// Conditions on the path.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub path: Option<Json>,
    /// Since when it takes events; null = disabled.
    pub enabled_at: Option<DateTimeUtc>,
    /// When the row was made.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

/// Relations are joined by hand where a statement needs them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
