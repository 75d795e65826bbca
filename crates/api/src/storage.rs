//! A project's own storage for copies of its days.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::storage::{Capabilities, Outcome, ProbeReport, StoragePolicy};
use serde::{Deserialize, Serialize};
use services::storage_policies::{self, Origin, PolicyVersion, Saved, Scope, Storage, VersionState};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::InProject;
use crate::body::{Json, OptionalJson};
use crate::envelope::{Envelope, Reply};
use crate::error::{ApiError, ApiResult};
use crate::retention::PlaceResponse;
use crate::state::ApiState;

/// A policy to save: the documented JSON.
#[derive(Debug, Deserialize, ToSchema)]
pub struct StorageRequest {
    /// `type`, and `s3` or `on_prem`. A secret that comes back masked stays as it is.
    #[schema(value_type = Object, example = json!({"type": "s3", "s3": {"bucket": "longhaul-archive",
        "region": "eu-central-1", "access_key": "AKIA", "secret_key": "secret"}}))]
    storage_policy: StoragePolicy,
    /// Save it although it does not work as it is.
    #[serde(default)]
    even_if_unfit: bool,
}

/// A policy to try out.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct StorageTestRequest {
    /// The policy; without, the one that is in effect for the project.
    #[schema(value_type = Option<Object>)]
    storage_policy: Option<StoragePolicy>,
}

/// The storage of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct StorageResponse {
    /// Whether the project uses its own policy, not the instance's.
    own_storage: bool,
    /// What is in effect for the project; null when nobody has said where copies lie.
    in_effect: Option<PlaceResponse>,
    /// Every version of the project's own policy, newest first.
    versions: Vec<VersionResponse>,
}

/// One version of a policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionResponse {
    uid: Uuid,
    version: i32,
    /// `writing`, `read_only` or `empty`.
    #[schema(value_type = String, example = "writing")]
    state: VersionState,
    /// The documented JSON with its secrets masked.
    #[schema(value_type = Object)]
    storage_policy: StoragePolicy,
    /// In words.
    place: String,
    /// `page`, `api`, `command` or `configuration`.
    #[schema(value_type = String, example = "api")]
    origin: Origin,
    created_at: DateTime<Utc>,
    created_by: String,
    /// Since when a newer one is in effect.
    replaced_at: Option<DateTime<Utc>>,
    /// Segments that lie there.
    segments: u64,
    /// Their bytes in the store.
    bytes: u64,
    /// When one of them was last found whole.
    verified_at: Option<DateTime<Utc>>,
    /// What the last try found.
    probe: Option<ProbeResponse>,
    probed_at: Option<DateTime<Utc>>,
}

/// What a try of a storage found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProbeResponse {
    /// Whether it is fit for copies.
    is_ready: bool,
    steps: Vec<StepResponse>,
    /// What the store can do.
    #[schema(value_type = Object)]
    capabilities: Capabilities,
    remark: String,
}

/// One step of a try.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepResponse {
    /// What was tried.
    name: String,
    /// `passed`, `note` or `failed`.
    #[schema(value_type = String, example = "passed")]
    outcome: Outcome,
    /// What was seen, or what to change.
    say: String,
    took_ms: u64,
}

/// A saved policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct SavedStorageResponse {
    uid: Uuid,
    version: i32,
    probe: ProbeResponse,
}

impl From<ProbeReport> for ProbeResponse {
    fn from(report: ProbeReport) -> Self {
        Self {
            is_ready: report.is_ready(),
            steps: report
                .steps
                .into_iter()
                .map(|step| StepResponse {
                    name: step.name,
                    outcome: step.outcome,
                    say: step.say,
                    took_ms: step.took_ms,
                })
                .collect(),
            capabilities: report.capabilities,
            remark: report.remark,
        }
    }
}

impl From<PolicyVersion> for VersionResponse {
    fn from(version: PolicyVersion) -> Self {
        Self {
            uid: version.id.0,
            version: version.version,
            state: version.state,
            storage_policy: version.policy,
            place: version.place,
            origin: version.origin,
            created_at: version.created_at,
            created_by: version.created_by,
            replaced_at: version.replaced_at,
            segments: version.segments,
            bytes: version.bytes,
            verified_at: version.verified_at,
            probe: version.probe.map(Into::into),
            probed_at: version.probed_at,
        }
    }
}

impl From<Storage> for StorageResponse {
    fn from(storage: Storage) -> Self {
        Self {
            own_storage: storage.uses_own,
            in_effect: storage.in_effect.map(Into::into),
            versions: storage.versions.into_iter().map(Into::into).collect(),
        }
    }
}

/// Shows where copies of a project's days lie, and every version of its own policy.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/storage", operation_id = "GetStorage", tag = "Retention",
    responses((status = 200, body = Envelope<StorageResponse>)))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
) -> ApiResult<Reply<StorageResponse>> {
    let storage = storage_policies::get(&state.services, &actor, Scope::Project(project)).await?;
    Ok(Reply::ok("Storage fetched successfully", storage.into()))
}

/// Saves the project's own policy as a new version and puts it to use. It is tried out first.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/storage", operation_id = "UpdateStorage", tag = "Retention",
    request_body = StorageRequest, responses((status = 202, body = Envelope<SavedStorageResponse>)))]
pub async fn update(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<StorageRequest>,
) -> ApiResult<Reply<SavedStorageResponse>> {
    let saved = storage_policies::save(
        &state.services,
        &actor,
        Scope::Project(project),
        Origin::Api,
        request.storage_policy,
        request.even_if_unfit,
    )
    .await?;
    match saved {
        Saved::Done { id, version, report } => {
            let response = SavedStorageResponse {
                uid: id.0,
                version,
                probe: report.into(),
            };
            Ok(Reply::changed("Storage updated successfully", response))
        }
        Saved::Unfit(report) => Err(unfit(&report)),
    }
}

/// Tries a policy out, or the one that is in effect. What does not work stands in the answer.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/storage/test", operation_id = "TestStorage",
    tag = "Retention", request_body = Option<StorageTestRequest>,
    responses((status = 200, body = Envelope<ProbeResponse>)))]
pub async fn test(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    OptionalJson(request): OptionalJson<StorageTestRequest>,
) -> ApiResult<Reply<ProbeResponse>> {
    let scope = Scope::Project(project);
    let report = storage_policies::test(&state.services, &actor, scope, request.storage_policy).await?;
    Ok(Reply::ok("Storage tested", report.into()))
}

/// Why a policy was not saved: its first step that failed, and what to change.
fn unfit(report: &ProbeReport) -> ApiError {
    let reason = report.first_failure().map_or_else(
        || "could not be tried out".to_owned(),
        |step| format!("is not saved, because `{}` failed: {}", step.name, step.say),
    );
    ApiError::invalid("storage_policy", reason)
}
