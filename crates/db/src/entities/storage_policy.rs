//! Rows of `storage_policies`.

use sea_orm::entity::prelude::*;

/// One version of a storage policy. Only what its last probe found ever changes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "storage_policies")]
pub struct Model {
    /// Key; segments refer to it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The project whose own policy it is; none for the instance.
    pub project_id: Option<Uuid>,
    /// Counts from 1 within the project or the instance.
    pub version: i32,
    /// `s3` or `on_prem`.
    pub kind: String,
    /// `domain::storage::StoragePolicy` without its secrets.
    #[sea_orm(column_type = "JsonBinary")]
    pub settings: Json,
    /// Its secrets as encrypted JSON.
    #[sea_orm(column_type = "VarBinary(StringLen::None)", nullable)]
    pub secrets: Option<Vec<u8>>,
    /// `page`, `api`, `command` or `configuration`.
    pub origin: String,
    /// `domain::storage::ProbeReport` of the last probe.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub probe: Option<Json>,
    /// When it was probed.
    pub probed_at: Option<DateTimeUtc>,
    /// When the row was made.
    pub created_at: DateTimeUtc,
    /// Who made it.
    pub created_by: String,
}

/// Relations are joined by hand where a statement needs them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
