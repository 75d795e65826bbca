//! How long a project keeps its events, and what a change of that would do.

use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use services::features::{Flag, Origin};
use services::retention::preview::{DayPreview, TablePreview};
use services::retention::{Policy, PolicyChange, Preview, Retention, Saved};
use services::storage_policies::{Place, Scope};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::InProject;
use crate::body::Json;
use crate::envelope::{Envelope, Reply};
use crate::error::ApiResult;
use crate::holds::HoldResponse;
use crate::state::ApiState;

/// A change of the policy. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RetentionRequest {
    /// Whether events leave at all.
    enabled: Option<bool>,
    /// After how many days, 1 to 3650; or a text such as `720h`, of which a part of a day counts as
    /// one. `period` and `policy` are read as well.
    #[serde(alias = "period", alias = "policy")]
    #[schema(value_type = Value, example = 30)]
    days: Option<Written>,
    /// Whether a day is copied and verified before it leaves.
    backup_enabled: Option<bool>,
    /// Whether copies go to the project's own storage, not to the instance's.
    own_storage: Option<bool>,
    /// The project's name. Required when events leave earlier than before.
    confirm: Option<String>,
}

/// A period as callers write it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number of days, or a text such as 720h")]
enum Written {
    Days(u64),
    Text(String),
}

/// How long a project keeps its events.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyResponse {
    /// Whether events leave at all.
    enabled: bool,
    /// After how many days, counted from the end of the UTC day on which an event was accepted.
    days: u16,
    /// The same as a length of time.
    #[schema(example = "720h")]
    period: String,
    /// Whether a day is copied and verified before it leaves.
    backup_enabled: bool,
    /// Whether copies go to the project's own storage.
    own_storage: bool,
}

/// Whether anything is deleted on this instance at all.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeatureResponse {
    /// Whether the feature `retention-policy` is on.
    enabled: bool,
    /// Who turned it on: `configuration`, `page`, or `off` when nobody did.
    #[schema(value_type = String, example = "configuration")]
    origin: Origin,
    /// What to do to turn it on; null when it is.
    advice: Option<&'static str>,
}

/// Where copies lie.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlaceResponse {
    /// The version of the policy.
    uid: Uuid,
    /// Its number.
    version: i32,
    /// `project` or `instance`.
    scope: &'static str,
    /// In words.
    #[schema(example = "S3, longhaul-archive, prod/")]
    place: String,
    /// When it was last tried out.
    probed_at: Option<DateTime<Utc>>,
    /// Whether it was fit for copies then.
    is_ready: Option<bool>,
}

/// How a project keeps its events, with everything around it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionResponse {
    #[serde(flatten)]
    policy: PolicyResponse,
    feature: FeatureResponse,
    /// Where copies lie; null when nobody has said.
    storage: Option<PlaceResponse>,
    /// Since when older events are on their way to the class of the policy.
    reclass_since: Option<DateTime<Utc>>,
    /// When days that are over leave next.
    next_deletion_at: DateTime<Utc>,
    /// When the policy was last changed.
    changed_at: Option<DateTime<Utc>>,
    /// Who changed it.
    changed_by: Option<String>,
    /// Holds that are in force.
    holds: Vec<HoldResponse>,
}

/// A saved policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct SavedRetentionResponse {
    #[serde(flatten)]
    policy: PolicyResponse,
    /// Until then saving the old policy undoes the change; null when nothing leaves earlier.
    undo_until: Option<DateTime<Utc>>,
}

/// What a change would do at the next deletion run. Rows and bytes are worked out from counters and
/// statistics, not counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionPreviewResponse {
    before: PolicyResponse,
    after: PolicyResponse,
    /// What has to be sent as `confirm` to save this; null when nothing has to.
    confirm: Option<String>,
    feature: FeatureResponse,
    next_deletion_at: DateTime<Utc>,
    /// Days that leave at that run.
    days: Vec<DayPreviewResponse>,
    /// How many of them leave because of the change, not by themselves.
    days_by_change: usize,
    /// How many of them stay readable from a verified copy.
    days_readable: usize,
    /// Days that would have left at that run and stay because of the change.
    days_spared: u32,
    /// What leaves, per table.
    tables: Vec<TablePreviewResponse>,
    total: TablePreviewResponse,
    /// Rows that stay and move to the class of the new policy.
    rows_moved: u64,
    database_bytes_before: u64,
    database_bytes_after: u64,
    computed_at: DateTime<Utc>,
}

/// A day that leaves.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayPreviewResponse {
    day: NaiveDate,
    events: u64,
    /// Whether it would leave without the change, too.
    leaves_anyway: bool,
    /// Whether a verified copy of the whole day exists.
    is_covered: bool,
}

/// What leaves of one table.
#[derive(Debug, Serialize, ToSchema)]
pub struct TablePreviewResponse {
    /// Empty for all tables together.
    #[schema(example = "event_deliveries")]
    table: String,
    leaves: u32,
    rows: u64,
    bytes: u64,
    /// Rows of the same days that holds keep.
    held_rows: u64,
    oldest: Option<NaiveDate>,
    newest: Option<NaiveDate>,
}

