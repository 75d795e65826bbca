//! How endpoints look on the wire, in every version of the API.

use chrono::{DateTime, Utc};
use domain::id::EndpointId;
use domain::state::EndpointState;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use services::catalog;
use services::endpoints::{
    ApiKeyInput, Authentication, AuthenticationInput, BasicAuthInput, Endpoint, EndpointSecret,
    EndpointUpdate, NewEndpoint, SignatureFormat,
};
use services::patch::Patch;
use services::subscriptions::EndpointBrief;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fields::{Seconds, given};
use crate::version::Version;

/// An endpoint to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EndpointRequest {
    /// What people call it. `title` is read as well.
    #[serde(alias = "title")]
    name: String,
    /// Where deliveries are posted. `target_url` is read as well.
    #[serde(alias = "target_url")]
    #[schema(example = "https://example.com/webhooks")]
    url: String,
    /// The signing secret; generated when left out.
    secret: Option<String>,
    /// Groups endpoints for events that go to all endpoints of one owner.
    owner_id: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Whether signatures carry a time and all valid secrets. Default true.
    advanced_signatures: Option<bool>,
    /// `convoy` (default) or `standard` (Standard Webhooks).
    #[schema(example = "convoy")]
    signature_format: Option<String>,
    /// Who is told about trouble.
    support_email: Option<String>,
    /// Where trouble is posted.
    slack_webhook_url: Option<String>,
    /// Where trouble is posted.
    teams_webhook_url: Option<String>,
    /// Seconds that one attempt may take; 0 = the instance's default.
    http_timeout: Option<Seconds>,
    /// Deliveries per window; 0 = the project's limit.
    rate_limit: Option<u32>,
    /// Length of the window in seconds.
    rate_limit_duration: Option<Seconds>,
    /// `application/json` (default) or `application/x-www-form-urlencoded`.
    #[schema(example = "application/json")]
    content_type: Option<String>,
    /// What deliveries carry so that the receiver knows the sender.
    authentication: Option<AuthenticationRequest>,
    /// Not taken by this version.
    #[schema(value_type = Option<Object>)]
    mtls_client_cert: Option<Value>,
}

/// A change of an endpoint. What is left out stays as it is; null clears.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EndpointUpdateRequest {
    /// New name. `title` is read as well.
    #[serde(alias = "title")]
    name: Option<String>,
    /// New address. `target_url` is read as well.
    #[serde(alias = "target_url")]
    url: Option<String>,
    /// New owner.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    owner_id: Patch<String>,
    /// New description.
    description: Option<String>,
    /// Whether signatures carry a time and all valid secrets.
    advanced_signatures: Option<bool>,
    /// `convoy` or `standard` (Standard Webhooks).
    signature_format: Option<String>,
    /// Who is told about trouble.
    support_email: Option<String>,
    /// Where trouble is posted.
    slack_webhook_url: Option<String>,
    /// Where trouble is posted.
    teams_webhook_url: Option<String>,
    /// Seconds that one attempt may take; 0 = the instance's default.
    http_timeout: Option<Seconds>,
    /// Deliveries per window; 0 = the project's limit.
    rate_limit: Option<u32>,
    /// Length of the window in seconds.
    rate_limit_duration: Option<Seconds>,
    /// `application/json` or `application/x-www-form-urlencoded`.
    content_type: Option<String>,
    /// What deliveries carry so that the receiver knows the sender.
    #[serde(default)]
    #[schema(value_type = Option<AuthenticationRequest>)]
    authentication: Patch<AuthenticationRequest>,
    /// Not taken by this version.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    mtls_client_cert: Patch<Value>,
    /// True switches it off, false on.
    is_disabled: Option<bool>,
}

/// What deliveries carry so that the receiver knows the sender.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AuthenticationRequest {
    /// `api_key` or `basic_auth`.
    #[serde(rename = "type", default)]
    #[schema(required, example = "api_key")]
    kind: String,
    /// For the type `api_key`.
    api_key: Option<HeaderKey>,
    /// For the type `basic_auth`.
    basic_auth: Option<BasicCredential>,
    /// Not taken by this version.
    #[schema(value_type = Option<Object>)]
    oauth2: Option<Value>,
}

/// A header with a key.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct HeaderKey {
    /// Name of the header.
    #[schema(example = "X-Api-Key")]
    header_name: String,
    /// Its value; `[REDACTED]` in answers, and in a change to keep it.
    header_value: String,
}

/// `Authorization: Basic`.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct BasicCredential {
    /// User name.
    username: String,
    /// Password; `[REDACTED]` in answers, and in a change to keep it.
    password: String,
}

