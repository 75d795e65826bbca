//! Filters: what a subscription takes, one per event type.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::filter::FilterSpec;
use domain::id::{FilterId, SubscriptionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use services::filters::{Filter, FilterUpdate, NewFilter};
use services::patch::Patch;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::InProject;
use crate::body::Json;
use crate::envelope::{Envelope, Nothing, Reply};
use crate::error::{ApiError, ApiResult};
use crate::fields::{ScopesRequest, ScopesResponse};
use crate::path::{EventTypeName, Id};
use crate::state::ApiState;

/// A filter to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FilterRequest {
    /// The event type that it is for; one of the project's.
    #[schema(example = "invoice.paid")]
    event_type: String,
    /// Conditions on headers.
    #[schema(value_type = Option<Object>)]
    headers: Option<Value>,
    /// Conditions on the payload.
    #[schema(value_type = Option<Object>)]
    body: Option<Value>,
    /// Conditions on query parameters.
    #[schema(value_type = Option<Object>)]
    query: Option<Value>,
    /// Conditions on the path.
    #[schema(value_type = Option<Object>)]
    path: Option<Value>,
    /// Since when it counts: now when left out, disabled when null.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    enabled_at: Patch<DateTime<Utc>>,
}

/// A change of a filter. What is left out stays as it is; null removes the conditions of a scope.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FilterUpdateRequest {
    /// The filter. Needed in a list of changes, not read elsewhere.
    uid: Option<String>,
    /// Another event type.
    event_type: Option<String>,
    /// Conditions on headers.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    headers: Patch<Value>,
    /// Conditions on the payload.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    body: Patch<Value>,
    /// Conditions on query parameters.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    query: Patch<Value>,
    /// Conditions on the path.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    path: Patch<Value>,
    /// Null disables it.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    enabled_at: Patch<DateTime<Utc>>,
}

/// An event to try filters on: its payload, or all its parts.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FilterTestRequest {
    /// The payload.
    #[schema(value_type = Option<Object>)]
    payload: Option<Value>,
    /// Headers, payload, query and path.
    request: Option<ScopesRequest>,
}

/// What a try gave.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterTestResponse {
    /// Whether the event would be taken.
    is_match: bool,
}

/// A filter.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterResponse {
    uid: Uuid,
    subscription_id: Uuid,
    event_type: String,
    /// Since when it counts; null = disabled.
    enabled_at: Option<DateTime<Utc>>,
    #[serde(flatten)]
    conditions: ScopesResponse,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<FilterRequest> for NewFilter {
    fn from(request: FilterRequest) -> Self {
        let spec = FilterSpec {
            headers: request.headers,
            body: request.body,
            query: request.query,
            path: request.path,
        };
        Self {
            event_type: request.event_type,
            spec,
            enabled_at: request.enabled_at,
        }
    }
}

impl From<FilterUpdateRequest> for FilterUpdate {
    fn from(request: FilterUpdateRequest) -> Self {
        Self {
            event_type: request.event_type,
            headers: request.headers,
            body: request.body,
            query: request.query,
            path: request.path,
            enabled_at: request.enabled_at,
        }
    }
}

/// The filter that the change at `index` of a list is for.
fn target(index: usize, request: &FilterUpdateRequest) -> ApiResult<FilterId> {
    let reason = if request.uid.is_some() {
        "must be the id of a filter"
    } else {
        "is required"
    };
    let id = request.uid.as_deref().and_then(|uid| uid.parse().ok());
    id.ok_or_else(|| ApiError::invalid(format!("[{index}].uid"), reason))
}

impl From<Filter> for FilterResponse {
    fn from(filter: Filter) -> Self {
        Self {
            uid: filter.id.0,
            subscription_id: filter.subscription_id.0,
            event_type: filter.event_type,
            enabled_at: filter.enabled_at,
            conditions: filter.spec.into(),
            created_at: filter.created_at,
            updated_at: filter.updated_at,
        }
    }
}

fn responses(filters: Vec<Filter>) -> Vec<FilterResponse> {
    filters.into_iter().map(Into::into).collect()
}

/// Lists the filters of a subscription by event type.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/filters",
    operation_id = "GetFilters", tag = "Filters", responses((status = 200, body = Envelope<Vec<FilterResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(subscription): Id<SubscriptionId>,
) -> ApiResult<Reply<Vec<FilterResponse>>> {
    let filters = services::filters::list(&state.services, &actor, project, subscription).await?;
    Ok(Reply::ok("Filters fetched successfully", responses(filters)))
}

/// Makes a filter.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/filters",
    operation_id = "CreateFilter", tag = "Filters", request_body = FilterRequest,
    responses((status = 201, body = Envelope<FilterResponse>)))]
pub async fn create(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(subscription): Id<SubscriptionId>,
    Json(request): Json<FilterRequest>,
) -> ApiResult<Reply<FilterResponse>> {
    let filter =
        services::filters::create(&state.services, &actor, project, subscription, request.into()).await?;
    Ok(Reply::created("Filter created successfully", filter.into()))
}

