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
    responses((status = 200, body = Envelope<Vec<DeliveryAttemptResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<DeliveryId>,
    Query(AttemptParams { per_page }): Query<AttemptParams>,
) -> ApiResult<Reply<Vec<DeliveryAttemptResponse>>> {
    // An attempt does not carry its endpoint, its delivery does.
    let delivery = services::deliveries::get(&state.services, &actor, project, id).await?;
    let attempts = services::deliveries::attempts(&state.services, &actor, project, id).await?;
    let older = per_page.map_or(0, |most| attempts.len().saturating_sub(most));
    let newest = attempts.into_iter().skip(older);
    let responses = newest
        .map(|attempt| DeliveryAttemptResponse::new(attempt, delivery.endpoint_id))
        .collect();
    Ok(Reply::ok(
        "App event delivery attempts fetched successfully",
        responses,
    ))
}

/// Shows an attempt.
#[utoipa::path(get,
    path = "/api/v1/projects/{projectID}/eventdeliveries/{eventDeliveryID}/deliveryattempts/{deliveryAttemptID}",
    operation_id = "GetDeliveryAttempt", tag = "Delivery Attempts",
    responses((status = 200, body = Envelope<DeliveryAttemptResponse>)))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<DeliveryId>,
    Id(attempt): Id<AttemptId>,
) -> ApiResult<Reply<DeliveryAttemptResponse>> {
    let delivery = services::deliveries::get(&state.services, &actor, project, id).await?;
    let attempt = services::deliveries::attempt(&state.services, &actor, project, id, attempt).await?;
    let response = DeliveryAttemptResponse::new(attempt, delivery.endpoint_id);
    Ok(Reply::ok(
        "App event delivery attempt fetched successfully",
        response,
    ))
}
