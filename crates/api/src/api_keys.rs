//! API keys of a project.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::id::ApiKeyId;
use domain::role::Role;
use serde::{Deserialize, Serialize};
use services::api_keys::{ApiKey, CreatedApiKey, NewApiKey};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::InProject;
use crate::body::Json;
use crate::envelope::{Envelope, Nothing, Reply};
use crate::error::{ApiError, ApiResult};
use crate::fields::given;
use crate::path::Id;
use crate::state::ApiState;

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ApiKeyRequest {
    /// What people call it.
    name: String,
    /// `project_admin` (default) or `project_viewer`.
    #[schema(example = "project_admin")]
    role: Option<String>,
    /// Until when it is good; for ever when left out.
    expires_at: Option<DateTime<Utc>>,
}

/// A key, without its secret part.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyResponse {
    uid: Uuid,
    name: String,
    /// The public part.
    #[schema(example = "LH.s5Yz0wTq2mXc8bKd")]
    mask: String,
    role: RoleResponse,
    /// Always `project`.
    #[schema(value_type = String)]
    key_type: &'static str,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused.
    revoked_at: Option<DateTime<Utc>>,
}

/// What a key may do, and where.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoleResponse {
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "project_admin")]
    kind: Role,
    /// The project.
    project: Uuid,
}

/// A fresh key in clear.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedApiKeyResponse {
    uid: Uuid,
    name: String,
    role: RoleResponse,
    /// Always `project`.
    #[schema(value_type = String)]
    key_type: &'static str,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    /// What to send as `Authorization: Bearer`. It is shown here only.
    key: String,
}

impl From<ApiKey> for ApiKeyResponse {
    fn from(key: ApiKey) -> Self {
        Self {
            uid: key.id.0,
            name: key.name,
            mask: key.mask,
            role: RoleResponse {
                kind: key.role,
                project: key.project_id.0,
            },
            key_type: "project",
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}

impl From<CreatedApiKey> for CreatedApiKeyResponse {
    fn from(created: CreatedApiKey) -> Self {
        let key = created.key;
        Self {
            uid: key.id.0,
            name: key.name,
            role: RoleResponse {
                kind: key.role,
                project: key.project_id.0,
            },
            key_type: "project",
            created_at: key.created_at,
            expires_at: key.expires_at,
            key: created.clear,
        }
    }
}

/// Lists the keys of a project, newest first, revoked ones included.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/api-keys", operation_id = "GetApiKeys", tag = "API Keys",
    responses((status = 200, body = Envelope<Vec<ApiKeyResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
) -> ApiResult<Reply<Vec<ApiKeyResponse>>> {
    let keys = services::api_keys::list(&state.services, &actor, project).await?;
    Ok(Reply::ok(
        "API keys fetched successfully",
        keys.into_iter().map(Into::into).collect(),
    ))
}

/// Makes a key. Its clear text is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/api-keys", operation_id = "CreateApiKey", tag = "API Keys",
    request_body = ApiKeyRequest, responses((status = 201, body = Envelope<CreatedApiKeyResponse>)))]
pub async fn create(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<ApiKeyRequest>,
) -> ApiResult<Reply<CreatedApiKeyResponse>> {
    let role = given(request.role)
        .map(|name| {
            Role::parse(&name)
                .ok_or_else(|| ApiError::invalid("role", "must be project_admin or project_viewer"))
        })
        .transpose()?;
    let new = NewApiKey {
        name: request.name,
        role,
        expires_at: request.expires_at,
    };
    let created = services::api_keys::create(&state.services, &actor, project, new).await?;
    Ok(Reply::created("API key created successfully", created.into()))
}

/// Revokes a key. Revoking twice is fine.
#[utoipa::path(delete, path = "/api/v1/projects/{projectID}/api-keys/{keyID}", operation_id = "RevokeApiKey",
    tag = "API Keys", responses((status = 200, body = Envelope<Nothing>)))]
pub async fn revoke(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(key): Id<ApiKeyId>,
) -> ApiResult<Reply<Nothing>> {
    services::api_keys::revoke(&state.services, &actor, project, key).await?;
    Ok(Reply::ok("API key revoked successfully", Nothing))
}
