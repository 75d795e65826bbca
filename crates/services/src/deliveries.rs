//! Deliveries and their attempts: list, look at, wherever they lie; send again.

use std::collections::BTreeMap;

use domain::id::{AttemptId, BatchId, DeliveryId, EndpointId, ProjectId};
use domain::page::{Page, PageRequest};
use domain::role::Role;
use domain::state::{DeliveryState, EndpointState};

pub use db::attempts::Attempt;
pub use db::deliveries::{Delivery, DeliveryFilter};

use crate::access::Actor;
use crate::archive::{self, Read, Tier};
use crate::batches::{self, Kind};
use crate::delivery::replay;
use crate::error::{Error, Result};
use crate::events::COUNT_LIMIT;
use crate::{Services, audit};

/// Most attempts shown of one delivery; the newest ones.
const ATTEMPTS_LIMIT: usize = 1_000;
/// Most deliveries sent again in one call; more is a batch.
const RESEND_LIMIT: usize = 1_000;

/// A page of a project's deliveries.
///
/// # Errors
/// As [`read_list`].
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &DeliveryFilter,
    page: PageRequest,
) -> Result<Page<Delivery>> {
    Ok(read_list(services, actor, project, filter, page).await?.data)
}

/// As [`list`], with where the deliveries came from and what that took.
///
/// # Errors
/// [`Error::TooSlow`] when the filters match too rarely to be found in time;
/// [`Error::Unavailable`] while a store is away that has deliveries of the page.
pub async fn read_list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &DeliveryFilter,
    page: PageRequest,
) -> Result<Read<Page<Delivery>>> {
    actor.require(project, Role::Viewer)?;
    archive::deliveries::page(services, project, filter, page).await
}

/// One delivery.
///
/// # Errors
/// As [`read`].
pub async fn get(services: &Services, actor: &Actor, project: ProjectId, id: DeliveryId) -> Result<Delivery> {
    Ok(read(services, actor, project, id).await?.data)
}

/// As [`get`], with where the delivery came from and what that took.
///
/// # Errors
/// [`Error::NotFound`] also for deliveries of other projects; [`Error::Unavailable`] while the store
/// is away that the delivery may be in.
pub async fn read(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: DeliveryId,
) -> Result<Read<Delivery>> {
    actor.require(project, Role::Viewer)?;
    archive::deliveries::find(services, project, id)
        .await?
        .ok_or(Error::NotFound("event delivery"))
}

/// The attempts of a delivery, oldest first.
///
/// # Errors
/// As [`read`].
pub async fn attempts(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: DeliveryId,
) -> Result<Vec<Attempt>> {
    Ok(read_attempts(services, actor, project, id).await?.data.1)
}

/// A delivery with its attempts, oldest first, where they came from and what that took.
///
/// # Errors
/// As [`read`].
pub async fn read_attempts(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: DeliveryId,
) -> Result<Read<(Delivery, Vec<Attempt>)>> {
    let delivery = read(services, actor, project, id).await?;
    let attempts = archive::deliveries::attempts(services, project, id, ATTEMPTS_LIMIT).await?;
    Ok(delivery.and(attempts))
}

/// One attempt with its delivery, where they came from and what that took.
///
/// # Errors
/// [`Error::NotFound`] when the delivery is another project's or the attempt another delivery's;
/// else as [`read`].
pub async fn read_attempt(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    delivery: DeliveryId,
    id: AttemptId,
) -> Result<Read<(Delivery, Attempt)>> {
    let found = read(services, actor, project, delivery).await?;
    let attempt = archive::deliveries::attempt(services, project, id).await?;
    attempt
        .filter(|attempt| attempt.data.delivery_id == delivery)
        .map(|attempt| found.and(attempt))
        .ok_or(Error::NotFound("delivery attempt"))
}

/// How many matching deliveries can be sent again, counted up to [`COUNT_LIMIT`]: those in the
/// archive cannot.
///
/// # Errors
/// As [`read_list`].
pub async fn count(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &DeliveryFilter,
) -> Result<i64> {
    actor.require(project, Role::Viewer)?;
    Ok(db::deliveries::count(&services.db, project, filter, COUNT_LIMIT).await?)
}

