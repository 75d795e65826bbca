//! Rows of `subscriptions`.

use sea_orm::entity::prelude::*;

/// Which events go to an endpoint; what they are stands in its filters.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "subscriptions")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The project.
    pub project_id: Uuid,
    /// Where the events go.
    pub endpoint_id: Uuid,
    /// The source that they must come from.
    pub source_id: Option<Uuid>,
    /// What people call it.
    pub name: String,
    /// Whether it takes anything.
    pub enabled: bool,
    /// `at_least_once` or `at_most_once`.
    pub delivery_mode: String,
    /// `domain::retry::RetryPolicy`; null = the project's.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub retry: Option<Json>,
    /// `domain::project::RateLimitConfig`; null = the endpoint's.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub rate_limit: Option<Json>,
    /// When to tell people of failures.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub alert: Option<Json>,
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
