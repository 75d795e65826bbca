//! Deliveries that are due: retries, resends, and what was held or put off.
//!
//! A lease on the row comes first, many in one statement. It decides who makes the attempt, and
//! what a dead worker left behind is due again when its lease ends. The outcome counts only while
//! the row still stands under this lease.

use std::sync::Arc;

use bytestring::ByteString;
use chrono::{DateTime, TimeDelta, Utc};
use db::deliveries::Leased;
use db::hot::{DeliveryOutcome, Standing};
use domain::id::{DeliveryId, EndpointId};
use domain::retry::RetryPolicy;
use domain::state::{DeliveryState, EndpointState};
use tokio::sync::OwnedSemaphorePermit;

use super::attempt::{self, Outgoing, Rules};
use super::engine::{Engine, InHand};
use super::pipeline::{HOLD, LEASE_SLACK};
use super::rows::{ended, waiting};
use crate::Services;
use crate::archive;
use crate::catalog::{Endpoint, Project, Subscription};
use crate::error::{Error, Result};
use crate::grouping::{GroupOptions, Grouped, Weighed, Weight};

/// A lease lasts this long; that of an attempt that may take longer is extended first.
pub const LEASE: TimeDelta = TimeDelta::seconds(120);
/// Clocks of two machines may differ by this much without a delivery being taken for not yet due.
const CLOCK_SLACK: TimeDelta = TimeDelta::seconds(1);
/// How long a delivery waits for its event to come from the archive.
const ARCHIVE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// When a delivery tries again whose event did not come.
const ARCHIVE_PAUSE: TimeDelta = TimeDelta::minutes(1);
const GROUP: GroupOptions = GroupOptions {
    size: 256,
    weight: Weight::UNBOUND,
    linger: std::time::Duration::ZERO,
};

impl Weighed for DeliveryId {}

/// Takes leases, many in one statement.
#[derive(Clone, Debug)]
pub(super) struct Leases(Grouped<DeliveryId, std::result::Result<Option<Arc<Leased>>, LeaseFailed>>);

#[derive(Clone, Debug, thiserror::Error)]
#[error("deliveries cannot be leased: {0}")]
pub(super) struct LeaseFailed(String);

impl Leases {
    pub(super) fn start(services: &Arc<Services>) -> Self {
        let (db, clock) = (services.db.clone(), Arc::clone(&services.clock));
        Self(Grouped::start(GROUP, move |ids: Vec<DeliveryId>| {
            let (db, now) = (db.clone(), clock.now());
            async move {
                match db::deliveries::lease(&db, &ids, now + CLOCK_SLACK, now + LEASE).await {
                    Ok(leased) => hand_out(&ids, leased),
                    Err(error) => vec![Err(LeaseFailed(error.to_string())); ids.len()],
                }
            }
        }))
    }

    async fn take(&self, id: DeliveryId) -> Result<Option<Arc<Leased>>> {
        self.0.request(id).await?.map_err(|error| {
            tracing::warn!(%error, "cannot lease a delivery");
            Error::Unavailable {
                what: "PostgreSQL",
                retry_after: 5,
            }
        })
    }
}

/// Each lease to the first who asked for it; a second entry of the same delivery gets nothing.
fn hand_out(
    ids: &[DeliveryId],
    leased: Vec<Leased>,
) -> Vec<std::result::Result<Option<Arc<Leased>>, LeaseFailed>> {
    let mut by_id: std::collections::HashMap<_, _> =
        leased.into_iter().map(|l| (l.delivery.id, Arc::new(l))).collect();
    ids.iter().map(|id| Ok(by_id.remove(id))).collect()
}

impl Engine {
    /// Looks at a delivery that a queue entry says is due. Does nothing when it is not, has ended,
    /// or is somebody else's.
    ///
    /// Waits until there is room for it, takes the lease, and returns once that is committed; the
    /// attempt goes on by itself.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while PostgreSQL is away.
    pub async fn look_at(&self, id: DeliveryId) -> Result<()> {
        // The semaphore is never closed.
        let room = Arc::clone(&self.taken_up)
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        if let Some(leased) = self.leases.take(id).await? {
            self.start_due(Arc::unwrap_or_clone(leased), room);
        }
        Ok(())
    }

