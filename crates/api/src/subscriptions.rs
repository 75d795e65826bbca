//! Subscriptions: which events go to which endpoint.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::filter::FilterSpec;
use domain::id::{EndpointId, SubscriptionId};
use domain::page::PageRequest;
use domain::project::RateLimitConfig;
use domain::retry::RetryPolicy;
use serde::{Deserialize, Serialize};
use services::patch::Patch;
use services::subscriptions::{
    AlertConfig, DeliveryMode, FilterConfig, NewSubscription, RetryInput, Subscription, SubscriptionQuery,
    SubscriptionUpdate,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::InProject;
use crate::body::Json;
use crate::envelope::{Envelope, List, Nothing, Reply};
use crate::error::ApiResult;
use crate::fields::{ScopesRequest, ScopesResponse, Seconds, given};
use crate::path::Id;
use crate::query::{self, FromQuery, PagingParams, Params, Query};
use crate::state::ApiState;
use crate::wire::endpoint::EndpointBriefResponse;

/// A subscription to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SubscriptionRequest {
    /// What people call it.
    name: String,
    /// Where its events go. `app_id` is read as well.
    #[serde(default, alias = "app_id")]
    #[schema(required)]
    endpoint_id: String,
    /// Where its events come from, in an incoming project.
    source_id: Option<String>,
    /// Which events it takes; all when left out.
    filter_config: Option<FilterConfigRequest>,
    /// `at_least_once` (default) or `at_most_once`.
    #[schema(example = "at_least_once")]
    delivery_mode: Option<String>,
    /// When a failed delivery is tried again; the project's strategy when left out.
    retry_config: Option<RetryConfigRequest>,
    /// How many deliveries in how much time; the endpoint's limit when left out.
    rate_limit_config: Option<RateLimitRequest>,
    /// After how many failures in how much time somebody is told.
    alert_config: Option<AlertConfigRequest>,
    /// Not taken by this version.
    function: Option<String>,
}

/// A change of a subscription. What is left out stays as it is; null clears.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SubscriptionUpdateRequest {
    /// New name.
    name: Option<String>,
    /// Another endpoint. `app_id` is read as well.
    #[serde(alias = "app_id")]
    endpoint_id: Option<String>,
    /// Another source.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    source_id: Patch<String>,
    /// Which events it takes: replaces event types and conditions together.
    filter_config: Option<FilterConfigRequest>,
    /// `at_least_once` or `at_most_once`.
    delivery_mode: Option<String>,
    /// Null returns to the project's strategy.
    #[serde(default)]
    #[schema(value_type = Option<RetryConfigRequest>)]
    retry_config: Patch<RetryConfigRequest>,
    /// Null returns to the endpoint's limit.
    #[serde(default)]
    #[schema(value_type = Option<RateLimitRequest>)]
    rate_limit_config: Patch<RateLimitRequest>,
    /// Null: nobody is told.
    #[serde(default)]
    #[schema(value_type = Option<AlertConfigRequest>)]
    alert_config: Patch<AlertConfigRequest>,
    /// Not taken by this version.
    function: Option<String>,
}

/// Which events a subscription takes.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FilterConfigRequest {
    /// Names of event types; empty = every type.
    event_types: Option<Vec<String>>,
    /// Conditions that the events must meet.
    filter: Option<ScopesRequest>,
}

/// When a failed delivery is tried again.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RetryConfigRequest {
    /// `linear`, `exponential` or `list`.
    #[serde(rename = "type", default)]
    #[schema(required, example = "linear")]
    kind: String,
    /// Time between attempts: `10s`.
    duration: Option<String>,
    /// The same in seconds.
    interval_seconds: Option<u32>,
    /// Attempts in all, the first one included.
    retry_count: Option<u32>,
    /// Seconds before each further attempt, for the type `list`.
    intervals: Option<Vec<u32>>,
}

/// So many deliveries in so much time.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RateLimitRequest {
    /// Deliveries in one window; 0 = no limit.
    count: u32,
    /// Length of the window in seconds.
    duration: Seconds,
}

/// So many failures in so much time.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AlertConfigRequest {
    /// Failures.
    #[serde(default)]
    count: u32,
    /// Length of the window.
    #[serde(default)]
    #[schema(example = "1h")]
    threshold: String,
}

/// An event and conditions to try on it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SubscriptionTestRequest {
    /// The parts of the event.
    request: ScopesRequest,
    /// The conditions.
    schema: ScopesRequest,
}

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionResponse {
    uid: Uuid,
    name: String,
    /// Always `api`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    project_id: Uuid,
    endpoint_id: Uuid,
    source_id: Option<Uuid>,
    /// Whether it takes events.
    enabled: bool,
    #[schema(value_type = String, example = "at_least_once")]
    delivery_mode: DeliveryMode,
    filter_config: FilterConfigResponse,
    /// Null = the project's strategy.
    retry_config: Option<RetryConfigResponse>,
    /// Null = the endpoint's limit.
    #[schema(value_type = Option<Object>)]
    rate_limit_config: Option<RateLimitConfig>,
    /// Null = nobody is told.
    #[schema(value_type = Option<Object>)]
    alert_config: Option<AlertConfig>,
    endpoint_metadata: EndpointBriefResponse,
    /// Always null in this version.
    #[schema(value_type = Option<Object>)]
    source_metadata: Option<Nothing>,
    /// Always null: there are no devices.
    #[schema(value_type = Option<Object>)]
    device_metadata: Option<Nothing>,
    /// Always null in this version.
    function: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Always null: deleted subscriptions are not shown.
    deleted_at: Option<DateTime<Utc>>,
}

