//! Event deliveries: what became of events at endpoints, and sending again.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::id::DeliveryId;
use domain::page::PageRequest;
use serde::{Deserialize, Serialize};
use services::Error;
use services::deliveries::DeliveryFilter;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::InProject;
use crate::batches::StartedResponse;
use crate::body::{Json, OptionalJson};
use crate::envelope::{Envelope, List, Nothing, Reply};
use crate::error::ApiResult;
use crate::events::CountResponse;
use crate::path::Id;
use crate::query::{self, FromQuery, PagingParams, Params, Query, WindowParams};
use crate::state::ApiState;
use crate::tier::{Source, Sourced};
use crate::wire::delivery::EventDeliveryResponse;

/// Which deliveries.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "names and describes the parameters that `DeliveryQuery` reads"
)]
pub struct DeliveryParams {
    /// To one of these; may be repeated.
    #[param(rename = "endpointId", required = false)]
    endpoint_id: Vec<Uuid>,
    /// Of this event.
    #[param(rename = "eventId")]
    event_id: Option<Uuid>,
    /// Because of this subscription.
    #[param(rename = "subscriptionId")]
    subscription_id: Option<Uuid>,
    /// Of an event with this key.
    #[param(rename = "idempotencyKey")]
    idempotency_key: Option<String>,
    /// Of exactly this type. `event_type` is read as well.
    #[param(rename = "eventType")]
    event_type: Option<String>,
    /// `Scheduled`, `Processing`, `Retry`, `Success`, `Failure` or `Discarded`; may be repeated.
    #[param(required = false)]
    status: Vec<String>,
}

/// [`DeliveryParams`] with their window and page.
#[derive(Debug)]
pub struct DeliveryQuery {
    filter: DeliveryFilter,
    page: PageRequest,
}

impl FromQuery for DeliveryQuery {
    fn read(params: &mut Params) -> Self {
        let window = query::window(params);
        let filter = DeliveryFilter {
            from: Some(window.from),
            to: Some(window.to),
            ids: Vec::new(),
            endpoints: params.ids("endpointId"),
            event_id: params.id("eventId"),
            subscription_id: params.id("subscriptionId"),
            event_type: params.text(&["eventType", "event_type"]),
            states: params.many(
                &["status"],
                "a status of a delivery",
                domain::state::DeliveryState::parse,
            ),
            idempotency_key: params.text(&["idempotencyKey"]),
        };
        Self {
            filter,
            page: query::page(params),
        }
    }
}

/// Deliveries by id.
#[derive(Debug, Deserialize, ToSchema)]
pub struct IdsRequest {
    /// Their ids.
    ids: Vec<Uuid>,
}

/// Deliveries by id, or those that the query names.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct BatchRetryRequest {
    /// Their ids; the query is not read then.
    ids: Option<Vec<Uuid>>,
}

/// Deliveries per status.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusTotalsResponse {
    /// Each counted up to 10,001: more is told as that.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    totals: BTreeMap<&'static str, i64>,
    /// Always `live`: counted for this answer.
    #[schema(value_type = String)]
    source: &'static str,
}

/// Lists deliveries, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/eventdeliveries", operation_id = "GetEventDeliveriesPaged",
    tag = "Event Deliveries", params(DeliveryParams, WindowParams, PagingParams),
    responses((status = 200, body = Envelope<List<EventDeliveryResponse>>, headers(
        ("X-Longhaul-Tier" = String, description = "`hot`, `archive` or `mixed`: where the rows came from"),
        ("X-Longhaul-Archive-Requests" = u64, description = "Requests to object stores, when the archive was read"),
        ("X-Longhaul-Archive-Bytes" = u64, description = "Bytes that came from object stores, when the archive was read")))))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Query(DeliveryQuery { filter, page }): Query<DeliveryQuery>,
) -> ApiResult<Sourced<List<EventDeliveryResponse>>> {
    let found = services::deliveries::read_list(&state.services, &actor, project, &filter, page).await?;
    let source = Source::of(&found);
    let known = state.services.catalog.project(project);
    let longest = state.services.options.delivery.max_retry_seconds;
    let each = |delivery| EventDeliveryResponse::new(delivery, None, known.as_deref(), longest);
    let list = query::list(found.data, page, each);
    Ok((source, Reply::ok("Event deliveries fetched successfully", list)))
}

/// Shows a delivery with what is sent.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/eventdeliveries/{eventDeliveryID}",
    operation_id = "GetEventDelivery", tag = "Event Deliveries",
    responses((status = 200, body = Envelope<EventDeliveryResponse>, headers(
        ("X-Longhaul-Tier" = String, description = "`hot`, `archive` or `mixed`: where the rows came from"),
        ("X-Longhaul-Archive-Requests" = u64, description = "Requests to object stores, when the archive was read"),
        ("X-Longhaul-Archive-Bytes" = u64, description = "Bytes that came from object stores, when the archive was read")))))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<DeliveryId>,
) -> ApiResult<Sourced<EventDeliveryResponse>> {
    let found = services::deliveries::read(&state.services, &actor, project, id).await?;
    // What is sent stands with the event, which a delivery may outlive.
    let found = match services::events::read(&state.services, &actor, project, found.data.event_id).await {
        Ok(event) => found.and(event.map(Some)),
        Err(Error::NotFound(_)) => found.map(|delivery| (delivery, None)),
        Err(error) => return Err(error.into()),
    };
    let source = Source::of(&found);
    let (delivery, event) = found.data;
    let known = state.services.catalog.project(project);
    let longest = state.services.options.delivery.max_retry_seconds;
    let response = EventDeliveryResponse::new(delivery, event, known.as_deref(), longest);
    Ok((source, Reply::ok("Event delivery fetched successfully", response)))
}

