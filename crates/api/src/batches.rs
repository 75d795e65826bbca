//! Batches: the progress of retries and replays of many.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::id::BatchId;
use serde::Serialize;
use serde_json::Value;
use services::batches::Batch;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::InProject;
use crate::envelope::{Envelope, Reply};
use crate::error::ApiResult;
use crate::path::Id;
use crate::state::ApiState;

/// A batch that was put to work.
#[derive(Debug, Serialize, ToSchema)]
pub struct StartedResponse {
    /// Its id: see `GET .../batches/{batchID}`.
    uid: Uuid,
}

impl From<BatchId> for StartedResponse {
    fn from(id: BatchId) -> Self {
        Self { uid: id.0 }
    }
}

/// A batch and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchResponse {
    uid: Uuid,
    project_id: Uuid,
    /// `retry` (deliveries) or `replay` (events).
    #[serde(rename = "type")]
    #[schema(example = "retry")]
    kind: String,
    /// `pending`, `processing`, `completed`, `failed` or `cancelled`.
    #[schema(example = "processing")]
    status: String,
    /// Which ones it takes.
    #[schema(value_type = Object)]
    filter: Value,
    /// Sent again so far.
    processed_events: i64,
    /// Not sent again: gone, or not in a state to be sent.
    failed_events: i64,
    /// Why it failed; empty otherwise.
    error: String,
    created_at: DateTime<Utc>,
    /// When it ended.
    completed_at: Option<DateTime<Utc>>,
}

impl From<Batch> for BatchResponse {
    fn from(batch: Batch) -> Self {
        Self {
            uid: batch.id.0,
            project_id: batch.project_id.0,
            kind: batch.kind,
            status: batch.state,
            filter: batch.filter,
            processed_events: batch.processed,
            failed_events: batch.failed,
            error: batch.error.unwrap_or_default(),
            created_at: batch.created_at,
            completed_at: batch.completed_at,
        }
    }
}

/// Lists the newest batches of a project.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/batches", operation_id = "GetBatches", tag = "Batches",
    responses((status = 200, body = Envelope<Vec<BatchResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
) -> ApiResult<Reply<Vec<BatchResponse>>> {
    let batches = services::batches::list(&state.services, &actor, project).await?;
    Ok(Reply::ok(
        "Batches fetched successfully",
        batches.into_iter().map(Into::into).collect(),
    ))
}

/// Shows a batch and how far it is.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/batches/{batchID}", operation_id = "GetBatch",
    tag = "Batches", responses((status = 200, body = Envelope<BatchResponse>)))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<BatchId>,
) -> ApiResult<Reply<BatchResponse>> {
    let batch = services::batches::get(&state.services, &actor, project, id).await?;
    Ok(Reply::ok("Batch fetched successfully", batch.into()))
}

/// Stops a batch behind its last step.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/batches/{batchID}/cancel", operation_id = "CancelBatch",
    tag = "Batches", responses((status = 200, body = Envelope<BatchResponse>)))]
pub async fn cancel(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(id): Id<BatchId>,
) -> ApiResult<Reply<BatchResponse>> {
    let batch = services::batches::cancel(&state.services, &actor, project, id).await?;
    Ok(Reply::ok("Batch cancelled successfully", batch.into()))
}