/// Which events a subscription takes.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterConfigResponse {
    /// Names of event types; `*` = every type.
    event_types: Vec<String>,
    /// The conditions that all its filters share; see its filters when they differ.
    filter: ScopesResponse,
}

/// When a failed delivery is tried again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryConfigResponse {
    /// `linear`, `exponential` or `list`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: &'static str,
    /// Time between attempts.
    #[schema(example = "10s")]
    duration: String,
    /// The same in seconds.
    interval_seconds: u32,
    /// Attempts in all, the first one included.
    retry_count: u32,
    /// Seconds before each further attempt, for the type `list`.
    intervals: Vec<u32>,
}

impl From<RetryPolicy> for RetryConfigResponse {
    fn from(policy: RetryPolicy) -> Self {
        let retry_count = policy.limit();
        let (kind, interval_seconds, intervals) = match policy {
            RetryPolicy::Linear { interval_seconds, .. } => ("linear", interval_seconds, Vec::new()),
            RetryPolicy::Exponential { base_seconds, .. } => ("exponential", base_seconds, Vec::new()),
            RetryPolicy::List { seconds } => ("list", seconds.first().copied().unwrap_or(0), seconds),
        };
        let duration = domain::duration::format(std::time::Duration::from_secs(interval_seconds.into()));
        Self {
            kind,
            duration,
            interval_seconds,
            retry_count,
            intervals,
        }
    }
}

impl From<Subscription> for SubscriptionResponse {
    fn from(subscription: Subscription) -> Self {
        Self {
            uid: subscription.id.0,
            name: subscription.name,
            kind: "api",
            project_id: subscription.project_id.0,
            endpoint_id: subscription.endpoint.id.0,
            source_id: subscription.source_id.map(|id| id.0),
            enabled: subscription.enabled,
            delivery_mode: subscription.delivery_mode,
            filter_config: FilterConfigResponse {
                event_types: subscription.event_types,
                filter: subscription.filter.into(),
            },
            retry_config: subscription.retry.map(Into::into),
            rate_limit_config: subscription.rate_limit,
            alert_config: subscription.alert,
            endpoint_metadata: subscription.endpoint.into(),
            source_metadata: None,
            device_metadata: None,
            function: None,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
            deleted_at: None,
        }
    }
}

impl From<FilterConfigRequest> for FilterConfig {
    fn from(config: FilterConfigRequest) -> Self {
        Self {
            event_types: config.event_types.unwrap_or_default(),
            filter: config.filter.map(FilterSpec::from).unwrap_or_default(),
        }
    }
}

impl From<RetryConfigRequest> for RetryInput {
    fn from(config: RetryConfigRequest) -> Self {
        Self {
            kind: config.kind,
            duration: given(config.duration),
            interval_seconds: config.interval_seconds.filter(|n| *n > 0),
            retry_count: config.retry_count,
            intervals: config.intervals,
        }
    }
}

impl RetryConfigRequest {
    /// SDKs send a shape full of zeros for "not set".
    fn is_blank(&self) -> bool {
        self.kind.is_empty()
            && self.duration.as_deref().unwrap_or_default().is_empty()
            && self.retry_count.unwrap_or(0) == 0
    }
}

impl From<RateLimitRequest> for RateLimitConfig {
    fn from(config: RateLimitRequest) -> Self {
        Self {
            count: config.count,
            duration: config.duration.0,
        }
    }
}

impl From<AlertConfigRequest> for AlertConfig {
    fn from(config: AlertConfigRequest) -> Self {
        Self {
            count: config.count,
            threshold: config.threshold,
        }
    }
}

impl AlertConfigRequest {
    /// SDKs send a shape full of zeros for "not set".
    fn is_blank(&self) -> bool {
        self.count == 0 && self.threshold.is_empty()
    }
}

/// Turns the value of a patch into what the use case takes; a blank value counts as left out.
fn patch<T, U: From<T>>(patch: Patch<T>, is_blank: impl Fn(&T) -> bool) -> Patch<U> {
    match patch {
        Patch::Value(value) if is_blank(&value) => Patch::Absent,
        Patch::Value(value) => Patch::Value(value.into()),
        Patch::Null => Patch::Null,
        Patch::Absent => Patch::Absent,
    }
}

/// Which subscriptions to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SubscriptionParams {
    /// Those of these endpoints; may be repeated.
    #[param(rename = "endpointId", value_type = Vec<Uuid>, required = false)]
    endpoints: Vec<EndpointId>,
    /// Part of the name.
    name: Option<String>,
    #[param(ignore)]
    page: PageRequest,
}

