//! What an endpoint is, and what callers say about one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use domain::id::{EndpointId, ProjectId, SecretId};
use domain::state::EndpointState;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::page::PageRequest;
use crate::patch::Patch;

/// Stands for a stored password or key on the wire. Sent back in an update it keeps what is stored.
pub const REDACTED: &str = "[REDACTED]";

/// How deliveries of an endpoint are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureFormat {
    /// Convoy's header, simple or advanced.
    #[default]
    Convoy,
    /// Standard Webhooks.
    Standard,
}

impl SignatureFormat {
    /// The name in storage and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Convoy => "convoy",
            Self::Standard => "standard",
        }
    }

    /// The format called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "convoy" => Some(Self::Convoy),
            "standard" => Some(Self::Standard),
            _ => None,
        }
    }
}

/// What deliveries carry so that the receiver lets them in. Stored encrypted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Authentication {
    /// A header with a key.
    ApiKey {
        /// Name of the header.
        header_name: String,
        /// Its value.
        header_value: String,
    },
    /// `Authorization: Basic`.
    BasicAuth {
        /// Name of the account.
        username: String,
        /// Its password.
        password: String,
    },
}

impl Authentication {
    /// Name and value of the header that deliveries carry.
    pub fn header(&self) -> (String, String) {
        match self {
            Self::ApiKey {
                header_name,
                header_value,
            } => (header_name.clone(), header_value.clone()),
            Self::BasicAuth { username, password } => {
                let credentials = STANDARD.encode(format!("{username}:{password}"));
                ("authorization".to_owned(), format!("Basic {credentials}"))
            }
        }
    }

    /// The same with [`REDACTED`] in place of what nobody may read.
    #[must_use]
    pub fn redacted(self) -> Self {
        match self {
            Self::ApiKey { header_name, .. } => Self::ApiKey {
                header_name,
                header_value: REDACTED.to_owned(),
            },
            Self::BasicAuth { username, .. } => Self::BasicAuth {
                username,
                password: REDACTED.to_owned(),
            },
        }
    }
}

impl std::fmt::Debug for Authentication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ApiKey { .. } => "ApiKey",
            Self::BasicAuth { .. } => "BasicAuth",
        })
    }
}

/// Authentication as callers write it: `{type, api_key: {..}, basic_auth: {..}}`.
#[derive(Clone, Default, Deserialize)]
pub struct AuthenticationInput {
    /// `api_key` or `basic_auth`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Of the type `api_key`.
    #[serde(default)]
    pub api_key: Option<ApiKeyInput>,
    /// Of the type `basic_auth`.
    #[serde(default)]
    pub basic_auth: Option<BasicAuthInput>,
    /// Refused: not supported.
    #[serde(default)]
    pub oauth2: Option<Value>,
}

impl std::fmt::Debug for AuthenticationInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthenticationInput")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A header with a key.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct ApiKeyInput {
    /// Name of the header.
    pub header_name: String,
    /// Its value, or [`REDACTED`] to keep the stored one.
    pub header_value: String,
}

/// An account and its password.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct BasicAuthInput {
    /// Name of the account.
    pub username: String,
    /// Its password, or [`REDACTED`] to keep the stored one.
    pub password: String,
}

