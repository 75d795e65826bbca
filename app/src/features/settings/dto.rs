//! What the settings pages show and send.

use serde::{Deserialize, Serialize};

use crate::{features::common::ProjectRef, format::Stamp};

/// General settings, as a form shows and sends them. Numbers are texts until the server has read them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "four independent check boxes")]
pub struct GeneralForm {
    /// Name.
    pub name: String,
    /// `linear`, `exponential` or `list`.
    pub strategy: String,
    /// Seconds between attempts, or before the second one.
    pub duration: String,
    /// Attempts in all.
    pub retry_count: String,
    /// Seconds before each further attempt, separated by commas.
    pub intervals: String,
    /// Largest payload in bytes; 0 for the instance's limit.
    pub max_payload: String,
    /// Default limit per endpoint; 0 for none.
    pub rate_limit: String,
    /// Its window in seconds.
    pub rate_limit_duration: String,
    /// Refuse http addresses.
    pub enforce_https: bool,
    /// Switch an endpoint off once a delivery to it has used up its attempts.
    pub disable_endpoint: bool,
    /// Allow several subscriptions per endpoint.
    pub multiple_subscriptions: bool,
    /// Send the ids of event and delivery as headers.
    pub id_headers: bool,
}

/// What the general settings page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneralDto {
    /// The project.
    pub project: ProjectRef,
    /// `Outgoing` or `Incoming`.
    pub kind: String,
    /// Version that is being edited.
    pub version: i64,
    /// The values.
    pub form: GeneralForm,
}

/// One version of the signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRow {
    /// `v1`.
    pub name: String,
    /// `SHA-256`.
    pub hash: String,
    /// `hex`.
    pub encoding: String,
    /// When it was added.
    pub created: Stamp,
}

/// What the signature page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureDto {
    /// The project.
    pub project: ProjectRef,
    /// Version that is being edited.
    pub version: i64,
    /// Header that carries the signature.
    pub header: String,
    /// Header that carries the idempotency key.
    pub request_id_header: String,
    /// The versions, oldest first.
    pub versions: Vec<VersionRow>,
}

/// What the signature form sends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SignatureForm {
    /// Header that carries the signature.
    pub header: String,
    /// Header that carries the idempotency key.
    pub request_id_header: String,
}

/// What the form for a new version sends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VersionForm {
    /// `SHA256` or `SHA512`.
    pub hash: String,
    /// `hex` or `base64`.
    pub encoding: String,
}

/// One API key; its value is known to nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Its first characters.
    pub mask: String,
    /// Role in words.
    pub role: String,
    /// When it was made.
    pub created: Stamp,
    /// When it ends; empty text for never.
    pub expires: Stamp,
}

/// What the page of keys shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysDto {
    /// The project.
    pub project: ProjectRef,
    /// The keys, newest first.
    pub rows: Vec<KeyRow>,
    /// A key that was just made, shown this once; empty for none.
    pub created: String,
    /// Command that uses it; empty for none.
    pub command: String,
}

/// What the form for a new key sends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyForm {
    /// Name.
    pub name: String,
    /// `project_admin` or `project_viewer`.
    pub role: String,
    /// Days until it ends; empty or 0 for never.
    pub days: String,
}

/// What deleting a project removes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DangerDto {
    /// The project.
    pub project: ProjectRef,
    /// Endpoints that go.
    pub endpoints: String,
    /// Subscriptions that go.
    pub subscriptions: String,
    /// Keys that stop working.
    pub keys: String,
    /// Deliveries that are discarded.
    pub waiting: String,
}
