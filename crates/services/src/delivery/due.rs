//! Deliveries that are due: retries, resends, and what was held or put off.
//!
//! A lease on the row comes first, many in one statement. It decides who makes the attempt, and
//! what a dead worker left behind is due again when its lease ends. The outcome counts only while
//! the row still counts the attempts that the lease saw.

use std::sync::Arc;

use bytestring::ByteString;
use chrono::{DateTime, TimeDelta, Utc};
use db::deliveries::Leased;
use db::hot::Standing;
use domain::id::{DeliveryId, EndpointId};
use domain::retry::RetryPolicy;
use domain::state::{DeliveryState, EndpointState};
use tokio::sync::OwnedSemaphorePermit;

use super::attempt::{self, Outgoing, Rules};
use super::engine::Engine;
use super::pipeline::{HOLD, LEASE_SLACK};
use super::rows::{ended, waiting};
use crate::Services;
use crate::catalog::{Endpoint, Project, Subscription};
use crate::error::{Error, Result};
use crate::grouping::{GroupOptions, Grouped};

/// A lease lasts this long; that of an attempt that may take longer is extended first.
pub const LEASE: TimeDelta = TimeDelta::seconds(120);
/// Clocks of two machines may differ by this much without a delivery being taken for not yet due.
const CLOCK_SLACK: TimeDelta = TimeDelta::seconds(1);
const GROUP: GroupOptions = GroupOptions {
    size: 256,
    linger: std::time::Duration::ZERO,
};

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
        let in_hand = self.in_hand(leased.delivery.id);
        self.running.spawn(async move {
            engine.do_due(leased).await;
            drop((room, in_hand));
        });
    }

    async fn do_due(&self, leased: Leased) {
        let delivery = &leased.delivery;
        let Some(payload) = leased.payload.as_deref().map(ByteString::from) else {
            return self.leave(&leased, "The event is gone").await;
        };
        let known = self.services.catalog.project(delivery.project_id);
        if let Some((project, endpoint)) = open_endpoint(known, delivery.endpoint_id) {
            return self.send_due(&leased, &project, &endpoint, &payload).await;
        }
        // What this process knows may be old. Nothing ends on hearsay.
        if let Err(error) = self.services.catalog.refresh(delivery.project_id).await {
            return tracing::debug!(delivery = %delivery.id, %error, "left to its lease");
        }
        let Some(project) = self.services.catalog.project(delivery.project_id) else {
            return self.leave(&leased, "The project was deleted").await;
        };
        let Some(endpoint) = project.endpoints.get(&delivery.endpoint_id).cloned() else {
            return self.leave(&leased, "The endpoint was deleted").await;
        };
        match endpoint.state {
            EndpointState::Active => self.send_due(&leased, &project, &endpoint, &payload).await,
            EndpointState::Inactive => self.leave(&leased, "The endpoint is inactive").await,
            EndpointState::Paused => {
                self.wait(
                    &leased,
                    self.services.clock.now() + HOLD,
                    "The endpoint is paused",
                )
                .await;
            }
        }
    }

    async fn send_due(
        &self,
        leased: &Leased,
        project: &Arc<Project>,
        endpoint: &Arc<Endpoint>,
        payload: &ByteString,
    ) {
        let subscription = subscription_of(leased, project);
        let admitted = match self.admit(endpoint, subscription).await {
            Ok(admitted) => admitted,
            Err(wait) => {
                let due = self.services.clock.now() + TimeDelta::from_std(wait).unwrap_or(HOLD);
                return self
                    .wait(leased, due, "Waits for a free place at the endpoint")
                    .await;
            }
        };
        let delivery = &leased.delivery;
        if !self.hold_long_enough(leased, endpoint).await {
            return;
        }
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
        self.settle(
            project.id,
            delivery.id,
            endpoint.id,
            delivery.attempts,
            verdict.standing,
            Some(row),
        )
        .await;
    }

    /// Extends the lease for an endpoint that may take its time. Without that, the delivery is left
    /// to its lease: two attempts at once would be worse than a late one.
    async fn hold_long_enough(&self, leased: &Leased, endpoint: &Endpoint) -> bool {
        let needed = TimeDelta::from_std(endpoint.timeout).unwrap_or(LEASE) + LEASE_SLACK;
        if needed <= LEASE {
            return true;
        }
        let (delivery, until) = (&leased.delivery, self.services.clock.now() + needed);
        let extended =
            db::deliveries::extend_lease(&self.services.db, delivery.id, delivery.due_at, until).await;
        extended.unwrap_or(false)
    }

    /// Ends the delivery without an attempt.
    async fn leave(&self, leased: &Leased, reason: &str) {
        let now = self.services.clock.now();
        self.stand(leased, ended(DeliveryState::Discarded, reason, now))
            .await;
    }

    /// Puts the delivery off without an attempt.
    async fn wait(&self, leased: &Leased, due: DateTime<Utc>, reason: &str) {
        self.stand(leased, waiting(due, reason)).await;
    }

    async fn stand(&self, leased: &Leased, mut standing: Standing) {
        let delivery = &leased.delivery;
        standing.attempts = delivery.attempts;
        standing.last_status = delivery.last_status;
        self.settle(
            delivery.project_id,
            delivery.id,
            delivery.endpoint_id,
            delivery.attempts,
            standing,
            None,
        )
        .await;
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
