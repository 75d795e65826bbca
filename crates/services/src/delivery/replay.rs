//! Sending again: the same delivery once more, or an event to today's subscriptions.

use std::sync::Arc;

use bytestring::ByteString;
use db::events::Event;
use db::hot::NewDelivery;
use domain::event::{EventKind, Target};
use domain::id::{DeliveryId, EndpointId, ProjectId};
use domain::state::DeliveryState;
use queue::codec::Payload as _;
use queue::payload::DueDelivery;
use uuid::Uuid;

use super::due::stored_headers;
use super::journal::Rows;
use super::pipeline::delivery_id;
use super::rows::waiting;
use crate::Services;
use crate::archive::{Read, Tier};
use crate::catalog::Sample;
use crate::error::{Error, Result};
use crate::queues::Queues;

/// Deliveries of a paused endpoint that are released at once.
const RELEASE_BATCH: i64 = 1_000;

/// Puts deliveries that stand in one of `states` back to work now; returns how many.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away.
pub async fn resend(
    services: &Services,
    project: ProjectId,
    ids: &[DeliveryId],
    states: &[DeliveryState],
) -> Result<usize> {
    let now = services.clock.now();
    let taken = db::deliveries::reschedule(&services.db, project, ids, states, now).await?;
    enqueue(&services.queues, &taken).await;
    Ok(taken.len())
}

/// New deliveries of an event to every subscription that matches it now. Done twice for the same
/// `batch`, it makes the same deliveries. The event may be in the archive.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away.
pub async fn again(services: &Services, found: &Read<Event>, batch: Option<Uuid>) -> Result<Vec<DeliveryId>> {
    let event = &found.data;
    let project = services
        .catalog
        .project(event.project_id)
        .ok_or(Error::NotFound("project"))?;
    let headers = stored_headers(event.headers.as_deref());
    let matching = {
        let sample = Sample::new(&event.payload, &headers);
        project.matching(&target_of(event), &event.event_type, &sample)
    };
    // The class of an archived event is that of the time when it left.
    let keep_days = match found.tier() {
        Tier::Archive => project.keep_days,
        Tier::Hot | Tier::Mixed => event.keep_days,
    };
    let now = services.clock.now();
    let occasion = batch.unwrap_or_else(|| domain::id::uuid_at(now));
    let mut rows = Rows {
        // A batch may do an event again, and its rows may have moved to another class meanwhile.
        repeats: batch.is_some(),
        ..Rows::default()
    };
    for (endpoint, subscription) in matching {
        rows.deliveries.push(NewDelivery {
            id: delivery_id(event.id, subscription.id, Some(occasion)),
            keep_days,
            project_id: project.id,
            event_id: event.id,
            endpoint_id: endpoint.id,
            subscription_id: Some(subscription.id),
            event_type: ByteString::from(event.event_type.as_str()),
            standing: waiting(now, "Replayed"),
        });
    }
    let ids: Vec<DeliveryId> = rows.deliveries.iter().map(|row| row.id).collect();
    services.intake.write(rows).await?;
    enqueue(&services.queues, &ids).await;
    Ok(ids)
}

/// Brings forward everything that waits for an endpoint, in the background.
pub(crate) fn release(services: &Services, project: ProjectId, endpoint: EndpointId) {
    let (db, queues, clock) = (
        services.db.clone(),
        services.queues.clone(),
        Arc::clone(&services.clock),
    );
    tokio::spawn(async move {
        loop {
            match db::deliveries::release_endpoint(&db, project, endpoint, clock.now(), RELEASE_BATCH).await {
                Ok(ids) => {
                    enqueue(&queues, &ids).await;
                    if (ids.len() as i64) < RELEASE_BATCH {
                        return;
                    }
                }
                // They come back by themselves, only later.
                Err(error) => {
                    return tracing::warn!(%endpoint, %error, "held deliveries were not brought forward");
                }
            }
        }
    });
}

/// Whom a stored event is for.
pub(super) fn target_of(event: &Event) -> Target {
    match (event.kind, event.endpoint_id, &event.owner_id) {
        (EventKind::Fanout, _, Some(owner)) => Target::Owner(owner.clone()),
        (_, Some(endpoint), _) => Target::Endpoint(endpoint),
        _ => Target::Broadcast,
    }
}

/// Queues deliveries now. Failing that, the sweeper finds them in PostgreSQL.
async fn enqueue(queues: &Queues, ids: &[DeliveryId]) {
    let entries = ids.iter().map(|id| DueDelivery(*id).encode());
    if let Err(error) = queues.deliveries.push_many(entries).await {
        tracing::debug!(%error, "deliveries are left to the sweeper");
    }
}
