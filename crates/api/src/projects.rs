//! Projects: the room in which everything else lives.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::id::OrganisationId;
use domain::project::{ProjectConfig, ProjectKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use services::projects::{Counts, CreatedProject, NewProject, Project, ProjectSummary, ProjectUpdate};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api_keys::CreatedApiKeyResponse;
use crate::auth::{Caller, InProject};
use crate::body::Json;
use crate::envelope::{Envelope, Nothing, Reply};
use crate::error::ApiResult;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;

/// A project to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProjectRequest {
    /// Its name, unique in the organisation.
    name: String,
    /// `outgoing`: events come by API and go to endpoints. `incoming`: events come from providers.
    #[serde(rename = "type")]
    #[schema(example = "outgoing")]
    kind: String,
    /// Address of a picture.
    logo_url: Option<String>,
    /// Settings that differ from the defaults, by key.
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
}

/// A change of a project. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ProjectUpdateRequest {
    /// New name.
    name: Option<String>,
    /// New picture; empty removes it.
    logo_url: Option<String>,
    /// Settings to change, merged key by key.
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
}

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectResponse {
    uid: Uuid,
    organisation_id: Uuid,
    name: String,
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "outgoing")]
    kind: ProjectKind,
    logo_url: String,
    /// Its settings.
    #[schema(value_type = Object)]
    config: ProjectConfig,
    /// Days for which its events are kept; 0 = for ever.
    retention_days: u16,
    /// What it holds; null where it was not counted.
    statistics: Option<StatisticsResponse>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Always null: deleted projects are not shown.
    deleted_at: Option<DateTime<Utc>>,
}

/// What a project holds.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "four keys on the wire")]
pub struct StatisticsResponse {
    events_exist: bool,
    sources_exist: bool,
    endpoints_exist: bool,
    subscriptions_exist: bool,
    /// Number of endpoints.
    endpoints: u64,
    /// Number of subscriptions.
    subscriptions: u64,
    /// Number of sources.
    sources: u64,
}

/// A fresh project with its first API key.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedProjectResponse {
    /// The key in clear; it is shown here only.
    api_key: CreatedApiKeyResponse,
    project: ProjectResponse,
}

impl From<Project> for ProjectResponse {
    fn from(project: Project) -> Self {
        Self {
            uid: project.id.0,
            organisation_id: project.organisation_id.0,
            name: project.name,
            kind: project.kind,
            logo_url: project.logo_url,
            config: project.config,
            retention_days: u16::try_from(project.keep_days.0).unwrap_or(0),
            statistics: None,
            created_at: project.created_at,
            updated_at: project.updated_at,
            deleted_at: None,
        }
    }
}

impl From<ProjectSummary> for ProjectResponse {
    fn from(summary: ProjectSummary) -> Self {
        Self {
            statistics: Some(summary.counts.into()),
            ..summary.project.into()
        }
    }
}

impl From<Counts> for StatisticsResponse {
    fn from(counts: Counts) -> Self {
        Self {
            events_exist: counts.events_exist,
            sources_exist: counts.sources > 0,
            endpoints_exist: counts.endpoints > 0,
            subscriptions_exist: counts.subscriptions > 0,
            endpoints: counts.endpoints,
            subscriptions: counts.subscriptions,
            sources: counts.sources,
        }
    }
}

/// Which organisation's projects.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrganisationParam {
    /// The organisation; may be left out by callers that belong to one only.
    #[param(rename = "orgID", value_type = Option<Uuid>)]
    organisation: Option<OrganisationId>,
}

impl FromQuery for OrganisationParam {
    fn read(params: &mut Params) -> Self {
        Self {
            organisation: params.id("orgID"),
        }
    }
}

/// Lists the projects that the caller may see.
#[utoipa::path(get, path = "/api/v1/projects", operation_id = "GetProjects", tag = "Projects",
    params(OrganisationParam), responses((status = 200, body = Envelope<Vec<ProjectResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    Caller(actor): Caller,
    Query(query): Query<OrganisationParam>,
) -> ApiResult<Reply<Vec<ProjectResponse>>> {
    let projects = services::projects::list(&state.services, &actor, query.organisation).await?;
    Ok(Reply::ok(
        "Projects fetched successfully",
        projects.into_iter().map(Into::into).collect(),
    ))
}

/// Makes a project with its first API key.
#[utoipa::path(post, path = "/api/v1/projects", operation_id = "CreateProject", tag = "Projects",
    params(OrganisationParam), request_body = ProjectRequest,
    responses((status = 201, body = Envelope<CreatedProjectResponse>)))]
pub async fn create(
    State(state): State<ApiState>,
    Caller(actor): Caller,
    Query(query): Query<OrganisationParam>,
    Json(request): Json<ProjectRequest>,
) -> ApiResult<Reply<CreatedProjectResponse>> {
    let new = NewProject {
        organisation: query.organisation,
        name: request.name,
        kind: request.kind,
        logo_url: request.logo_url.unwrap_or_default(),
        config: request.config,
    };
    let CreatedProject { project, api_key } =
        services::projects::create(&state.services, &actor, new).await?;
    let response = CreatedProjectResponse {
        api_key: api_key.into(),
        project: project.into(),
    };
    Ok(Reply::created("Project created successfully", response))
}

/// Shows a project.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}", operation_id = "GetProject", tag = "Projects",
    responses((status = 200, body = Envelope<ProjectResponse>)))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
) -> ApiResult<Reply<ProjectResponse>> {
    let summary = services::projects::get(&state.services, &actor, project).await?;
    Ok(Reply::ok("Project fetched successfully", summary.into()))
}

/// Changes a project.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}", operation_id = "UpdateProject", tag = "Projects",
    request_body = ProjectUpdateRequest, responses((status = 202, body = Envelope<ProjectResponse>)))]
pub async fn update(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<ProjectUpdateRequest>,
) -> ApiResult<Reply<ProjectResponse>> {
    let update = ProjectUpdate {
        name: request.name,
        logo_url: request.logo_url,
        config: request.config,
    };
    let project = services::projects::update(&state.services, &actor, project, update).await?;
    Ok(Reply::changed("Project updated successfully", project.into()))
}

/// Deletes a project: its deliveries stop, its keys stop working.
#[utoipa::path(delete, path = "/api/v1/projects/{projectID}", operation_id = "DeleteProject", tag = "Projects",
    responses((status = 200, body = Envelope<Nothing>)))]
pub async fn delete(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
) -> ApiResult<Reply<Nothing>> {
    services::projects::delete(&state.services, &actor, project, None).await?;
    Ok(Reply::ok("Project deleted successfully", Nothing))
}
