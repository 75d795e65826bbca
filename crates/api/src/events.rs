//! Events: taking them (see [`accept`]), finding them, sending them again.

pub mod accept;

use axum::extract::State;
use domain::id::EventId;
use domain::page::PageRequest;
use serde::Serialize;
use serde_json::Value;
use services::events::EventFilter;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::InProject;
use crate::batches::StartedResponse;
use crate::body::{NUL_REASON, nul_field};
use crate::envelope::{Envelope, List, Reply};
use crate::error::{ApiError, ApiResult};
use crate::path::Id;
use crate::query::{self, FromQuery, PagingParams, Params, Query, WindowParams};
use crate::state::ApiState;
use crate::tier::{Source, Sourced};
use crate::wire::event::EventResponse;

/// Which events.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "names and describes the parameters that `EventQuery` reads"
)]
pub struct EventParams {
    /// Sent to one of these; may be repeated.
    #[param(rename = "endpointId", required = false)]
    endpoint_id: Vec<Uuid>,
    /// From one of these; may be repeated.
    #[param(rename = "sourceId", required = false)]
    source_id: Vec<Uuid>,
    /// For this owner.
    #[param(rename = "ownerId")]
    owner_id: Option<String>,
    /// With this key.
    #[param(rename = "idempotencyKey")]
    idempotency_key: Option<String>,
    /// Of exactly this type.
    #[param(rename = "eventType")]
    event_type: Option<String>,
    /// `Pending`, `Processing`, `Success` or `Failure`; may be repeated.
    #[param(required = false)]
    status: Vec<String>,
    /// Text in id, type, key or payload.
    query: Option<String>,
    /// A JSON object that the payload contains.
    body: Option<String>,
}

/// [`EventParams`] with their window and page.
#[derive(Debug)]
pub struct EventQuery {
    filter: EventFilter,
    page: PageRequest,
}

impl FromQuery for EventQuery {
    fn read(params: &mut Params) -> Self {
        let window = query::window(params);
        let filter = EventFilter {
            from: Some(window.from),
            to: Some(window.to),
            endpoints: params.ids("endpointId"),
            sources: params.ids("sourceId"),
            owner_id: params.text(&["ownerId"]),
            idempotency_key: params.text(&["idempotencyKey"]),
            event_type: params.text(&["eventType", "event_type"]),
            states: params.many(
                &["status"],
                "a status of an event",
                domain::state::EventState::parse,
            ),
            query: params.text(&["query"]),
            body: params.one(&["body"], "a JSON object", object),
        };
        if let Some(body) = &filter.body
            && nul_field(body, "body").is_some()
        {
            params.refuse("body", NUL_REASON);
        }
        Self {
            filter,
            page: query::page(params),
        }
    }
}

/// A JSON object with something in it.
fn object(text: &str) -> Option<Value> {
    serde_json::from_str(text)
        .ok()
        .filter(|value: &Value| value.as_object().is_some_and(|fields| !fields.is_empty()))
}

/// How many.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountResponse {
    /// Counted up to 10,001: more is told as that.
    pub num: i64,
}

/// Lists events, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/events", operation_id = "GetEventsPaged", tag = "Events",
    params(EventParams, WindowParams, PagingParams),
    responses((status = 200, body = Envelope<List<EventResponse>>, headers(
        ("X-Longhaul-Tier" = String, description = "`hot`, `archive` or `mixed`: where the rows came from"),
        ("X-Longhaul-Archive-Requests" = u64, description = "Requests to object stores, when the archive was read"),
        ("X-Longhaul-Archive-Bytes" = u64, description = "Bytes that came from object stores, when the archive was read")))))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Query(EventQuery { filter, page }): Query<EventQuery>,
) -> ApiResult<Sourced<List<EventResponse>>> {
    let found = services::events::read_list(&state.services, &actor, project, &filter, page, true).await?;
    let source = Source::of(&found);
    let known = state.services.catalog.project(project);
    let each = |event| EventResponse::new(event, known.as_deref());
    let reply = Reply::ok("Events fetched successfully", query::list(found.data, page, each));
    Ok((source, reply))
}

/// Shows an event.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/events/{eventID}", operation_id = "GetEndpointEvent",
    tag = "Events", responses((status = 200, body = Envelope<EventResponse>, headers(
        ("X-Longhaul-Tier" = String, description = "`hot`, `archive` or `mixed`: where the rows came from"),
        ("X-Longhaul-Archive-Requests" = u64, description = "Requests to object stores, when the archive was read"),
        ("X-Longhaul-Archive-Bytes" = u64, description = "Bytes that came from object stores, when the archive was read")))))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<EventId>,
) -> ApiResult<Sourced<EventResponse>> {
    let found = services::events::read(&state.services, &actor, project, id).await?;
    let source = Source::of(&found);
    let known = state.services.catalog.project(project);
    let response = EventResponse::new(found.data, known.as_deref());
    Ok((source, Reply::ok("Event fetched successfully", response)))
}

/// Sends an event again to every subscription that matches it now.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/events/{eventID}/replay",
    operation_id = "ReplayEndpointEvent", tag = "Events", responses((status = 200, body = Envelope<EventResponse>)))]
pub async fn replay(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<EventId>,
) -> ApiResult<Reply<EventResponse>> {
    let (event, _) = services::events::replay(&state.services, &actor, project, id).await?;
    let known = state.services.catalog.project(project);
    Ok(Reply::ok(
        "Event replayed successfully",
        EventResponse::new(event, known.as_deref()),
    ))
}

/// Starts to send every matching event again, in the background.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/events/batchreplay", operation_id = "BatchReplayEvents",
    tag = "Events", params(EventParams, WindowParams), responses((status = 200, body = Envelope<StartedResponse>)))]
pub async fn replay_many(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Query(EventQuery { filter, .. }): Query<EventQuery>,
) -> ApiResult<Reply<StartedResponse>> {
    // A search has a time limit, a batch has none.
    for (name, given) in [("query", filter.query.is_some()), ("body", filter.body.is_some())] {
        if given {
            return Err(ApiError::invalid(name, "is not taken by a batch"));
        }
    }
    let batch = services::events::start_batch_replay(&state.services, &actor, project, &filter).await?;
    Ok(Reply::ok("Batch replay processing", batch.into()))
}

/// Counts matching events.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/events/countbatchreplayevents",
    operation_id = "CountAffectedEvents", tag = "Events", params(EventParams, WindowParams),
    responses((status = 200, body = Envelope<CountResponse>)))]
pub async fn count(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Query(EventQuery { filter, .. }): Query<EventQuery>,
) -> ApiResult<Reply<CountResponse>> {
    let num = services::events::count(&state.services, &actor, project, &filter).await?;
    Ok(Reply::ok(
        "Events count fetched successfully",
        CountResponse { num },
    ))
}
