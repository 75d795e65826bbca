//! Rows of `runs`.

use sea_orm::entity::prelude::*;

/// One execution of a job.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
pub struct Model {
    /// Key, stamped with the start.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name of the job.
    pub job: String,
    /// `schedule` or `manual`.
    pub trigger: String,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// What it was asked for.
    #[sea_orm(column_type = "JsonBinary")]
    pub input: Json,
    /// What it did, by name.
    #[sea_orm(column_type = "JsonBinary")]
    pub counts: Json,
    /// Why it failed.
    pub error: Option<String>,
    /// When it started.
    pub started_at: DateTimeUtc,
    /// When it ended.
    pub ended_at: Option<DateTimeUtc>,
    /// The only project that it was for.
    pub project_id: Option<Uuid>,
    /// How far it is.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub progress: Option<Json>,
    /// The moment that it acted for, when not the present one.
    pub as_of: Option<DateTimeUtc>,
    /// When it was written down, by the clock of the database.
    pub recorded_at: DateTimeUtc,
}

/// Relations are joined by hand where a statement needs them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
