//! Rows of `endpoints`.

use sea_orm::entity::prelude::*;

/// Where deliveries go.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "endpoints")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The project.
    pub project_id: Uuid,
    /// What people call it.
    pub name: String,
    /// Where deliveries are sent.
    pub url: String,
    /// For people; may be empty.
    pub description: String,
    /// The customer behind it, as the project calls it.
    pub owner_id: Option<String>,
    /// `domain::state::EndpointState`, by code.
    pub state: i16,
    /// Form of the request body.
    pub content_type: String,
    /// Seconds; 0 = the instance's default.
    pub http_timeout: i32,
    /// Deliveries in one window; 0 = the project's limit.
    pub rate_limit: i32,
    /// Length of the window in seconds.
    pub rate_limit_duration: i32,
    /// Whether the signature header carries time, versions and several secrets.
    pub advanced_signatures: bool,
    /// `convoy` or `standard`.
    pub signature_format: String,
    /// Whom to tell; may be empty.
    pub support_email: String,
    /// Where to tell; may be empty.
    pub slack_webhook_url: String,
    /// Where to tell; may be empty.
    pub teams_webhook_url: String,
    /// Encrypted JSON of what deliveries carry to be let in.
    #[sea_orm(column_type = "VarBinary(StringLen::None)", nullable)]
    pub authentication: Option<Vec<u8>>,
    /// Why it is in its state.
    pub state_reason: Option<String>,
    /// Since when it is in its state; null = since it was made.
    pub state_changed_at: Option<DateTimeUtc>,
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