impl RetentionRequest {
    /// The change and what was typed to confirm it.
    fn split(self) -> (PolicyChange, Option<String>) {
        let change = PolicyChange {
            on: self.enabled,
            days: self.days.map(|written| match written {
                Written::Days(days) => days.to_string(),
                Written::Text(text) => text,
            }),
            backup: self.backup_enabled,
            own_storage: self.own_storage,
        };
        (change, self.confirm)
    }
}

impl From<Policy> for PolicyResponse {
    fn from(policy: Policy) -> Self {
        Self {
            enabled: policy.on,
            days: policy.days,
            period: format!("{}h", u32::from(policy.days) * 24),
            backup_enabled: policy.backup,
            own_storage: policy.own_storage,
        }
    }
}

impl From<Flag> for FeatureResponse {
    fn from(flag: Flag) -> Self {
        Self {
            enabled: flag.on,
            origin: flag.origin,
            advice: flag.advice(),
        }
    }
}

impl From<Place> for PlaceResponse {
    fn from(place: Place) -> Self {
        Self {
            uid: place.id.0,
            version: place.version,
            scope: match place.scope {
                Scope::Instance => "instance",
                Scope::Project(_) => "project",
            },
            place: place.place,
            probed_at: place.probed_at,
            is_ready: place.is_ready,
        }
    }
}

impl From<Retention> for RetentionResponse {
    fn from(retention: Retention) -> Self {
        let (changed_at, changed_by) = retention.changed.unzip();
        Self {
            policy: retention.policy.into(),
            feature: retention.flag.into(),
            storage: retention.storage.map(Into::into),
            reclass_since: retention.reclass_since,
            next_deletion_at: retention.next_deletion_at,
            changed_at,
            changed_by,
            holds: retention.holds.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Saved> for SavedRetentionResponse {
    fn from(saved: Saved) -> Self {
        Self {
            policy: saved.policy.into(),
            undo_until: saved.undo_until,
        }
    }
}

impl From<Preview> for RetentionPreviewResponse {
    fn from(preview: Preview) -> Self {
        Self {
            days_by_change: preview.days_by_change(),
            days_readable: preview.days_readable(),
            confirm: preview.needs_confirmation.then_some(preview.project_name),
            before: preview.before.into(),
            after: preview.after.into(),
            feature: preview.flag.into(),
            next_deletion_at: preview.next_deletion_at,
            days: preview.days.into_iter().map(Into::into).collect(),
            days_spared: preview.days_spared,
            tables: preview.tables.into_iter().map(Into::into).collect(),
            total: preview.total.into(),
            rows_moved: preview.rows_moved,
            database_bytes_before: preview.database_bytes_before,
            database_bytes_after: preview.database_bytes_after,
            computed_at: preview.computed_at,
        }
    }
}

impl From<DayPreview> for DayPreviewResponse {
    fn from(day: DayPreview) -> Self {
        Self {
            day: day.day,
            events: day.events,
            leaves_anyway: day.leaves_anyway,
            is_covered: day.is_covered,
        }
    }
}

impl From<TablePreview> for TablePreviewResponse {
    fn from(table: TablePreview) -> Self {
        Self {
            table: table.table,
            leaves: table.leaves,
            rows: table.rows,
            bytes: table.bytes,
            held_rows: table.held_rows,
            oldest: table.oldest,
            newest: table.newest,
        }
    }
}

/// Shows how long a project keeps its events.
#[utoipa::path(get, path = "/api/v1/projects/{projectID}/retention", operation_id = "GetRetention", tag = "Retention",
    responses((status = 200, body = Envelope<RetentionResponse>)))]
pub async fn get(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
) -> ApiResult<Reply<RetentionResponse>> {
    let retention = services::retention::get(&state.services, &actor, project).await?;
    Ok(Reply::ok("Retention fetched successfully", retention.into()))
}

/// Changes how long a project keeps its events. Nothing leaves before the next deletion run.
#[utoipa::path(put, path = "/api/v1/projects/{projectID}/retention", operation_id = "UpdateRetention", tag = "Retention",
    request_body = RetentionRequest, responses((status = 202, body = Envelope<SavedRetentionResponse>)))]
pub async fn update(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<RetentionRequest>,
) -> ApiResult<Reply<SavedRetentionResponse>> {
    let (change, confirm) = request.split();
    let saved =
        services::retention::save(&state.services, &actor, project, &change, confirm.as_deref()).await?;
    Ok(Reply::changed("Retention updated successfully", saved.into()))
}

/// Works out what a change would do. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/projects/{projectID}/retention/preview", operation_id = "PreviewRetention",
    tag = "Retention", request_body = RetentionRequest,
    responses((status = 200, body = Envelope<RetentionPreviewResponse>)))]
pub async fn preview(
    State(state): State<ApiState>,
    InProject { project, actor }: InProject,
    Json(request): Json<RetentionRequest>,
) -> ApiResult<Reply<RetentionPreviewResponse>> {
    let (change, _) = request.split();
    let preview = services::retention::preview(&state.services, &actor, project, &change).await?;
    Ok(Reply::ok("Retention preview computed", preview.into()))
}
