//! Events: list, look at, replay, wherever they lie.

use domain::id::{BatchId, DeliveryId, EventId, ProjectId};
use domain::page::{Page, PageRequest};
use domain::role::Role;
use domain::state::EventState;

pub use db::events::{Event, EventFilter};

use crate::access::Actor;
use crate::archive::{self, Read};
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
/// As [`read_list`].
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &EventFilter,
    page: PageRequest,
    payload: bool,
) -> Result<Page<Event>> {
    Ok(read_list(services, actor, project, filter, page, payload)
        .await?
        .data)
}

/// As [`list`], with where the events came from and what that took.
///
/// # Errors
/// [`Error::TooSlow`] when the filters match too rarely to be found in time;
/// [`Error::Unavailable`] while a store is away that has events of the page.
pub async fn read_list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &EventFilter,
    page: PageRequest,
    payload: bool,
) -> Result<Read<Page<Event>>> {
    actor.require(project, Role::Viewer)?;
    archive::events::page(services, project, filter, page, payload).await
}

/// One event with its payload.
///
/// # Errors
/// As [`read`].
pub async fn get(services: &Services, actor: &Actor, project: ProjectId, id: EventId) -> Result<Event> {
    Ok(read(services, actor, project, id).await?.data)
}

/// As [`get`], with where the event came from and what that took.
///
/// # Errors
/// [`Error::NotFound`] also for events of other projects; [`Error::Unavailable`] while the store is
/// away that the event may be in.
pub async fn read(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EventId,
) -> Result<Read<Event>> {
    actor.require(project, Role::Viewer)?;
    archive::events::find(services, project, id)
        .await?
        .ok_or(Error::NotFound("event"))
}

/// How many events match, counted up to [`COUNT_LIMIT`].
///
/// # Errors
/// As [`read_list`].
pub async fn count(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &EventFilter,
) -> Result<i64> {
    actor.require(project, Role::Viewer)?;
    archive::events::count(services, project, filter, COUNT_LIMIT).await
}

/// Sends an event again to every subscription that matches it now, as new deliveries. The event
/// stays where it is, also in the archive, and its idempotency key does not stand in the way.
///
/// # Errors
/// As [`read`]; [`Error::Conflict`] for an event that still waits to be matched.
pub async fn replay(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EventId,
) -> Result<(Event, Vec<DeliveryId>)> {
    actor.require(project, Role::ProjectAdmin)?;
    let found = read(services, actor, project, id).await?;
    if matches!(found.data.state, EventState::Pending | EventState::Processing) {
        return Err(Error::Conflict("the event has not been matched yet".to_owned()));
    }
    let deliveries = replay::again(services, &found, None).await?;
    audit::note(
        services,
        actor,
        "event.replayed",
        Some(project),
        ("event", Some(id.0)),
    )
    .await?;
    Ok((found.data, deliveries))
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