/// Deliveries per state, each counted up to [`COUNT_LIMIT`], those in the archive included.
///
/// # Errors
/// As [`read_list`].
pub async fn totals(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &DeliveryFilter,
) -> Result<BTreeMap<&'static str, i64>> {
    actor.require(project, Role::Viewer)?;
    let mut totals = BTreeMap::new();
    for state in DeliveryState::ALL {
        if !filter.states.is_empty() && !filter.states.contains(state) {
            continue;
        }
        let one = DeliveryFilter {
            states: vec![*state],
            ..filter.clone()
        };
        totals.insert(
            state.as_str(),
            db::deliveries::count(&services.db, project, &one, COUNT_LIMIT).await?,
        );
    }
    archive::deliveries::add_archived(services, project, filter, &mut totals, COUNT_LIMIT).await?;
    Ok(totals)
}

/// Sends a failed or discarded delivery again, as a new attempt of the same delivery.
///
/// # Errors
/// [`Error::Conflict`] when it did not fail, is in the archive, or its endpoint takes nothing now.
pub async fn resend(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: DeliveryId,
) -> Result<Delivery> {
    actor.require(project, Role::ProjectAdmin)?;
    let found = read(services, actor, project, id).await?;
    if found.tier() == Tier::Archive {
        return Err(Error::Conflict(
            "the delivery is in the archive; replay its event instead".to_owned(),
        ));
    }
    let delivery = found.data;
    match delivery.state {
        DeliveryState::Failure | DeliveryState::Discarded => {}
        DeliveryState::Success => return Err(Error::Conflict("event already sent".to_owned())),
        _ => {
            return Err(Error::Conflict(
                "cannot resend event that did not fail previously".to_owned(),
            ));
        }
    }
    require_open(services, project, delivery.endpoint_id)?;
    let states = [DeliveryState::Failure, DeliveryState::Discarded];
    replay::resend(services, project, &[id], &states).await?;
    audit::note(
        services,
        actor,
        "delivery.resent",
        Some(project),
        ("delivery", Some(id.0)),
    )
    .await?;
    get(services, actor, project, id).await
}

/// Sends delivered ones again. Returns how many were taken and how many were not: those in the archive
/// are not.
///
/// # Errors
/// [`Error::Invalid`] without ids or with too many.
pub async fn force_resend(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    ids: &[DeliveryId],
) -> Result<(usize, usize)> {
    actor.require(project, Role::ProjectAdmin)?;
    if ids.is_empty() || ids.len() > RESEND_LIMIT {
        return Err(Error::invalid(
            "ids",
            format!("must name 1 to {RESEND_LIMIT} deliveries"),
        ));
    }
    let taken = replay::resend(services, project, ids, &[DeliveryState::Success]).await?;
    audit::note(
        services,
        actor,
        "delivery.force_resent",
        Some(project),
        ("deliveries", None),
    )
    .await?;
    Ok((taken, ids.len() - taken))
}

/// Starts to retry every matching delivery in the background, but for those in the archive. Without
/// states, those that failed or were discarded.
///
/// # Errors
/// [`Error::Conflict`] while another retry of the project is under way.
pub async fn start_batch_retry(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    filter: &DeliveryFilter,
) -> Result<BatchId> {
    let mut filter = filter.clone();
    if filter.states.is_empty() {
        filter.states = vec![DeliveryState::Failure, DeliveryState::Discarded];
    }
    if filter.states.iter().any(|state| !state.is_final()) {
        return Err(Error::invalid(
            "status",
            "only Success, Failure and Discarded can be retried",
        ));
    }
    batches::start(services, actor, project, Kind::Retry, &filter).await
}

/// Refuses endpoints that take nothing now.
fn require_open(services: &Services, project: ProjectId, endpoint: EndpointId) -> Result<()> {
    let project = services
        .catalog
        .project(project)
        .ok_or(Error::NotFound("project"))?;
    match project.endpoints.get(&endpoint).map(|endpoint| endpoint.state) {
        Some(EndpointState::Active) => Ok(()),
        Some(state) => Err(Error::Conflict(format!(
            "the endpoint is {state}; activate it first"
        ))),
        None => Err(Error::Conflict("the endpoint was deleted".to_owned())),
    }
}