/// Makes several filters, all or none.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/filters/bulk",
    operation_id = "BulkCreateFilters", tag = "Filters", request_body = Vec<FilterRequest>,
    responses((status = 201, body = Envelope<Vec<FilterResponse>>)))]
pub async fn create_many(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(subscription): Id<SubscriptionId>,
    Json(requests): Json<Vec<FilterRequest>>,
) -> ApiResult<Reply<Vec<FilterResponse>>> {
    let new = requests.into_iter().map(Into::into).collect();
    let filters = services::filters::create_many(&state.services, &actor, project, subscription, new).await?;
    Ok(Reply::created("Filters created successfully", responses(filters)))
}

/// Changes several filters, all or none.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/filters/bulk_update",
    operation_id = "BulkUpdateFilters", tag = "Filters", request_body = Vec<FilterUpdateRequest>,
    responses((status = 200, body = Envelope<Vec<FilterResponse>>)))]
pub async fn update_many(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(subscription): Id<SubscriptionId>,
    Json(requests): Json<Vec<FilterUpdateRequest>>,
) -> ApiResult<Reply<Vec<FilterResponse>>> {
    let updates = requests
        .into_iter()
        .enumerate()
        .map(|(index, request)| Ok((target(index, &request)?, request.into())))
        .collect::<ApiResult<_>>()?;
    let filters =
        services::filters::update_many(&state.services, &actor, project, subscription, updates).await?;
    Ok(Reply::ok("Filters updated successfully", responses(filters)))
}

/// Changes several filters, all or none. The same as PUT.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/filters/bulk_update",
    operation_id = "BulkUpdateFiltersPost", tag = "Filters", request_body = Vec<FilterUpdateRequest>,
    responses((status = 200, body = Envelope<Vec<FilterResponse>>)))]
pub async fn update_many_post(
    state: State<ApiState>,
    place: InProject,
    subscription: Id<SubscriptionId>,
    requests: Json<Vec<FilterUpdateRequest>>,
) -> ApiResult<Reply<Vec<FilterResponse>>> {
    update_many(state, place, subscription, requests).await
}

/// Tells whether the subscription's filters would take an event of this type.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/filters/test/{eventType}",
    operation_id = "TestFilter", tag = "Filters", request_body = FilterTestRequest,
    responses((status = 200, body = Envelope<FilterTestResponse>)))]
pub async fn test(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(subscription): Id<SubscriptionId>,
    EventTypeName(event_type): EventTypeName,
    Json(test): Json<FilterTestRequest>,
) -> ApiResult<Reply<FilterTestResponse>> {
    let request = match (test.request, test.payload) {
        (Some(request), _) => request.into(),
        (None, Some(payload)) => FilterSpec {
            body: Some(payload),
            ..FilterSpec::default()
        },
        (None, None) => {
            return Err(ApiError::invalid(
                "payload",
                "is required, or request with its parts",
            ));
        }
    };
    let is_match = services::filters::test_event(
        &state.services,
        &actor,
        project,
        subscription,
        &event_type,
        &request,
    )
    .await?;
    Ok(Reply::ok(
        "Filter test completed",
        FilterTestResponse { is_match },
    ))
}

/// Shows a filter.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/filters/{filterID}",
    operation_id = "GetFilter", tag = "Filters", responses((status = 200, body = Envelope<FilterResponse>)))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(subscription): Id<SubscriptionId>,
    Id(filter): Id<FilterId>,
) -> ApiResult<Reply<FilterResponse>> {
    let filter = services::filters::get(&state.services, &actor, project, subscription, filter).await?;
    Ok(Reply::ok("Filter fetched successfully", filter.into()))
}

/// Changes a filter.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/filters/{filterID}",
    operation_id = "UpdateFilter", tag = "Filters", request_body = FilterUpdateRequest,
    responses((status = 200, body = Envelope<FilterResponse>)))]
pub async fn update(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(subscription): Id<SubscriptionId>,
    Id(filter): Id<FilterId>,
    Json(request): Json<FilterUpdateRequest>,
) -> ApiResult<Reply<FilterResponse>> {
    let filter = services::filters::update(
        &state.services,
        &actor,
        project,
        subscription,
        filter,
        request.into(),
    )
    .await?;
    Ok(Reply::ok("Filter updated successfully", filter.into()))
}

/// Deletes a filter.
#[utoipa::path(delete, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/filters/{filterID}",
    operation_id = "DeleteFilter", tag = "Filters", responses((status = 200, body = Envelope<Nothing>)))]
pub async fn delete(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(subscription): Id<SubscriptionId>,
    Id(filter): Id<FilterId>,
) -> ApiResult<Reply<Nothing>> {
    services::filters::delete(&state.services, &actor, project, subscription, filter).await?;
    Ok(Reply::ok("Filter deleted successfully", Nothing))
}
