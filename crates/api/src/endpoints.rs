//! Endpoints: where deliveries go.

use axum::extract::State;
use domain::id::EndpointId;
use domain::page::PageRequest;
use services::endpoints::{Endpoint, EndpointQuery, Rotation};
use utoipa::IntoParams;

use crate::auth::InProject;
use crate::body::Json;
use crate::envelope::{Envelope, List, Nothing, Reply};
use crate::error::ApiResult;
use crate::fields::given;
use crate::path::Id;
use crate::query::{self, FromQuery, PagingParams, Params, Query};
use crate::state::ApiState;
use crate::version::Version;
use crate::wire::endpoint::{EndpointRequest, EndpointResponse, EndpointUpdateRequest, RotationRequest};

/// Which endpoints to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EndpointParams {
    /// Part of the name.
    q: Option<String>,
    /// Those that carry this owner id.
    #[param(rename = "ownerId")]
    owner_id: Option<String>,
    #[param(ignore)]
    page: PageRequest,
}

impl FromQuery for EndpointParams {
    fn read(params: &mut Params) -> Self {
        Self {
            q: params.text(&["q"]),
            owner_id: params.text(&["ownerId", "owner_id"]),
            page: query::page(params),
        }
    }
}

/// Lists the endpoints of a project.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/endpoints", operation_id = "GetEndpoints",
    tag = "Endpoints", params(EndpointParams, PagingParams),
    responses((status = 200, body = Envelope<List<EndpointResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    version: Version,
    Query(EndpointParams { q, owner_id, page }): Query<EndpointParams>,
) -> ApiResult<Reply<List<EndpointResponse>>> {
    let query = EndpointQuery { q, owner_id, page };
    let found = services::endpoints::list(&state.services, &actor, project, query).await?;
    let each = |endpoint| EndpointResponse::new(endpoint, version);
    Ok(Reply::ok(
        "Endpoints fetched successfully",
        query::list(found, page, each),
    ))
}

/// Makes an endpoint.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/endpoints", operation_id = "CreateEndpoint",
    tag = "Endpoints", request_body = EndpointRequest, responses((status = 201, body = Envelope<EndpointResponse>)))]
pub async fn create(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    version: Version,
    Json(request): Json<EndpointRequest>,
) -> ApiResult<Reply<EndpointResponse>> {
    let endpoint =
        services::endpoints::create(&state.services, &actor, project, request.into_new(version)).await?;
    Ok(Reply::created(
        "Endpoint created successfully",
        EndpointResponse::new(endpoint, version),
    ))
}

/// Shows an endpoint.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/endpoints/{endpointID}", operation_id = "GetEndpoint",
    tag = "Endpoints", responses((status = 200, body = Envelope<EndpointResponse>)))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    version: Version,
    Id(id): Id<EndpointId>,
) -> ApiResult<Reply<EndpointResponse>> {
    let endpoint = services::endpoints::get(&state.services, &actor, project, id).await?;
    Ok(Reply::ok(
        "Endpoint fetched successfully",
        EndpointResponse::new(endpoint, version),
    ))
}

/// Changes an endpoint.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/endpoints/{endpointID}", operation_id = "UpdateEndpoint",
    tag = "Endpoints", request_body = EndpointUpdateRequest,
    responses((status = 202, body = Envelope<EndpointResponse>)))]
pub async fn update(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    version: Version,
    Id(id): Id<EndpointId>,
    Json(request): Json<EndpointUpdateRequest>,
) -> ApiResult<Reply<EndpointResponse>> {
    let endpoint = services::endpoints::update(&state.services, &actor, project, id, request.into()).await?;
    Ok(changed("Endpoint updated successfully", endpoint, version))
}

/// Deletes an endpoint.
#[utoipa::path(delete, path = "/api/v1/projects/{projectID}/endpoints/{endpointID}", operation_id = "DeleteEndpoint",
    tag = "Endpoints", responses((status = 200, body = Envelope<Nothing>)))]
pub async fn delete(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<EndpointId>,
) -> ApiResult<Reply<Nothing>> {
    services::endpoints::delete(&state.services, &actor, project, id).await?;
    Ok(Reply::ok("Endpoint deleted successfully", Nothing))
}

/// Replaces the signing secret; the old one keeps signing for a while.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/endpoints/{endpointID}/expire_secret",
    operation_id = "ExpireSecret", tag = "Endpoints", request_body = RotationRequest,
    responses((status = 200, body = Envelope<EndpointResponse>)))]
pub async fn expire_secret(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    version: Version,
    Id(id): Id<EndpointId>,
    Json(request): Json<RotationRequest>,
) -> ApiResult<Reply<EndpointResponse>> {
    let rotation = Rotation {
        secret: given(request.secret),
        expiration: request.expiration.0,
    };
    let endpoint = services::endpoints::rotate_secret(&state.services, &actor, project, id, rotation).await?;
    Ok(Reply::ok(
        "Endpoint secret expired successfully",
        EndpointResponse::new(endpoint, version),
    ))
}

/// Pauses an active endpoint, or activates a paused one. Deliveries of a paused endpoint wait.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/endpoints/{endpointID}/pause",
    operation_id = "PauseEndpoint", tag = "Endpoints", responses((status = 202, body = Envelope<EndpointResponse>)))]
pub async fn pause(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    version: Version,
    Id(id): Id<EndpointId>,
) -> ApiResult<Reply<EndpointResponse>> {
    let endpoint = services::endpoints::toggle_pause(&state.services, &actor, project, id).await?;
    Ok(changed("Endpoint status updated successfully", endpoint, version))
}

/// Activates an endpoint that is inactive or paused.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/endpoints/{endpointID}/activate",
    operation_id = "ActivateEndpoint", tag = "Endpoints",
    responses((status = 202, body = Envelope<EndpointResponse>)))]
pub async fn activate(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    version: Version,
    Id(id): Id<EndpointId>,
) -> ApiResult<Reply<EndpointResponse>> {
    let endpoint = services::endpoints::activate(&state.services, &actor, project, id).await?;
    Ok(changed("Endpoint status updated successfully", endpoint, version))
}

fn changed(message: &'static str, endpoint: Endpoint, version: Version) -> Reply<EndpointResponse> {
    Reply::changed(message, EndpointResponse::new(endpoint, version))
}
