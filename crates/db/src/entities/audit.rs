//! Rows of `audit`.

use sea_orm::entity::prelude::*;

/// One change and who made it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When it happened.
    pub at: DateTimeUtc,
    /// User or API key.
    pub actor_id: Option<Uuid>,
    /// Name of the actor at that time.
    pub actor: String,
    /// `endpoint.created` and the like.
    pub action: String,
    /// The project that it happened in.
    pub project_id: Option<Uuid>,
    /// Name of the changed thing at that time.
    pub subject: String,
    /// The changed thing.
    pub subject_id: Option<Uuid>,
    /// What changed; never a secret.
    #[sea_orm(column_type = "JsonBinary")]
    pub detail: Json,
    /// Network address of the client.
    pub address: Option<String>,
}

/// Relations are joined by hand where a statement needs them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
