//! Events: list, look at, replay.

use domain::id::{BatchId, DeliveryId, EventId, ProjectId};
use domain::page::{Page, PageRequest};
use domain::role::Role;
use domain::state::EventState;

pub use db::events::{Event, EventFilter};

use crate::access::Actor;
use crate::batches::{self, Kind};
use crate::delivery::replay;
use crate::error::{Error, Result};
use crate::{Services, audit};

/// Counting stops here; more is shown as `10 000+`.
pub const COUNT_LIMIT: i64 = 10_001;

/// A page of a project's events. Without `payload` the payloads stay empty, which is what lists
/// want.
///
/// # Errors
/// [`Error::TooSlow`] when the filters match too rarely to be found in time.
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &EventFilter,
    page: PageRequest,
    payload: bool,
) -> Result<Page<Event>> {
    actor.require(project, Role::Viewer)?;
    Ok(db::events::list(&services.db, project, filter, page, payload).await?)
}

/// One event with its payload.
///
/// # Errors
/// [`Error::NotFound`] also for events of other projects.
pub async fn get(services: &Services, actor: &Actor, project: ProjectId, id: EventId) -> Result<Event> {
    actor.require(project, Role::Viewer)?;
    let event = db::events::find(&services.db, id).await?;
    event
        .filter(|event| event.project_id == project)
        .ok_or(Error::NotFound("event"))
}

/// How many events match, counted up to [`COUNT_LIMIT`].
///
/// # Errors
/// As [`list`].
pub async fn count(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &EventFilter,
) -> Result<i64> {
    actor.require(project, Role::Viewer)?;
    Ok(db::events::count(&services.db, project, filter, COUNT_LIMIT).await?)
}

/// Sends an event again to every subscription that matches it now, as new deliveries. The event
/// stays one row, and its idempotency key does not stand in the way.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] for an event that still waits to be matched.
pub async fn replay(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EventId,
) -> Result<(Event, Vec<DeliveryId>)> {
    actor.require(project, Role::ProjectAdmin)?;
    let event = get(services, actor, project, id).await?;
    if matches!(event.state, EventState::Pending | EventState::Processing) {
        return Err(Error::Conflict("the event has not been matched yet".to_owned()));
    }
    let deliveries = replay::again(services, &event, None).await?;
    audit::note(
        services,
        actor,
        "event.replayed",
        Some(project),
        ("event", Some(id.0)),
    )
    .await?;
    Ok((event, deliveries))
}

/// Starts to replay every matching event in the background.
///
/// # Errors
/// [`Error::Conflict`] while another replay of the project is under way.
pub async fn start_batch_replay(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &EventFilter,
) -> Result<BatchId> {
    batches::start(services, actor, project, Kind::Replay, filter).await
}
