//! Delivery attempts: every request made for a delivery, with its answer.

use axum::extract::State;
use domain::id::{AttemptId, DeliveryId};
use utoipa::IntoParams;

use crate::auth::InProject;
use crate::envelope::{Envelope, Reply};
use crate::error::ApiResult;
use crate::path::Id;
use crate::query::{FromQuery, Params, Query};
use crate::state::ApiState;
use crate::tier::{Source, Sourced};
use crate::wire::attempt::DeliveryAttemptResponse;

/// How many attempts.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AttemptParams {
    /// At most so many, the newest ones; 1,000 when left out.
    #[param(rename = "perPage", minimum = 1, maximum = 1000)]
    per_page: Option<usize>,
}

impl FromQuery for AttemptParams {
    fn read(params: &mut Params) -> Self {
        let read = |text: &str| text.parse().ok();
        Self {
            per_page: params
                .one(&["perPage"], "a whole number", read)
                .filter(|n| *n > 0),
        }
    }
}

/// Lists the attempts of a delivery, oldest first.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/eventdeliveries/{eventDeliveryID}/deliveryattempts",
    operation_id = "GetDeliveryAttempts", tag = "Delivery Attempts", params(AttemptParams),
    responses((status = 200, body = Envelope<Vec<DeliveryAttemptResponse>>, headers(
        ("X-Longhaul-Tier" = String, description = "`hot`, `archive` or `mixed`: where the rows came from"),
        ("X-Longhaul-Archive-Requests" = u64, description = "Requests to object stores, when the archive was read"),
        ("X-Longhaul-Archive-Bytes" = u64, description = "Bytes that came from object stores, when the archive was read")))))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<DeliveryId>,
    Query(AttemptParams { per_page }): Query<AttemptParams>,
) -> ApiResult<Sourced<Vec<DeliveryAttemptResponse>>> {
    let found = services::deliveries::read_attempts(&state.services, &actor, project, id).await?;
    let source = Source::of(&found);
    // An attempt does not carry its endpoint, its delivery does.
    let (delivery, attempts) = found.data;
    let older = per_page.map_or(0, |most| attempts.len().saturating_sub(most));
    let newest = attempts.into_iter().skip(older);
    let responses = newest
        .map(|attempt| DeliveryAttemptResponse::new(attempt, delivery.endpoint_id))
        .collect();
    let reply = Reply::ok("App event delivery attempts fetched successfully", responses);
    Ok((source, reply))
}

/// Shows an attempt.
#[utoipa::path(get,
    path = "/api/v1/projects/{projectID}/eventdeliveries/{eventDeliveryID}/deliveryattempts/{deliveryAttemptID}",
    operation_id = "GetDeliveryAttempt", tag = "Delivery Attempts",
    responses((status = 200, body = Envelope<DeliveryAttemptResponse>, headers(
        ("X-Longhaul-Tier" = String, description = "`hot`, `archive` or `mixed`: where the rows came from"),
        ("X-Longhaul-Archive-Requests" = u64, description = "Requests to object stores, when the archive was read"),
        ("X-Longhaul-Archive-Bytes" = u64, description = "Bytes that came from object stores, when the archive was read")))))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<DeliveryId>,
    Id(attempt): Id<AttemptId>,
) -> ApiResult<Sourced<DeliveryAttemptResponse>> {
    let found = services::deliveries::read_attempt(&state.services, &actor, project, id, attempt).await?;
    let source = Source::of(&found);
    let (delivery, attempt) = found.data;
    let response = DeliveryAttemptResponse::new(attempt, delivery.endpoint_id);
    let reply = Reply::ok("App event delivery attempt fetched successfully", response);
    Ok((source, reply))
}
