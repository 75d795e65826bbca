//! What the delivery path works with, and the steps that first and later attempts share.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use db::hot::{Counts, DeliveryOutcome, NewAttempt, Standing};
use db::idempotency::Claim;
use domain::counts::Metric;
use domain::id::{DeliveryId, EndpointId, EventId, ProjectId};
use domain::state::DeliveryState;
use http::HeaderValue;
use queue::payload::Facts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::attempt::{Attempted, Trouble};
use super::due::Leases;
use super::gate::{Gates, Place};
use super::journal::{Journal, Patience, Rows};
use super::sender::{SendError, Sender};
use crate::Services;
use crate::catalog::{Endpoint, Project, Subscription};
use crate::error::{Error, Result};
use crate::grouping::{GroupOptions, Grouped};

/// Closing rules of a group of key claims: a claim stands before an attempt, so it never lingers.
const CLAIMS: GroupOptions = GroupOptions {
    size: 256,
    linger: Duration::ZERO,
};

/// The delivery engine of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) services: Arc<Services>,
    pub(super) sender: Sender,
    pub(super) gates: Arc<Gates>,
    pub(super) journal: Journal,
    pub(super) leases: Leases,
    pub(super) user_agent: HeaderValue,
    /// Attempts that outlived their task; shutdown waits for them.
    pub(super) running: TaskTracker,
    places: Arc<Semaphore>,
    /// Deliveries whose rows stand under a lease of this process.
    in_hand: Arc<Mutex<HashSet<DeliveryId>>>,
    /// Due deliveries taken up and not yet settled. Bounds memory, and keeps leases from running
    /// out in a line.
    pub(super) taken_up: Arc<Semaphore>,
    claims: Grouped<Claim, std::result::Result<EventId, ClaimFailed>>,
}

/// The claim of an idempotency key failed; worth trying again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("idempotency keys cannot be read: {0}")]
pub(super) struct ClaimFailed(String);

/// A place at the endpoint and in the process, free again when dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    _place: Place,
    _permit: OwnedSemaphorePermit,
}

/// A delivery under a lease of this process; see [`Engine::in_hand`].
#[derive(Debug)]
pub(super) struct InHand {
    id: DeliveryId,
    all: Arc<Mutex<HashSet<DeliveryId>>>,
}

impl Drop for InHand {
    fn drop(&mut self) {
        lock(&self.all).remove(&self.id);
    }
}

