//! What the delivery path works with, and the steps that first and later attempts share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use db::hot::{DeliveryOutcome, NewAttempt};
use db::idempotency::Claim;
use domain::id::{DeliveryId, EventId, ProjectId};
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
use crate::grouping::{GroupOptions, Grouped, Weighed, Weight};

/// Closing rules of groups of questions that stand before an attempt: they never linger.
const QUESTIONS: GroupOptions = GroupOptions {
    size: 256,
    weight: Weight::UNBOUND,
    linger: Duration::ZERO,
};

impl Weighed for Claim {}
impl Weighed for ProjectId {}

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
    /// Deliveries whose rows stand under a lease of this process, with its end.
    in_hand: Arc<Mutex<InHands>>,
    /// Due deliveries taken up and not yet settled. Bounds memory, and keeps leases from running
    /// out in a line.
    pub(super) taken_up: Arc<Semaphore>,
    claims: Grouped<Claim, std::result::Result<EventId, Unanswered>>,
    currents: Grouped<ProjectId, std::result::Result<(), Unanswered>>,
}

const UNANSWERED: Error = Error::Unavailable {
    what: "PostgreSQL",
    retry_after: 5,
};

/// PostgreSQL could not be asked; worth trying again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct Unanswered(String);

type InHands = HashMap<DeliveryId, DateTime<Utc>>;

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
    lease: DateTime<Utc>,
    all: Arc<Mutex<InHands>>,
}

impl InHand {
    /// Notes that the lease ends later now.
    pub(super) fn extend(&mut self, lease: DateTime<Utc>) {
        self.lease = lease;
        lock(&self.all).insert(self.id, lease);
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let mut all = lock(&self.all);
        // Under a later lease, the same delivery may be in hand again.
        if all.get(&self.id) == Some(&self.lease) {
            all.remove(&self.id);
        }
    }
}

fn lock(all: &Mutex<InHands>) -> std::sync::MutexGuard<'_, InHands> {
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
        let claims = Grouped::start(QUESTIONS, move |claims: Vec<Claim>| {
            let db = db.clone();
            async move {
                match db::idempotency::claim(&db, &claims).await {
                    Ok(owners) => owners.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(Unanswered(error.to_string())); claims.len()],
                }
            }
        });
        let known = Arc::clone(&services);
        let currents = Grouped::start(QUESTIONS, move |projects: Vec<ProjectId>| {
            let services = Arc::clone(&known);
            async move {
                let asked: HashSet<ProjectId> = projects.iter().copied().collect();
                let asked: Vec<ProjectId> = asked.into_iter().collect();
                let caught_up = services.catalog.catch_up(&asked).await;
                let answer = caught_up.map_err(|error| Unanswered(error.to_string()));
                vec![answer; projects.len()]
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
            currents,
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
        let left: Vec<(DeliveryId, DateTime<Utc>)> = lock(&self.in_hand)
            .iter()
            .map(|(id, lease)| (*id, *lease))
            .collect();
        tracing::warn!(
            attempts = left.len(),
            "attempts did not end in time and are handed back"
        );
        let now = self.services.clock.now();
        if let Err(error) = db::deliveries::hand_back(&self.services.db, &left, now).await {
            return tracing::warn!(%error, "attempts are left to their leases");
        }
        self.enqueue_due(left.into_iter().map(|(id, _)| (now, id)).collect())
            .await;
    }

    /// Notes a delivery whose row says that this process has it until `lease`, as long as the note
    /// is kept.
    pub(super) fn in_hand(&self, id: DeliveryId, lease: DateTime<Utc>) -> InHand {
        lock(&self.in_hand).insert(id, lease);
        InHand {
            id,
            lease,
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
            UNANSWERED
        })
    }

    /// Makes sure that the catalog knows a project as it is now. Before anything ends, or waits for
    /// long, because of what the catalog says: nothing ends on hearsay.
    pub(super) async fn be_current(&self, project: ProjectId) -> Result<()> {
        self.currents.request(project).await?.map_err(|error| {
            tracing::debug!(%error, "cannot tell whether the catalog is current");
            UNANSWERED
        })
    }

    /// Writes what became of a stored delivery and queues its next attempt.
    pub(super) async fn settle(&self, outcome: DeliveryOutcome, attempt: Option<NewAttempt>) {
        let id = outcome.id;
        let due = outcome.standing.due_at.map(|at| (at, id));
        let mut rows = Rows::default();
        rows.attempts.extend(attempt);
        rows.delivery_outcomes.push(outcome);
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
