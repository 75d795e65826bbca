//! Erasures: values of persons leave everything that the project keeps.

use axum::extract::State;
use domain::id::{ErasureId, EventId};
use serde::{Deserialize, Serialize};
use services::erasure::{Erasure, NewErasure, Preview, SegmentReceipt, Wanted};
use utoipa::ToSchema;
use uuid::Uuid;

use chrono::{DateTime, Utc};

use crate::auth::InProject;
use crate::body::Json;
use crate::envelope::{Envelope, Reply};
use crate::error::{ApiError, ApiResult};
use crate::path::Id;
use crate::state::ApiState;

/// What to erase: `event_ids`, or `subject`, or `pointer` and `value`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ErasureRequest {
    /// These events as a whole, up to 1000.
    event_ids: Vec<Uuid>,
    /// Every event of a person as a whole: those with this value where the project's `subject_pointer`
    /// points.
    #[schema(example = "4711")]
    subject: Option<String>,
    /// Where a single value stands, as a JSON pointer.
    #[schema(example = "/customer/email")]
    pointer: Option<String>,
    /// The value; becomes null wherever it stands at the pointer.
    #[schema(example = "ada@example.com")]
    value: Option<String>,
    /// Why. Should not name the person.
    reason: String,
}

impl ErasureRequest {
    fn into_new(self) -> ApiResult<NewErasure> {
        let ids = self.event_ids.into_iter().map(EventId).collect::<Vec<_>>();
        let wanted = match (ids.is_empty(), self.subject, self.pointer, self.value) {
            (false, None, None, None) => Wanted::Events(ids),
            (true, Some(subject), None, None) => Wanted::Subject(subject),
            (true, None, Some(pointer), Some(value)) => Wanted::Value { pointer, value },
            _ => {
                return Err(ApiError::invalid(
                    "event_ids",
                    "say either event_ids, or subject, or pointer and value",
                ));
            }
        };
        Ok(NewErasure {
            wanted,
            reason: self.reason,
        })
    }
}

/// What an erasure did to one object of the archive.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedSegment {
    uid: Uuid,
    /// Name of the object.
    object_key: String,
    /// `rewriting`, `rewritten`, `removed` or `blocked`.
    outcome: String,
    /// Blocks that were written anew, counted from 0.
    blocks: Vec<i32>,
    /// Rows changed in them.
    rows: i32,
    /// Old versions of the object that were removed.
    versions_removed: i32,
    /// What stands in the way.
    reason: Option<String>,
}

impl From<SegmentReceipt> for ErasedSegment {
    fn from(segment: SegmentReceipt) -> Self {
        Self {
            uid: segment.id,
            object_key: segment.object_key,
            outcome: segment.outcome,
            blocks: segment.blocks,
            rows: segment.rows,
            versions_removed: segment.versions_removed,
            reason: segment.reason,
        }
    }
}

/// What an erasure did so far.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureReceipt {
    /// Events changed in PostgreSQL.
    events: u64,
    /// Deliveries that were live and were ended.
    deliveries: u64,
    /// Attempts whose requests and answers were cleared in PostgreSQL.
    attempts: u64,
    /// Events that a legal hold keeps.
    held_events: u64,
    /// Objects of the archive that were looked into.
    segments_read: i64,
    /// Rows changed in them.
    archived_rows: i64,
    /// Old versions of objects that were removed.
    versions_removed: i64,
    /// Objects that held something.
    segments: Vec<ErasedSegment>,
}

/// An erasure. The value that was looked for is never shown again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasureResponse {
    uid: Uuid,
    /// `events`, `subject` or `value`.
    what: &'static str,
    event_ids: Vec<Uuid>,
    pointer: Option<String>,
    reason: String,
    requested_by: String,
    /// In force for readers since then.
    requested_at: DateTime<Utc>,
    /// `pending`, `blocked` or `done`.
    state: &'static str,
    /// What it waits for.
    blocked_by: Option<String>,
    receipt: ErasureReceipt,
    /// The object in the store that remembers it.
    ledger_key: Option<String>,
    done_at: Option<DateTime<Utc>>,
}

impl From<Erasure> for ErasureResponse {
    fn from(erasure: Erasure) -> Self {
        let receipt = erasure.receipt;
        Self {
            uid: erasure.id.0,
            what: erasure.what,
            event_ids: erasure.event_ids.into_iter().map(|id| id.0).collect(),
            pointer: erasure.pointer,
            reason: erasure.reason,
            requested_by: erasure.requested_by,
            requested_at: erasure.requested_at,
            state: erasure.state.as_str(),
            blocked_by: erasure.blocked_by,
            receipt: ErasureReceipt {
                events: receipt.events,
                deliveries: receipt.deliveries,
                attempts: receipt.attempts,
                held_events: receipt.held_events,
                segments_read: receipt.segments_read,
                archived_rows: receipt.archived_rows,
                versions_removed: receipt.versions_removed,
                segments: receipt.segments.into_iter().map(Into::into).collect(),
            },
            ledger_key: erasure.ledger_key,
            done_at: erasure.done_at,
        }
    }
}

/// What an erasure would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasurePreview {
    /// Events in PostgreSQL that would be changed.
    events: u64,
    /// Of those, the ones that a legal hold keeps.
    held_events: u64,
    /// Objects of the archive that would be read, because they may hold something.
    segments: i64,
    /// Their bytes.
    size_bytes: i64,
}

impl From<Preview> for ErasurePreview {
    fn from(preview: Preview) -> Self {
        Self {
            events: preview.events,
            held_events: preview.held_events,
            segments: preview.segments,
            size_bytes: preview.size_bytes,
        }
    }
}

/// Lists the erasures of a project, newest first.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/erasures", operation_id = "GetErasures", tag = "Erasure",
    responses((status = 200, body = Envelope<Vec<ErasureResponse>>)))]
pub async fn list(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
) -> ApiResult<Reply<Vec<ErasureResponse>>> {
    let erasures = services::erasure::list(&state.services, &actor, project).await?;
    Ok(Reply::ok(
        "Erasures fetched successfully",
        erasures.into_iter().map(Into::into).collect(),
    ))
}

/// Erases. In force for readers at once; the archive follows, and the receipt tells when it is done.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/erasures", operation_id = "RequestErasure", tag = "Erasure",
    request_body = ErasureRequest, responses((status = 201, body = Envelope<ErasureResponse>)))]
pub async fn request(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<ErasureRequest>,
) -> ApiResult<Reply<ErasureResponse>> {
    let new = request.into_new()?;
    let erasure = services::erasure::request(&state.services, &actor, project, new).await?;
    Ok(Reply::created("Erasure requested successfully", erasure.into()))
}

/// Says what an erasure would do, and changes nothing.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/erasures/preview", operation_id = "PreviewErasure",
    tag = "Erasure", request_body = ErasureRequest, responses((status = 200, body = Envelope<ErasurePreview>)))]
pub async fn preview(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<ErasureRequest>,
) -> ApiResult<Reply<ErasurePreview>> {
    let new = request.into_new()?;
    let preview = services::erasure::preview(&state.services, &actor, project, &new).await?;
    Ok(Reply::ok("Erasure previewed successfully", preview.into()))
}

/// An erasure with its receipt.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/erasures/{erasureID}", operation_id = "GetErasure",
    tag = "Erasure", responses((status = 200, body = Envelope<ErasureResponse>)))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Id(erasure): Id<ErasureId>,
) -> ApiResult<Reply<ErasureResponse>> {
    let erasure = services::erasure::get(&state.services, &actor, project, erasure).await?;
    Ok(Reply::ok("Erasure fetched successfully", erasure.into()))
}