fn lock(all: &Mutex<HashSet<DeliveryId>>) -> std::sync::MutexGuard<'_, HashSet<DeliveryId>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// An engine for `services`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Invalid`] when an option cannot be used.
    pub fn start(services: Arc<Services>) -> Result<Self> {
        let options = &services.options.delivery;
        let user_agent = HeaderValue::from_str(&options.user_agent)
            .map_err(|_| Error::invalid("delivery.user_agent", "must be a header value"))?;
        let db = services.db.clone();
        let claims = Grouped::start(CLAIMS, move |claims: Vec<Claim>| {
            let db = db.clone();
            async move {
                match db::idempotency::claim(&db, &claims).await {
                    Ok(owners) => owners.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(ClaimFailed(error.to_string())); claims.len()],
                }
            }
        });
        Ok(Self {
            sender: Sender::new(options)?,
            gates: Arc::new(Gates::new(options.endpoint_concurrency)),
            journal: Journal::start(services.db.clone(), Patience::Waits),
            leases: Leases::start(&services),
            user_agent,
            running: TaskTracker::new(),
            places: Arc::new(Semaphore::new(options.concurrency as usize)),
            in_hand: Arc::default(),
            taken_up: Arc::new(Semaphore::new(options.concurrency as usize)),
            claims,
            services,
        })
    }

    /// Waits for attempts under way, at most `limit`; what is left is handed back, so that another
    /// worker does it at once.
    pub async fn drain(&self, limit: Duration) {
        self.running.close();
        if tokio::time::timeout(limit, self.running.wait()).await.is_ok() {
            return;
        }
        let left: Vec<DeliveryId> = lock(&self.in_hand).iter().copied().collect();
        tracing::warn!(
            attempts = left.len(),
            "attempts did not end in time and are handed back"
        );
        let now = self.services.clock.now();
        if let Err(error) = db::deliveries::hand_back(&self.services.db, &left, now).await {
            return tracing::warn!(%error, "attempts are left to their leases");
        }
        self.enqueue_due(left.into_iter().map(|id| (now, id)).collect())
            .await;
    }

    /// Notes a delivery whose row says that this process has it, until the note is dropped.
    pub(super) fn in_hand(&self, id: DeliveryId) -> InHand {
        lock(&self.in_hand).insert(id);
        InHand {
            id,
            all: Arc::clone(&self.in_hand),
        }
    }

    /// A place for one attempt to `endpoint` because of `subscription`, or how long to put it off.
    pub(super) async fn admit(
        &self,
        endpoint: &Endpoint,
        subscription: Option<&Subscription>,
    ) -> std::result::Result<Admitted, Duration> {
        let meters = &self.services.meters;
        let put_off = |wait: Duration| {
            meters.put_off.increment(1);
            wait
        };
        let place = self.gates.of(endpoint.id).enter().await.map_err(put_off)?;
        if let Some((subscription, limit)) = subscription.and_then(|s| Some((s, s.rate_limit.as_ref()?))) {
            self.within_rate(subscription.id.0, limit)
                .await
                .map_err(put_off)?;
        }
        if endpoint.rate_limit.count > 0 {
            self.within_rate(endpoint.id.0, &endpoint.rate_limit)
                .await
                .map_err(put_off)?;
        }
        // The semaphore is never closed.
        let permit = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| Duration::from_secs(1))?;
        meters.under_way.increment(1);
        Ok(Admitted {
            _place: place,
            _permit: permit,
        })
    }

    /// Counts an attempt, tells the gate how the endpoint behaved, and frees the place.
    pub(super) fn note(&self, endpoint: &Endpoint, attempted: &Attempted, admitted: Admitted) {
        let meters = &self.services.meters;
        meters.under_way.decrement(1);
        match &attempted.outcome {
            Ok(answer) if (200..300).contains(&answer.status) => meters.attempts_ok.increment(1),
            _ => meters.attempts_failed.increment(1),
        }
        let gate = self.gates.of(endpoint.id);
        match attempted.outcome {
            Err(Trouble::Send(SendError::Timeout(limit))) => gate.timed_out(limit),
            _ => gate.answered(attempted.duration),
        }
        drop(admitted);
    }

    /// The event that has the idempotency key now: this one, or an earlier one.
    pub(super) async fn claim_key(&self, facts: &Facts, key: String) -> Result<EventId> {
        let claim = Claim {
            project: facts.project,
            key,
            event: facts.id,
        };
        self.claims.request(claim).await?.map_err(|error| {
            tracing::warn!(%error, "cannot claim an idempotency key");
            Error::Unavailable {
                what: "PostgreSQL",
                retry_after: 5,
            }
        })
    }

    /// Writes what became of a stored delivery and queues its next attempt.
    pub(super) async fn settle(
        &self,
        project: ProjectId,
        id: DeliveryId,
        endpoint: EndpointId,
        attempts_before: i16,
        standing: Standing,
        attempt: Option<NewAttempt>,
    ) {
        let mut rows = Rows::default();
        count_standing(&mut rows.counts, id.instant(), project, endpoint, &standing);
        let due = standing.due_at.map(|at| (at, id));
        rows.attempts.extend(attempt);
        rows.delivery_outcomes.push(DeliveryOutcome {
            id,
            attempts_before,
            standing,
        });
        if let Err(error) = self.journal.write(rows).await {
            tracing::error!(delivery = %id, %error, "the outcome is lost; the lease brings the delivery back");
            return;
        }
        self.enqueue_due(due.into_iter().collect()).await;
    }

    /// An endpoint said that it wants no more, or used up the attempts of a delivery: switched off
    /// when its project says so.
    pub(super) fn give_up(&self, project: &Arc<Project>, endpoint: &Endpoint, attempted: &Attempted) {
        if !project.config.disable_endpoint {
            return;
        }
        let reason = match &attempted.outcome {
            Ok(answer) => format!("answered {}", answer.status),
            Err(trouble) => trouble.to_string(),
        };
        let (services, project, endpoint) = (Arc::clone(&self.services), project.id, endpoint.id);
        self.running.spawn(async move {
            if let Err(error) = crate::endpoints::switch_off(&services, project, endpoint, &reason).await {
                tracing::warn!(%endpoint, %error, "the endpoint could not be switched off");
            }
        });
    }
}

/// Counts a delivery that came to stand somewhere.
pub(super) fn count_standing(
    counts: &mut Counts,
    at: DateTime<Utc>,
    project: ProjectId,
    endpoint: EndpointId,
    standing: &Standing,
) {
    let metric = match standing.state {
        DeliveryState::Success => Metric::Delivered,
        DeliveryState::Failure => Metric::Failed,
        DeliveryState::Discarded => Metric::Discarded,
        DeliveryState::Retry => Metric::Retried,
        DeliveryState::Scheduled | DeliveryState::Processing => return,
    };
    counts.add(at, project, endpoint, metric, 1);
    if let Some(latency) = standing.latency_ms {
        counts.add(at, project, endpoint, Metric::latency(latency as u32), 1);
    }
}
