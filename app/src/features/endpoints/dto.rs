//! What the pages about endpoints show and send.

use domain::state::EndpointState;
use serde::{Deserialize, Serialize};

use crate::{
    features::{
        common::{NamedRef, ProjectRef},
        deliveries::dto::DeliveryRow,
    },
    format::Stamp,
    ui::stat::Stat,
};

/// One endpoint in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRow {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// State.
    pub state: EndpointState,
    /// Address.
    pub url: String,
    /// Share of deliveries of the last 24 hours that succeeded; empty when there were none.
    pub success: String,
    /// Deliveries of the last 24 hours that failed.
    pub failed: String,
    /// Count of subscriptions.
    pub subscriptions: String,
}

/// What the list of endpoints shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointsDto {
    /// The project.
    pub project: ProjectRef,
    /// The endpoints, by name.
    pub rows: Vec<EndpointRow>,
    /// What is looked for in names and addresses.
    pub search: String,
    /// Whether the project has any endpoint at all.
    pub any: bool,
}

/// One secret of an endpoint, never in full unless just made or revealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRow {
    /// `••••••••d41f`, or the whole value when it was just made or revealed.
    pub text: String,
    /// Whether `text` is the whole value.
    pub whole: bool,
    /// When it was made.
    pub created: Stamp,
    /// Until when it also signs; empty text for the current one.
    pub expires: Stamp,
}

/// What the page of one endpoint shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointDto {
    /// The project.
    pub project: ProjectRef,
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// State.
    pub state: EndpointState,
    /// Why it is not active, in words; empty otherwise.
    pub state_reason: String,
    /// Address.
    pub url: String,
    /// The last 24 hours.
    pub stats: Vec<Stat>,
    /// Signature, authentication, limits and so on: label and words.
    pub settings: Vec<(String, String)>,
    /// Secrets, current one first.
    pub secrets: Vec<SecretRow>,
    /// Subscriptions.
    pub subscriptions: Vec<NamedRef>,
    /// Its last deliveries.
    pub deliveries: Vec<DeliveryRow>,
    /// Deliveries that would be discarded if it were deleted.
    pub waiting: String,
}

/// What the form of an endpoint shows and sends. Numbers are texts until the server has read them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointForm {
    /// Name.
    pub name: String,
    /// Address.
    pub url: String,
    /// Description.
    pub description: String,
    /// Owner, for fanout.
    pub owner_id: String,
    /// Address that is told about trouble.
    pub support_email: String,
    /// `simple`, `advanced` or `standard`.
    pub signature: String,
    /// First secret; empty makes one. Only on creation.
    pub secret: String,
    /// `application/json` or `application/x-www-form-urlencoded`.
    pub content_type: String,
    /// Seconds until an attempt is given up.
    pub http_timeout: String,
    /// Deliveries per window; empty or 0 for no limit.
    pub rate_limit: String,
    /// Length of the window in seconds.
    pub rate_limit_duration: String,
    /// `none`, `api_key` or `basic_auth`.
    pub auth: String,
    /// Name of the header.
    pub auth_header: String,
    /// Value of the header; empty keeps the stored one.
    pub auth_value: String,
    /// User name.
    pub auth_username: String,
    /// Password; empty keeps the stored one.
    pub auth_password: String,
}

/// What the page with the form shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointFormDto {
    /// The project.
    pub project: ProjectRef,
    /// Id; empty for a new one.
    pub id: String,
    /// Version that is being edited.
    pub version: i64,
    /// Its values.
    pub form: EndpointForm,
}

/// What the form for a new secret sends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretForm {
    /// The new value; empty makes one.
    pub value: String,
    /// Hours for which the old one still signs.
    pub hours: String,
}