    /// Starts what the lease allows, beside the caller.
    pub(super) fn start_due(&self, leased: Leased, room: OwnedSemaphorePermit) {
        let engine = self.clone();
        let lease = leased.delivery.due_at.unwrap_or_default();
        let in_hand = self.in_hand(leased.delivery.id, lease);
        self.running.spawn(async move {
            let mut held = Held { leased, in_hand };
            engine.do_due(&mut held).await;
            drop((room, held));
        });
    }

    async fn do_due(&self, held: &mut Held) {
        if held.leased.payload.is_none()
            && let Err(error) = self.fetch_event(&mut held.leased).await
        {
            tracing::debug!(delivery = %held.leased.delivery.id, %error, "put off");
            let due = self.services.clock.now() + ARCHIVE_PAUSE;
            return self
                .wait(held, due, "Its event cannot be read from the archive")
                .await;
        }
        let delivery = &held.leased.delivery;
        let Some(payload) = held.leased.payload.as_deref().map(ByteString::from) else {
            return self.leave(held, "The event is gone").await;
        };
        let known = self.services.catalog.project(delivery.project_id);
        if let Some((project, endpoint)) = open_endpoint(known, delivery.endpoint_id) {
            return self.send_due(held, &project, &endpoint, &payload).await;
        }
        // What this process knows may be old.
        if let Err(error) = self.be_current(delivery.project_id).await {
            return tracing::debug!(delivery = %delivery.id, %error, "left to its lease");
        }
        let Some(project) = self.services.catalog.project(delivery.project_id) else {
            return self.leave(held, "The project was deleted").await;
        };
        let Some(endpoint) = project.endpoints.get(&delivery.endpoint_id).cloned() else {
            return self.leave(held, "The endpoint was deleted").await;
        };
        match endpoint.state {
            EndpointState::Active => self.send_due(held, &project, &endpoint, &payload).await,
            EndpointState::Inactive => self.leave(held, "The endpoint is inactive").await,
            EndpointState::Paused => {
                let due = self.services.clock.now() + HOLD;
                self.wait(held, due, "The endpoint is paused").await;
            }
        }
    }

    /// Fills in an event that has left PostgreSQL: a replay of an archived one. Without one in the
    /// archive nothing is filled in.
    async fn fetch_event(&self, leased: &mut Leased) -> Result<()> {
        let (project, event) = (leased.delivery.project_id, leased.delivery.event_id);
        let finding = archive::events::find(&self.services, project, event);
        // The lease has to last for the attempt.
        let found = tokio::time::timeout(ARCHIVE_PATIENCE, finding).await;
        let found = found.map_err(|_| Error::Unavailable {
            what: "the archive",
            retry_after: 10,
        })?;
        if let Some(found) = found? {
            leased.payload = Some(found.data.payload);
            leased.headers = found.data.headers;
            leased.idempotency_key = found.data.idempotency_key;
        }
        Ok(())
    }

    async fn send_due(
        &self,
        held: &mut Held,
        project: &Arc<Project>,
        endpoint: &Arc<Endpoint>,
        payload: &ByteString,
    ) {
        let subscription = subscription_of(&held.leased, project);
        let admitted = match self.admit(endpoint, subscription).await {
            Ok(admitted) => admitted,
            Err(wait) => {
                let due = self.services.clock.now() + TimeDelta::from_std(wait).unwrap_or(HOLD);
                return self
                    .wait(held, due, "Waits for a free place at the endpoint")
                    .await;
            }
        };
        if !self.hold_long_enough(held, endpoint).await {
            return;
        }
        let leased = &held.leased;
        let delivery = &leased.delivery;
        let headers = stored_headers(leased.headers.as_deref());
        let out = Outgoing {
            project,
            endpoint,
            delivery: delivery.id,
            event: delivery.event_id,
            payload,
            headers: &headers,
            idempotency_key: leased.idempotency_key.as_deref(),
        };
        let attempted = attempt::make(&self.sender, &self.user_agent, self.services.clock.now(), &out).await;
        self.note(endpoint, &attempted, admitted);
        let (retry, at_most_once) = policy_of(leased, project, subscription);
        let rules = Rules {
            retry: &retry,
            at_most_once,
            longest_wait: std::time::Duration::from_secs(
                self.services.options.delivery.max_retry_seconds.into(),
            ),
        };
        let number = delivery.attempts.saturating_add(1);
        let verdict = attempt::judge(&attempted, number, delivery.accepted_at, &rules);
        if verdict.gave_up {
            self.give_up(project, endpoint, &attempted);
        }
        let row = attempt::row(attempted, &out, delivery.keep_days, number);
        self.settle(held.outcome(verdict.standing), Some(row)).await;
    }

