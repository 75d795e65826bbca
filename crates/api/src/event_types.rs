//! Event types: the names that events of a project go by.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::id::EventTypeId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use services::event_types::{EventType, EventTypeUpdate, NewEventType};
use services::patch::Patch;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::InProject;
use crate::body::Json;
use crate::envelope::{Envelope, Reply};
use crate::error::ApiResult;
use crate::path::Id;
use crate::state::ApiState;

/// An event type to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EventTypeRequest {
    /// Its name, unique in the project; `*` is taken.
    #[schema(example = "invoice.paid")]
    name: String,
    /// A heading to group types by.
    category: Option<String>,
    /// What it means.
    description: Option<String>,
    /// What its payloads look like.
    #[schema(value_type = Option<Object>)]
    json_schema: Option<Value>,
}

/// A change of an event type. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EventTypeUpdateRequest {
    /// New heading.
    category: Option<String>,
    /// New meaning.
    description: Option<String>,
    /// New schema; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    json_schema: Patch<Value>,
}

/// An OpenAPI document to take event types from.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ImportRequest {
    /// The document as text, JSON or YAML. Its `webhooks` section is read.
    spec: String,
}

/// An event type.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventTypeResponse {
    uid: Uuid,
    project_id: Uuid,
    name: String,
    category: String,
    description: String,
    /// What its payloads look like; null when that was not told.
    #[schema(value_type = Option<Object>)]
    json_schema: Option<Value>,
    /// Since when it should not be used any more.
    deprecated_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<EventType> for EventTypeResponse {
    fn from(event_type: EventType) -> Self {
        Self {
            uid: event_type.id.0,
            project_id: event_type.project_id.0,
            name: event_type.name,
            category: event_type.category,
            description: event_type.description,
            json_schema: event_type.json_schema,
            deprecated_at: event_type.deprecated_at,
            created_at: event_type.created_at,
            updated_at: event_type.updated_at,
        }
    }
}

/// Lists the event types of a project by name.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/event-types", operation_id = "GetEventTypes",
    tag = "Event Types", responses((status = 200, body = Envelope<Vec<EventTypeResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
) -> ApiResult<Reply<Vec<EventTypeResponse>>> {
    let types = services::event_types::list(&state.services, &actor, project).await?;
    Ok(Reply::ok(
        "Event types fetched successfully",
        types.into_iter().map(Into::into).collect(),
    ))
}

/// Makes an event type.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/event-types", operation_id = "CreateEventType",
    tag = "Event Types", request_body = EventTypeRequest,
    responses((status = 201, body = Envelope<EventTypeResponse>)))]
pub async fn create(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<EventTypeRequest>,
) -> ApiResult<Reply<EventTypeResponse>> {
    let new = NewEventType {
        name: request.name,
        category: request.category.unwrap_or_default(),
        description: request.description.unwrap_or_default(),
        json_schema: request.json_schema,
    };
    let event_type = services::event_types::create(&state.services, &actor, project, new).await?;
    Ok(Reply::created(
        "Event type created successfully",
        event_type.into(),
    ))
}

/// Changes an event type.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/event-types/{eventTypeId}", operation_id = "UpdateEventType",
    tag = "Event Types", request_body = EventTypeUpdateRequest,
    responses((status = 202, body = Envelope<EventTypeResponse>)))]
pub async fn update(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<EventTypeId>,
    Json(request): Json<EventTypeUpdateRequest>,
) -> ApiResult<Reply<EventTypeResponse>> {
    let update = EventTypeUpdate {
        category: request.category,
        description: request.description,
        json_schema: request.json_schema,
    };
    let event_type = services::event_types::update(&state.services, &actor, project, id, update).await?;
    Ok(Reply::changed(
        "Event type updated successfully",
        event_type.into(),
    ))
}

/// Marks an event type as one that should not be used any more.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/event-types/{eventTypeId}/deprecate",
    operation_id = "DeprecateEventType", tag = "Event Types",
    responses((status = 200, body = Envelope<EventTypeResponse>)))]
pub async fn deprecate(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<EventTypeId>,
) -> ApiResult<Reply<EventTypeResponse>> {
    let event_type = services::event_types::deprecate(&state.services, &actor, project, id).await?;
    Ok(Reply::ok("Event type deprecated successfully", event_type.into()))
}

/// Makes or updates one event type per webhook of an OpenAPI document.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/event-types/import", operation_id = "ImportOpenApiSpec",
    tag = "Event Types", request_body = ImportRequest,
    responses((status = 200, body = Envelope<Vec<EventTypeResponse>>)))]
pub async fn import(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<ImportRequest>,
) -> ApiResult<Reply<Vec<EventTypeResponse>>> {
    let types = services::event_types::import(&state.services, &actor, project, &request.spec).await?;
    Ok(Reply::ok(
        "Event types imported successfully",
        types.into_iter().map(Into::into).collect(),
    ))
}