/// A new signing secret.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RotationRequest {
    /// The new secret; generated when left out.
    pub secret: Option<String>,
    /// Seconds for which the old secret keeps signing.
    pub expiration: Seconds,
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointResponse {
    uid: Uuid,
    project_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    url: Option<String>,
    /// The name, in versions before 2024-04-01.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    title: Option<String>,
    /// The address, in versions before 2024-04-01.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    target_url: Option<String>,
    description: String,
    owner_id: String,
    /// `active`, `inactive` or `paused`.
    #[schema(value_type = String, example = "active")]
    status: EndpointState,
    /// Why it has that status, when the product switched it.
    status_reason: Option<String>,
    /// The secrets that sign, oldest first.
    secrets: Vec<SecretResponse>,
    content_type: String,
    /// Seconds; a text such as `10s` in versions before 2024-01-01.
    http_timeout: SecondsResponse,
    rate_limit: u32,
    /// Seconds; a text such as `1m` in versions before 2024-01-01.
    rate_limit_duration: SecondsResponse,
    advanced_signatures: bool,
    /// `convoy` or `standard`.
    #[schema(value_type = String, example = "convoy")]
    signature_format: SignatureFormat,
    support_email: String,
    slack_webhook_url: String,
    teams_webhook_url: String,
    authentication: Option<AuthenticationResponse>,
    /// Always null in this version.
    #[schema(value_type = Option<Object>)]
    mtls_client_cert: Option<Value>,
    /// Null: not counted by this version.
    events: Option<u64>,
    /// Null: not counted by this version.
    failure_rate: Option<f64>,
    /// State of the circuit breaker; null: not watched by this version.
    cb_state: Option<String>,
    /// Null: not counted by this version.
    period_failure_rate: Option<f64>,
    /// Null: not counted by this version.
    success_count: Option<u64>,
    /// Null: not counted by this version.
    failure_count: Option<u64>,
    /// Null: not counted by this version.
    retry_count: Option<u64>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Always null: deleted endpoints are not shown.
    deleted_at: Option<DateTime<Utc>>,
}

/// A signing secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretResponse {
    uid: Uuid,
    value: String,
    /// Until when it signs; null = until it is replaced.
    expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Always null: secrets that do not sign any more are not shown.
    deleted_at: Option<DateTime<Utc>>,
}

/// What deliveries carry; secret parts are redacted.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthenticationResponse {
    /// `api_key` or `basic_auth`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    api_key: Option<HeaderKey>,
    basic_auth: Option<BasicCredential>,
    /// Always null in this version.
    #[schema(value_type = Option<Object>)]
    oauth2: Option<Value>,
}

/// An endpoint in a few words.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointBriefResponse {
    uid: Uuid,
    name: String,
    url: String,
    owner_id: String,
    /// `active`, `inactive` or `paused`; empty when the endpoint was deleted.
    #[schema(example = "active")]
    status: &'static str,
}