    /// Extends the lease for an endpoint that may take its time. Without that, the delivery is left
    /// to its lease: two attempts at once would be worse than a late one.
    async fn hold_long_enough(&self, held: &mut Held, endpoint: &Endpoint) -> bool {
        let needed = TimeDelta::from_std(endpoint.timeout).unwrap_or(LEASE) + LEASE_SLACK;
        if needed <= LEASE {
            return true;
        }
        let delivery = &mut held.leased.delivery;
        let until = self.services.clock.now() + needed;
        let extended =
            db::deliveries::extend_lease(&self.services.db, delivery.id, delivery.due_at, until).await;
        if !extended.unwrap_or(false) {
            return false;
        }
        delivery.due_at = Some(until);
        held.in_hand.extend(until);
        true
    }

    /// Ends the delivery without an attempt.
    async fn leave(&self, held: &Held, reason: &str) {
        let now = self.services.clock.now();
        self.stand(held, ended(DeliveryState::Discarded, reason, now))
            .await;
    }

    /// Puts the delivery off without an attempt.
    async fn wait(&self, held: &Held, due: DateTime<Utc>, reason: &str) {
        self.stand(held, waiting(due, reason)).await;
    }

    async fn stand(&self, held: &Held, mut standing: Standing) {
        standing.attempts = held.leased.delivery.attempts;
        standing.last_status = held.leased.delivery.last_status;
        self.settle(held.outcome(standing), None).await;
    }
}

/// A delivery under a lease of this process.
struct Held {
    leased: Leased,
    in_hand: InHand,
}

impl Held {
    /// What became of it, fenced by the lease.
    fn outcome(&self, standing: Standing) -> DeliveryOutcome {
        let delivery = &self.leased.delivery;
        DeliveryOutcome {
            id: delivery.id,
            project_id: delivery.project_id,
            endpoint_id: delivery.endpoint_id,
            lease: delivery.due_at,
            attempts_before: delivery.attempts,
            standing,
        }
    }
}

/// The endpoint, when it takes deliveries.
fn open_endpoint(
    project: Option<Arc<Project>>,
    endpoint: EndpointId,
) -> Option<(Arc<Project>, Arc<Endpoint>)> {
    let project = project?;
    let endpoint = Arc::clone(project.endpoints.get(&endpoint)?);
    (endpoint.state == EndpointState::Active).then_some((project, endpoint))
}

fn subscription_of<'a>(leased: &Leased, project: &'a Project) -> Option<&'a Subscription> {
    let id = leased.delivery.subscription_id?;
    project
        .subscriptions
        .iter()
        .find(|subscription| subscription.id == id)
        .map(AsRef::as_ref)
}

/// The policy frozen at the first failure, or the one of today for a delivery never attempted.
fn policy_of(leased: &Leased, project: &Project, subscription: Option<&Subscription>) -> (RetryPolicy, bool) {
    let frozen = leased
        .delivery
        .retry
        .as_deref()
        .and_then(|json| serde_json::from_str(json).ok());
    let today = || {
        subscription
            .and_then(|s| s.retry.as_ref())
            .unwrap_or(&project.retry)
            .clone()
    };
    (
        frozen.unwrap_or_else(today),
        subscription.is_some_and(|s| s.at_most_once),
    )
}

/// Custom headers as they were stored.
pub(super) fn stored_headers(json: Option<&str>) -> Vec<(String, String)> {
    let parsed =
        json.and_then(|json| serde_json::from_str::<std::collections::BTreeMap<String, String>>(json).ok());
    parsed.unwrap_or_default().into_iter().collect()
}
