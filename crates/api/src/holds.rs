//! Legal holds: windows whose events stay, whatever the retention says.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::id::HoldId;
use serde::{Deserialize, Serialize};
use services::holds::{Hold, NewHold};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::InProject;
use crate::body::Json;
use crate::envelope::{Envelope, Reply};
use crate::error::ApiResult;
use crate::path::Id;
use crate::state::ApiState;

/// A hold to place.
#[derive(Debug, Deserialize, ToSchema)]
pub struct HoldRequest {
    /// What people call it.
    #[schema(example = "Chargeback 2026-118")]
    name: String,
    /// Events accepted from here on are kept.
    from: DateTime<Utc>,
    /// Events accepted before this are kept.
    to: DateTime<Utc>,
}

/// A hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldResponse {
    uid: Uuid,
    name: String,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Since when it is in force.
    placed_at: DateTime<Utc>,
    placed_by: String,
    /// Since when it is not in force any more; null while it is.
    released_at: Option<DateTime<Utc>>,
    released_by: Option<String>,
}

impl From<Hold> for HoldResponse {
    fn from(hold: Hold) -> Self {
        Self {
            uid: hold.id.0,
            name: hold.name,
            from: hold.from,
            to: hold.to,
            placed_at: hold.placed_at,
            placed_by: hold.placed_by,
            released_at: hold.released_at,
            released_by: hold.released_by,
        }
    }
}

/// Lists the holds of a project, newest first, released ones included.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/holds", operation_id = "GetHolds", tag = "Retention",
    responses((status = 200, body = Envelope<Vec<HoldResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
) -> ApiResult<Reply<Vec<HoldResponse>>> {
    let holds = services::holds::list(&state.services, &actor, project).await?;
    Ok(Reply::ok(
        "Holds fetched successfully",
        holds.into_iter().map(Into::into).collect(),
    ))
}

/// Places a hold. It is in force at once.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/holds", operation_id = "PlaceHold", tag = "Retention",
    request_body = HoldRequest, responses((status = 201, body = Envelope<HoldResponse>)))]
pub async fn place(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<HoldRequest>,
) -> ApiResult<Reply<HoldResponse>> {
    let new = NewHold {
        name: request.name,
        from: request.from,
        to: request.to,
    };
    let hold = services::holds::place(&state.services, &actor, project, new).await?;
    Ok(Reply::created("Hold placed successfully", hold.into()))
}

/// Releases a hold. What it kept leaves when its time is over.
#[utoipa::path(delete, path = "/api/v1/projects/{projectID}/holds/{holdID}", operation_id = "ReleaseHold",
    tag = "Retention", responses((status = 200, body = Envelope<HoldResponse>)))]
pub async fn release(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(hold): Id<HoldId>,
) -> ApiResult<Reply<HoldResponse>> {
    let hold = services::holds::release(&state.services, &actor, project, hold).await?;
    Ok(Reply::ok("Hold released successfully", hold.into()))
}