/// Sends a failed or discarded delivery again.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/eventdeliveries/{eventDeliveryID}/resend",
    operation_id = "ResendEventDelivery", tag = "Event Deliveries",
    responses((status = 200, body = Envelope<EventDeliveryResponse>)))]
pub async fn resend(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<DeliveryId>,
) -> ApiResult<Reply<EventDeliveryResponse>> {
    let delivery = services::deliveries::resend(&state.services, &actor, project, id).await?;
    let known = state.services.catalog.project(project);
    let longest = state.services.options.delivery.max_retry_seconds;
    let response = EventDeliveryResponse::new(delivery, None, known.as_deref(), longest);
    Ok(Reply::ok("App event processed for retry successfully", response))
}

/// Sends deliveries again that had ended well.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/eventdeliveries/forceresend",
    operation_id = "ForceResendEventDeliveries", tag = "Event Deliveries", request_body = IdsRequest,
    responses((status = 200, body = Envelope<Nothing>)))]
pub async fn force_resend(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<IdsRequest>,
) -> ApiResult<Reply<Nothing>> {
    let ids: Vec<DeliveryId> = request.ids.into_iter().map(DeliveryId).collect();
    let (taken, left) = services::deliveries::force_resend(&state.services, &actor, project, &ids).await?;
    Ok(Reply::ok(format!("{taken} successful, {left} failed"), Nothing))
}

/// Starts to send every matching delivery again, in the background.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/eventdeliveries/batchretry",
    operation_id = "BatchRetryEventDelivery", tag = "Event Deliveries", params(DeliveryParams, WindowParams),
    request_body = Option<BatchRetryRequest>, responses((status = 200, body = Envelope<StartedResponse>)))]
pub async fn retry_many(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Query(DeliveryQuery { filter, .. }): Query<DeliveryQuery>,
    OptionalJson(request): OptionalJson<BatchRetryRequest>,
) -> ApiResult<Reply<StartedResponse>> {
    let filter = match request.ids {
        Some(ids) if !ids.is_empty() => DeliveryFilter {
            ids: ids.into_iter().map(DeliveryId).collect(),
            ..DeliveryFilter::default()
        },
        _ => filter,
    };
    let batch = services::deliveries::start_batch_retry(&state.services, &actor, project, &filter).await?;
    Ok(Reply::ok("Batch retry processing", batch.into()))
}

/// Starts to send every matching delivery again, in the background. The same as POST.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/eventdeliveries/batchretry",
    operation_id = "BatchRetryEventDeliveryPut", tag = "Event Deliveries", params(DeliveryParams, WindowParams),
    request_body = Option<BatchRetryRequest>, responses((status = 200, body = Envelope<StartedResponse>)))]
pub async fn retry_many_put(
    state: State<ApiState>,
    place: InProject,
    query: Query<DeliveryQuery>,
    request: OptionalJson<BatchRetryRequest>,
) -> ApiResult<Reply<StartedResponse>> {
    retry_many(state, place, query, request).await
}

/// Counts matching deliveries that can be sent again: those in the archive cannot.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/eventdeliveries/countbatchretryevents",
    operation_id = "CountAffectedDeliveries", tag = "Event Deliveries", params(DeliveryParams, WindowParams),
    responses((status = 200, body = Envelope<CountResponse>)))]
pub async fn count(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Query(DeliveryQuery { filter, .. }): Query<DeliveryQuery>,
) -> ApiResult<Reply<CountResponse>> {
    let num = services::deliveries::count(&state.services, &actor, project, &filter).await?;
    Ok(Reply::ok(
        "Event delivery count fetched successfully",
        CountResponse { num },
    ))
}

/// Counts matching deliveries per status.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/eventdeliveries/statustotals",
    operation_id = "GetEventDeliveryStatusTotals", tag = "Event Deliveries", params(DeliveryParams, WindowParams),
    responses((status = 200, body = Envelope<StatusTotalsResponse>)))]
pub async fn totals(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Query(DeliveryQuery { filter, .. }): Query<DeliveryQuery>,
) -> ApiResult<Reply<StatusTotalsResponse>> {
    let totals = services::deliveries::totals(&state.services, &actor, project, &filter).await?;
    Ok(Reply::ok(
        "Event delivery totals fetched successfully",
        StatusTotalsResponse {
            totals,
            source: "live",
        },
    ))
}
