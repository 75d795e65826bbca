//! Batches: retries and replays of many at once, in the background, with progress.
//!
//! A batch is a row with a cursor. Whoever has its lease does one step after the other and records
//! each; a dead worker's batch goes on from its cursor in another one's hands.

use chrono::{DateTime, Utc};
use domain::id::{BatchId, ProjectId};
use domain::role::Role;
use domain::state::DeliveryState;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use db::batches::Batch;

use crate::access::Actor;
use crate::archive;
use crate::delivery::due::LEASE;
use crate::delivery::replay;
use crate::error::{Error, Result};
use crate::{Services, audit};

/// Rows of one step.
const STEP: usize = 500;

/// What a batch does with the rows it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sends deliveries again.
    Retry,
    /// Sends events again to today's subscriptions.
    Replay,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Replay => "replay",
        }
    }
}

/// Puts a batch to work.
///
/// # Errors
/// [`Error::Conflict`] while another one of the kind is active in the project.
pub(crate) async fn start<F: Serialize>(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    kind: Kind,
    filter: &F,
) -> Result<BatchId> {
    actor.require(project, Role::ProjectAdmin)?;
    let now = services.clock.now();
    let id = BatchId::at(now);
    let filter = serde_json::to_value(filter).map_err(Error::internal)?;
    let created = db::batches::create(&services.db, id, project, kind.as_str(), filter, now).await;
    created.map_err(|error| match error {
        db::DbError::Duplicate { .. } => {
            Error::Conflict(format!("a batch {} is already under way", kind.as_str()))
        }
        other => other.into(),
    })?;
    let action = format!("batch.{}_started", kind.as_str());
    audit::note(services, actor, &action, Some(project), ("batch", Some(id.0))).await?;
    Ok(id)
}

/// One batch.
///
/// # Errors
/// [`Error::NotFound`] also for batches of other projects.
pub async fn get(services: &Services, actor: &Actor, project: ProjectId, id: BatchId) -> Result<Batch> {
    actor.require(project, Role::Viewer)?;
    let batch = db::batches::find(&services.db, id).await?;
    batch
        .filter(|batch| batch.project_id == project)
        .ok_or(Error::NotFound("batch"))
}

/// The newest batches of a project.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(services: &Services, actor: &Actor, project: ProjectId) -> Result<Vec<Batch>> {
    actor.require(project, Role::Viewer)?;
    Ok(db::batches::list(&services.db, project, 20).await?)
}

/// Stops a batch behind its last step.
///
/// # Errors
/// [`Error::Conflict`] when it has ended.
pub async fn cancel(services: &Services, actor: &Actor, project: ProjectId, id: BatchId) -> Result<Batch> {
    actor.require(project, Role::ProjectAdmin)?;
    get(services, actor, project, id).await?;
    if !db::batches::finish(&services.db, id, "cancelled", None, services.clock.now()).await? {
        return Err(Error::Conflict("the batch has ended".to_owned()));
    }
    audit::note(
        services,
        actor,
        "batch.cancelled",
        Some(project),
        ("batch", Some(id.0)),
    )
    .await?;
    get(services, actor, project, id).await
}

/// Does due batches until none is left; returns how many were worked on.
///
/// # Errors
/// [`Error::Unavailable`] while a store is away; the batch is due again when its lease ends.
pub async fn work(services: &Services, stop: &CancellationToken) -> Result<usize> {
    let mut worked = 0;
    while !stop.is_cancelled() {
        let now = services.clock.now();
        let Some(batch) = db::batches::claim(&services.db, now, now + LEASE).await? else {
            break;
        };
        worked += 1;
        match do_batch(services, &batch, stop).await {
            Ok(()) => {}
            Err(error @ (Error::Unavailable { .. } | Error::TooSlow)) => return Err(error),
            Err(error) => {
                tracing::error!(batch = %batch.id, %error, "batch failed");
                let text = error.to_string();
                db::batches::finish(
                    &services.db,
                    batch.id,
                    "failed",
                    Some(&text),
                    services.clock.now(),
                )
                .await?;
            }
        }
    }
    Ok(worked)
}

async fn do_batch(services: &Services, batch: &Batch, stop: &CancellationToken) -> Result<()> {
    let (mut cursor, mut lease) = (batch.cursor, batch.due_at);
    while !stop.is_cancelled() {
        let step = match batch.kind.as_str() {
            "retry" => retry_step(services, batch, cursor).await?,
            _ => replay_step(services, batch, cursor).await?,
        };
        let until = to_micros(services.clock.now() + LEASE);
        let progress = (step.last, step.done, step.failed);
        if !db::batches::advance(&services.db, batch.id, lease, progress, until).await? {
            return Ok(());
        }
        lease = Some(until);
        if step.last.is_none() {
            db::batches::finish(&services.db, batch.id, "completed", None, services.clock.now()).await?;
            return Ok(());
        }
        cursor = step.last;
    }
    Ok(())
}

/// What one step did. `last` is `None` when there was nothing left.
struct Step {
    last: Option<uuid::Uuid>,
    done: i64,
    failed: i64,
}

async fn retry_step(services: &Services, batch: &Batch, after: Option<uuid::Uuid>) -> Result<Step> {
    let filter = serde_json::from_value(batch.filter.clone()).map_err(Error::internal)?;
    let ids = db::deliveries::ids_after(&services.db, batch.project_id, &filter, after, STEP).await?;
    let finals = [
        DeliveryState::Success,
        DeliveryState::Failure,
        DeliveryState::Discarded,
    ];
    let done = replay::resend(services, batch.project_id, &ids, &finals).await? as i64;
    Ok(Step {
        last: ids.last().map(|id| id.0),
        done,
        failed: ids.len() as i64 - done,
    })
}

async fn replay_step(services: &Services, batch: &Batch, after: Option<uuid::Uuid>) -> Result<Step> {
    let filter = serde_json::from_value(batch.filter.clone()).map_err(Error::internal)?;
    let project = batch.project_id;
    let step = archive::events::step(services, project, &filter, after, STEP).await?;
    let mut failed = 0;
    for id in &step.ids {
        match archive::events::find(services, project, *id).await? {
            Some(found) => drop(replay::again(services, &found, Some(batch.id.0)).await?),
            None => failed += 1,
        }
    }
    Ok(Step {
        last: step.reached,
        done: step.ids.len() as i64 - failed,
        failed,
    })
}

/// As PostgreSQL keeps it, so that a lease can be compared with what was written.
fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