/// A signing secret.
#[derive(Clone, Serialize)]
pub struct EndpointSecret {
    /// Its id.
    pub id: SecretId,
    /// In clear right after it was made, for API keys with the role of an admin (clients of the
    /// gateway read it from there), and from `reveal_secrets`; masked otherwise.
    pub value: String,
    /// Signs until then; `None` = until rotated.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl std::fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointSecret")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// An endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Its project.
    pub project_id: ProjectId,
    /// What people call it.
    pub name: String,
    /// Where deliveries are sent.
    pub url: String,
    /// For people; may be empty.
    pub description: String,
    /// The customer behind it, as the project calls it.
    pub owner_id: Option<String>,
    /// Whether it takes deliveries.
    pub state: EndpointState,
    /// Why it is in its state, when there is more to say.
    pub state_reason: Option<String>,
    /// Since when it is in its state; `None` = since it was made.
    pub state_changed_at: Option<DateTime<Utc>>,
    /// Form of the request body.
    pub content_type: String,
    /// Limit for one attempt in seconds; 0 = the instance's default.
    pub http_timeout: u32,
    /// Deliveries in one window; 0 = the project's limit.
    pub rate_limit: u32,
    /// Length of the window in seconds.
    pub rate_limit_duration: u32,
    /// Whether Convoy's header carries time, versions and several secrets.
    pub advanced_signatures: bool,
    /// How deliveries are signed.
    pub signature_format: SignatureFormat,
    /// Whom to tell of trouble; may be empty.
    pub support_email: String,
    /// Where to tell of trouble; may be empty.
    pub slack_webhook_url: String,
    /// Where to tell of trouble; may be empty.
    pub teams_webhook_url: String,
    /// What deliveries carry; secrets in it are [`REDACTED`].
    pub authentication: Option<Authentication>,
    /// The secrets that still sign, oldest first.
    pub secrets: Vec<EndpointSecret>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Since when it is gone; only `by_ids` shows such endpoints.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// An endpoint to make. Empty texts and `None` take the defaults.
#[derive(Clone, Debug, Default)]
pub struct NewEndpoint {
    /// What people call it.
    pub name: String,
    /// Where deliveries are sent.
    pub url: String,
    /// The signing secret; generated when empty.
    pub secret: Option<String>,
    /// The customer behind it.
    pub owner_id: Option<String>,
    /// For people.
    pub description: String,
    /// Default true.
    pub advanced_signatures: Option<bool>,
    /// `convoy` (default) or `standard`.
    pub signature_format: Option<String>,
    /// Whom to tell of trouble.
    pub support_email: String,
    /// Where to tell of trouble.
    pub slack_webhook_url: String,
    /// Where to tell of trouble.
    pub teams_webhook_url: String,
    /// Seconds; 0 = the instance's default.
    pub http_timeout: Option<u32>,
    /// Deliveries in one window; 0 = the project's limit.
    pub rate_limit: Option<u32>,
    /// Seconds; a minute when left out.
    pub rate_limit_duration: Option<u32>,
    /// `application/json` (default) or `application/x-www-form-urlencoded`.
    pub content_type: Option<String>,
    /// What deliveries carry.
    pub authentication: Option<AuthenticationInput>,
    /// Refused: not supported.
    pub mtls_client_cert: Option<Value>,
}

/// A change of an endpoint; `None` and `Absent` leave as is.
#[derive(Clone, Debug, Default)]
pub struct EndpointUpdate {
    /// What people call it.
    pub name: Option<String>,
    /// Where deliveries are sent.
    pub url: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// The customer behind it.
    pub owner_id: Patch<String>,
    /// Whether Convoy's header carries time, versions and several secrets.
    pub advanced_signatures: Option<bool>,
    /// `convoy` or `standard`.
    pub signature_format: Option<String>,
    /// Whom to tell of trouble.
    pub support_email: Option<String>,
    /// Where to tell of trouble.
    pub slack_webhook_url: Option<String>,
    /// Where to tell of trouble.
    pub teams_webhook_url: Option<String>,
    /// Seconds; 0 = the instance's default.
    pub http_timeout: Option<u32>,
    /// Deliveries in one window; 0 = the project's limit.
    pub rate_limit: Option<u32>,
    /// Seconds.
    pub rate_limit_duration: Option<u32>,
    /// `application/json` or `application/x-www-form-urlencoded`.
    pub content_type: Option<String>,
    /// What deliveries carry.
    pub authentication: Patch<AuthenticationInput>,
    /// A value is refused: not supported.
    pub mtls_client_cert: Patch<Value>,
    /// True switches it off, false on.
    pub is_disabled: Option<bool>,
}

/// Which endpoints to list; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct EndpointQuery {
    /// Part of the name, in any case of letters.
    pub q: Option<String>,
    /// The customer behind them.
    pub owner_id: Option<String>,
    /// Which page.
    pub page: PageRequest,
}

/// A change of the signing secret.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    /// The new secret; generated when empty.
    pub secret: Option<String>,
    /// Seconds for which the older ones keep signing.
    pub expiration: u32,
}