impl EndpointBriefResponse {
    /// The endpoint `id` of a project, as far as it still exists.
    pub fn of(id: EndpointId, project: Option<&catalog::Project>) -> Self {
        match project.and_then(|project| project.endpoints.get(&id)) {
            Some(endpoint) => Self {
                uid: id.0,
                name: endpoint.name.clone(),
                url: endpoint.url.clone(),
                owner_id: endpoint.owner_id.clone().unwrap_or_default(),
                status: endpoint.state.as_str(),
            },
            None => Self {
                uid: id.0,
                name: String::new(),
                url: String::new(),
                owner_id: String::new(),
                status: "",
            },
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl From<EndpointBrief> for EndpointBriefResponse {
    fn from(endpoint: EndpointBrief) -> Self {
        Self {
            uid: endpoint.id.0,
            name: endpoint.name,
            url: endpoint.url,
            owner_id: endpoint.owner_id.unwrap_or_default(),
            status: endpoint.state.as_str(),
        }
    }
}

/// A length of time as a version of the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SecondsResponse {
    /// Seconds.
    Number(u32),
    /// `10s`, `1m`.
    Text(String),
}

impl SecondsResponse {
    fn new(seconds: u32, version: Version) -> Self {
        if version.has_text_durations() {
            Self::Text(domain::duration::format(std::time::Duration::from_secs(
                seconds.into(),
            )))
        } else {
            Self::Number(seconds)
        }
    }
}

impl EndpointRequest {
    /// What the use case takes.
    pub fn into_new(self, version: Version) -> NewEndpoint {
        NewEndpoint {
            name: self.name,
            url: self.url,
            secret: given(self.secret),
            owner_id: given(self.owner_id),
            description: self.description.unwrap_or_default(),
            advanced_signatures: self
                .advanced_signatures
                .or(version.has_text_durations().then_some(false)),
            signature_format: given(self.signature_format),
            support_email: self.support_email.unwrap_or_default(),
            slack_webhook_url: self.slack_webhook_url.unwrap_or_default(),
            teams_webhook_url: self.teams_webhook_url.unwrap_or_default(),
            http_timeout: self.http_timeout.map(|seconds| seconds.0),
            rate_limit: self.rate_limit,
            rate_limit_duration: self.rate_limit_duration.map(|seconds| seconds.0),
            content_type: given(self.content_type),
            authentication: self
                .authentication
                .filter(|given| !given.is_blank())
                .map(Into::into),
            mtls_client_cert: self.mtls_client_cert.filter(|cert| !cert.is_null()),
        }
    }
}

impl From<EndpointUpdateRequest> for EndpointUpdate {
    fn from(request: EndpointUpdateRequest) -> Self {
        let authentication = match request.authentication {
            Patch::Value(authentication) if authentication.is_blank() => Patch::Absent,
            Patch::Value(authentication) => Patch::Value(authentication.into()),
            Patch::Null => Patch::Null,
            Patch::Absent => Patch::Absent,
        };
        Self {
            name: request.name,
            url: request.url,
            description: request.description,
            owner_id: request.owner_id,
            advanced_signatures: request.advanced_signatures,
            signature_format: given(request.signature_format),
            support_email: request.support_email,
            slack_webhook_url: request.slack_webhook_url,
            teams_webhook_url: request.teams_webhook_url,
            http_timeout: request.http_timeout.map(|seconds| seconds.0),
            rate_limit: request.rate_limit,
            rate_limit_duration: request.rate_limit_duration.map(|seconds| seconds.0),
            content_type: given(request.content_type),
            authentication,
            mtls_client_cert: request.mtls_client_cert,
            is_disabled: request.is_disabled,
        }
    }
}

impl AuthenticationRequest {
    /// SDKs send an empty shape for "not set".
    fn is_blank(&self) -> bool {
        self.kind.is_empty() && self.api_key.is_none() && self.basic_auth.is_none() && self.oauth2.is_none()
    }
}

impl From<AuthenticationRequest> for AuthenticationInput {
    fn from(request: AuthenticationRequest) -> Self {
        Self {
            kind: request.kind,
            api_key: request.api_key.map(|key| ApiKeyInput {
                header_name: key.header_name,
                header_value: key.header_value,
            }),
            basic_auth: request.basic_auth.map(|basic| BasicAuthInput {
                username: basic.username,
                password: basic.password,
            }),
            oauth2: request.oauth2,
        }
    }
}

impl From<Authentication> for AuthenticationResponse {
    fn from(authentication: Authentication) -> Self {
        match authentication {
            Authentication::ApiKey {
                header_name,
                header_value,
            } => Self {
                kind: "api_key",
                api_key: Some(HeaderKey {
                    header_name,
                    header_value,
                }),
                basic_auth: None,
                oauth2: None,
            },
            Authentication::BasicAuth { username, password } => Self {
                kind: "basic_auth",
                api_key: None,
                basic_auth: Some(BasicCredential { username, password }),
                oauth2: None,
            },
        }
    }
}

impl From<EndpointSecret> for SecretResponse {
    fn from(secret: EndpointSecret) -> Self {
        Self {
            uid: secret.id.0,
            value: secret.value,
            expires_at: secret.expires_at,
            created_at: secret.created_at,
            updated_at: secret.updated_at,
            deleted_at: None,
        }
    }
}

impl EndpointResponse {
    /// The endpoint as `version` shows it.
    pub fn new(endpoint: Endpoint, version: Version) -> Self {
        let (name, url) = (Some(endpoint.name), Some(endpoint.url));
        let (name, url, title, target_url) = if version.has_titles() {
            (None, None, name, url)
        } else {
            (name, url, None, None)
        };
        Self {
            uid: endpoint.id.0,
            project_id: endpoint.project_id.0,
            name,
            url,
            title,
            target_url,
            description: endpoint.description,
            owner_id: endpoint.owner_id.unwrap_or_default(),
            status: endpoint.state,
            status_reason: endpoint.state_reason,
            secrets: endpoint.secrets.into_iter().map(Into::into).collect(),
            content_type: endpoint.content_type,
            http_timeout: SecondsResponse::new(endpoint.http_timeout, version),
            rate_limit: endpoint.rate_limit,
            rate_limit_duration: SecondsResponse::new(endpoint.rate_limit_duration, version),
            advanced_signatures: endpoint.advanced_signatures,
            signature_format: endpoint.signature_format,
            support_email: endpoint.support_email,
            slack_webhook_url: endpoint.slack_webhook_url,
            teams_webhook_url: endpoint.teams_webhook_url,
            authentication: endpoint.authentication.map(Into::into),
            mtls_client_cert: None,
            events: None,
            failure_rate: None,
            cb_state: None,
            period_failure_rate: None,
            success_count: None,
            failure_count: None,
            retry_count: None,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
            deleted_at: None,
        }
    }
}