impl FromQuery for SubscriptionParams {
    fn read(params: &mut Params) -> Self {
        Self {
            endpoints: params.ids("endpointId"),
            name: params.text(&["name", "q"]),
            page: query::page(params),
        }
    }
}

/// Lists the subscriptions of a project.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/subscriptions", operation_id = "GetSubscriptions",
    tag = "Subscriptions", params(SubscriptionParams, PagingParams),
    responses((status = 200, body = Envelope<List<SubscriptionResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Query(SubscriptionParams {
        endpoints,
        name,
        page,
    }): Query<SubscriptionParams>,
) -> ApiResult<Reply<List<SubscriptionResponse>>> {
    let query = SubscriptionQuery {
        endpoints,
        name,
        page,
    };
    let found = services::subscriptions::list(&state.services, &actor, project, query).await?;
    Ok(Reply::ok(
        "Subscriptions fetched successfully",
        query::list(found, page, Into::into),
    ))
}

/// Makes a subscription.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/subscriptions", operation_id = "CreateSubscription",
    tag = "Subscriptions", request_body = SubscriptionRequest,
    responses((status = 201, body = Envelope<SubscriptionResponse>)))]
pub async fn create(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<SubscriptionRequest>,
) -> ApiResult<Reply<SubscriptionResponse>> {
    let new = NewSubscription {
        name: request.name,
        endpoint_id: request.endpoint_id,
        source_id: given(request.source_id),
        filter_config: request.filter_config.map(Into::into),
        delivery_mode: given(request.delivery_mode),
        retry_config: request
            .retry_config
            .filter(|config| !config.is_blank())
            .map(Into::into),
        rate_limit_config: request.rate_limit_config.map(Into::into),
        alert_config: request
            .alert_config
            .filter(|config| !config.is_blank())
            .map(Into::into),
        function: given(request.function),
    };
    let subscription = services::subscriptions::create(&state.services, &actor, project, new).await?;
    Ok(Reply::created(
        "Subscription created successfully",
        subscription.into(),
    ))
}

/// Tells whether conditions would take an event.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/subscriptions/test_filter",
    operation_id = "TestSubscriptionFilter", tag = "Subscriptions", request_body = SubscriptionTestRequest,
    responses((status = 200, body = Envelope<bool>)))]
pub async fn test_filter(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(test): Json<SubscriptionTestRequest>,
) -> ApiResult<Reply<bool>> {
    let (request, schema) = (test.request.into(), test.schema.into());
    let taken = services::filters::test_schema(&state.services, &actor, project, &request, &schema).await?;
    Ok(Reply::ok("Subscriptions filter validated successfully", taken))
}

/// Shows a subscription.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}",
    operation_id = "GetSubscription", tag = "Subscriptions",
    responses((status = 200, body = Envelope<SubscriptionResponse>)))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<SubscriptionId>,
) -> ApiResult<Reply<SubscriptionResponse>> {
    let subscription = services::subscriptions::get(&state.services, &actor, project, id).await?;
    Ok(Reply::ok(
        "Subscription fetched successfully",
        subscription.into(),
    ))
}

/// Changes a subscription.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}",
    operation_id = "UpdateSubscription", tag = "Subscriptions", request_body = SubscriptionUpdateRequest,
    responses((status = 202, body = Envelope<SubscriptionResponse>)))]
pub async fn update(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<SubscriptionId>,
    Json(request): Json<SubscriptionUpdateRequest>,
) -> ApiResult<Reply<SubscriptionResponse>> {
    let update = SubscriptionUpdate {
        name: given(request.name),
        endpoint_id: given(request.endpoint_id),
        source_id: patch(request.source_id, String::is_empty),
        filter_config: request.filter_config.map(Into::into),
        delivery_mode: given(request.delivery_mode),
        retry_config: patch(request.retry_config, RetryConfigRequest::is_blank),
        rate_limit_config: patch(request.rate_limit_config, |_| false),
        alert_config: patch(request.alert_config, AlertConfigRequest::is_blank),
        function: given(request.function),
    };
    let subscription = services::subscriptions::update(&state.services, &actor, project, id, update).await?;
    Ok(Reply::changed(
        "Subscription updated successfully",
        subscription.into(),
    ))
}

/// Deletes a subscription.
#[utoipa::path(delete, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}",
    operation_id = "DeleteSubscription", tag = "Subscriptions", responses((status = 200, body = Envelope<Nothing>)))]
pub async fn delete(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<SubscriptionId>,
) -> ApiResult<Reply<Nothing>> {
    services::subscriptions::delete(&state.services, &actor, project, id).await?;
    Ok(Reply::ok("Subscription deleted successfully", Nothing))
}

/// Switches a subscription on or off.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/subscriptions/{subscriptionID}/toggle_status",
    operation_id = "ToggleSubscriptionStatus", tag = "Subscriptions",
    responses((status = 202, body = Envelope<SubscriptionResponse>)))]
pub async fn toggle(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<SubscriptionId>,
) -> ApiResult<Reply<SubscriptionResponse>> {
    let subscription = services::subscriptions::toggle(&state.services, &actor, project, id).await?;
    Ok(Reply::changed(
        "Subscription status updated successfully",
        subscription.into(),
    ))
}
