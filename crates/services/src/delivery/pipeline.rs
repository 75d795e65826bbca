//! An accepted event: match it, make the first attempts, write everything together.
//!
//! The attempt comes first and the rows second, because the queue entry stays unacknowledged until
//! the rows are committed: a death in between repeats the attempt and loses nothing. An attempt
//! that has not ended within the grace is written as under way with a lease, and its outcome
//! follows later; so a slow receiver holds back neither its own event nor anybody else's.

use std::sync::Arc;

use bytestring::ByteString;
use chrono::{DateTime, TimeDelta, Utc};
use db::events::Event;
use db::hot::{DeliveryOutcome, EventOutcome, NewAttempt, NewDelivery, Standing};
use domain::id::{DeliveryId, EventId, SubscriptionId};
use domain::lifecycle::KeepDays;
use domain::retry::RetryPolicy;
use domain::state::{DeliveryState, EndpointState, EventState};
use futures::future::join_all;
use queue::Payload as _;
use queue::payload::{AcceptedEvent, DueDelivery, Facts};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::attempt::{self, Attempted, Outgoing, Rules};
use super::due::LEASE;
use super::engine::Engine;
use super::journal::Rows;
use super::rows::{ended, new_event, under_way, waiting};
use crate::catalog::{Endpoint, Project, Sample, Subscription};
use crate::error::Result;

/// How long a delivery to a paused endpoint waits before it is looked at again.
pub(super) const HOLD: TimeDelta = TimeDelta::minutes(15);
/// A lease outlives the attempt's time limit by this much.
pub(super) const LEASE_SLACK: TimeDelta = TimeDelta::seconds(30);

/// An event, shared by the attempts of its deliveries.
#[derive(Debug)]
struct Shared {
    facts: Facts,
    payload: ByteString,
    event_type: ByteString,
    project: Arc<Project>,
    /// Its row, or a row of its deliveries, may be stored already.
    repeats: bool,
    /// Cancelled once the event's rows are committed: outcomes that follow must find them.
    written: CancellationToken,
}

/// A delivery of the event, before its first attempt.
#[derive(Debug)]
struct Planned {
    id: DeliveryId,
    endpoint: Arc<Endpoint>,
    subscription: Arc<Subscription>,
}

/// What became of a planned delivery within the grace.
enum First {
    /// It stands where it stands; the attempt, if one was made, is in the rows.
    Done(Rows),
    /// The attempt is under way; the rows say so, and the outcome follows.
    UnderWay(Rows),
}

impl Engine {
    /// Does an accepted event. Returns after everything that is known is committed.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] while PostgreSQL is away and has to be asked first.
    pub async fn process(&self, event: AcceptedEvent, hand: Hand) -> Result<()> {
        let AcceptedEvent { mut facts, payload } = event;
        match hand {
            Hand::First if facts.stored && !self.take_stored(facts.id).await? => return Ok(()),
            Hand::First | Hand::Claimed => {}
            Hand::Another => match self.look_up(facts.id).await? {
                Stored::No => {}
                Stored::Waiting if self.take_stored(facts.id).await? => facts.stored = true,
                Stored::Waiting | Stored::Ended => return Ok(()),
            },
        }
        let Some(mut project) = self
            .services
            .catalog
            .project_at(facts.project, facts.catalog_version)
            .await?
        else {
            return self.write_homeless(facts, payload).await;
        };
        // Whoever stored the event beside its entry did it in the class of that version; a change
        // since then may have put it into another one, where a plain insert would not meet it.
        let repeats = hand != Hand::First || project.version != facts.catalog_version;
        if let Some(key) = facts.idempotency_key.clone()
            && self.claim_key(&facts, key).await? != facts.id
        {
            return self.write_duplicate(&project, facts, payload, repeats).await;
        }
        let event_type = ByteString::from(facts.event_type.as_str());
        let mut planned = plan(&project, &facts, &payload);
        if !all_can_be_sent(&planned) {
            self.be_current(facts.project).await?;
            match self.services.catalog.project(facts.project) {
                None => return self.write_homeless(facts, payload).await,
                Some(current) if current.version != project.version => {
                    project = current;
                    planned = plan(&project, &facts, &payload);
                }
                Some(_) => {}
            }
        }
        let written = CancellationToken::new();
        let _tell = written.clone().drop_guard();
        let shared = Arc::new(Shared {
            facts,
            payload,
            event_type,
            project,
            repeats,
            written,
        });
        let rows = self.deliver_first(&shared, planned).await;
        let waiting: Vec<_> = due_entries(&rows);
        self.journal.write(rows).await?;
        self.enqueue_due(waiting).await;
        Ok(())
    }

    /// Makes the first attempts and collects the rows of the event.
    async fn deliver_first(&self, shared: &Arc<Shared>, planned: Vec<Planned>) -> Rows {
        let unmatched = planned.is_empty();
        let mut rows = event_rows(shared, unmatched);
        let firsts = planned
            .into_iter()
            .map(|planned| self.first(Arc::clone(shared), planned));
        for first in join_all(firsts).await {
            match first {
                First::Done(more) | First::UnderWay(more) => rows.append(more),
            }
        }
        rows
    }

    /// One delivery: held, discarded, put off, or attempted.
    async fn first(&self, shared: Arc<Shared>, planned: Planned) -> First {
        let now = self.services.clock.now();
        let standing = match planned.endpoint.state {
            EndpointState::Inactive => Some(ended(DeliveryState::Discarded, "The endpoint is inactive", now)),
            EndpointState::Paused => Some(waiting(now + HOLD, "The endpoint is paused")),
            EndpointState::Active => None,
        };
        if let Some(standing) = standing {
            return First::Done(delivery_rows(&shared, &planned, standing));
        }
        match self.admit(&planned.endpoint, Some(&planned.subscription)).await {
            Err(wait) => {
                let due = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::seconds(60));
                First::Done(delivery_rows(
                    &shared,
                    &planned,
                    waiting(due, "Waits for a free place at the endpoint"),
                ))
            }
            Ok(admitted) => self.attempt_within_grace(shared, planned, admitted).await,
        }
    }

    async fn attempt_within_grace(
        &self,
        shared: Arc<Shared>,
        planned: Planned,
        admitted: super::engine::Admitted,
    ) -> First {
        let started = self.services.clock.now();
        let planned = Arc::new(planned);
        let engine = self.clone();
        let (task_shared, task_planned) = (Arc::clone(&shared), Arc::clone(&planned));
        let mut attempting = Box::pin(async move {
            let attempted = engine.attempt(&task_shared, &task_planned, started).await;
            engine.note(&task_planned.endpoint, &attempted, admitted);
            attempted
        });
        let grace = self.services.options.delivery.first_attempt_grace;
        if let Ok(attempted) = tokio::time::timeout(grace, &mut attempting).await {
            return First::Done(self.outcome_rows(&shared, &planned, attempted));
        }
        let lease = started + TimeDelta::from_std(planned.endpoint.timeout).unwrap_or_default() + LEASE_SLACK;
        let rows = delivery_rows(&shared, &planned, under_way(lease));
        let engine = self.clone();
        let in_hand = self.in_hand(planned.id, lease);
        self.running.spawn(async move {
            let _in_hand = in_hand;
            let attempted = attempting.await;
            engine.finish_late(&shared, &planned, lease, attempted).await;
        });
        First::UnderWay(rows)
    }

    async fn attempt(&self, shared: &Shared, planned: &Planned, now: DateTime<Utc>) -> Attempted {
        attempt::make(&self.sender, &self.user_agent, now, &shared.outgoing(planned)).await
    }

    /// Rows of a delivery whose first attempt ended in time.
    fn outcome_rows(&self, shared: &Shared, planned: &Planned, attempted: Attempted) -> Rows {
        let (standing, attempt) = self.conclude(shared, planned, attempted);
        let mut rows = delivery_rows(shared, planned, standing);
        rows.attempts.push(attempt);
        rows
    }

    /// Writes the outcome of an attempt that outlived the grace, once its delivery's row is there.
    async fn finish_late(
        &self,
        shared: &Shared,
        planned: &Planned,
        lease: DateTime<Utc>,
        attempted: Attempted,
    ) {
        shared.written.cancelled().await;
        let (standing, attempt) = self.conclude(shared, planned, attempted);
        let outcome = DeliveryOutcome {
            id: planned.id,
            project_id: shared.project.id,
            endpoint_id: planned.endpoint.id,
            lease: Some(lease),
            attempts_before: 0,
            standing,
        };
        self.settle(outcome, Some(attempt)).await;
    }

    /// Judges a first attempt and makes its row.
    fn conclude(&self, shared: &Shared, planned: &Planned, attempted: Attempted) -> (Standing, NewAttempt) {
        let rules = self.rules(&shared.project, &planned.subscription);
        let verdict = attempt::judge(&attempted, 1, shared.facts.id.instant(), &rules);
        if verdict.gave_up {
            self.give_up(&shared.project, &planned.endpoint, &attempted);
        }
        if let Some(latency) = verdict.standing.latency_ms {
            self.services.meters.latency.record(f64::from(latency) / 1000.0);
        }
        let row = attempt::row(attempted, &shared.outgoing(planned), shared.project.keep_days, 1);
        (verdict.standing, row)
    }

    pub(super) fn rules<'a>(&self, project: &'a Project, subscription: &'a Subscription) -> Rules<'a> {
        Rules {
            retry: retry_of(project, subscription),
            at_most_once: subscription.at_most_once,
            longest_wait: std::time::Duration::from_secs(
                self.services.options.delivery.max_retry_seconds.into(),
            ),
        }
    }

    /// Puts a duplicate on record; it is never delivered.
    async fn write_duplicate(
        &self,
        project: &Arc<Project>,
        facts: Facts,
        payload: ByteString,
        repeats: bool,
    ) -> Result<()> {
        let event_type = ByteString::from(facts.event_type.as_str());
        let written = CancellationToken::new();
        let shared = Shared {
            facts,
            payload,
            event_type,
            project: Arc::clone(project),
            repeats,
            written,
        };
        let mut rows = event_rows(&shared, false);
        for row in &mut rows.events {
            row.duplicate = true;
        }
        for row in &mut rows.event_outcomes {
            row.duplicate = true;
        }
        self.journal.write(rows).await
    }

    /// Queues what is to be attempted later. Failing that, the sweeper finds it in PostgreSQL.
    pub(super) async fn enqueue_due(&self, due: Vec<(DateTime<Utc>, DeliveryId)>) {
        if due.is_empty() {
            return;
        }
        let entries = due.into_iter().map(|(at, id)| (at, DueDelivery(id).encode()));
        if let Err(error) = self.services.queues.deliveries.push_at_many(entries).await {
            tracing::debug!(%error, "later attempts are left to the sweeper");
        }
    }

    /// Takes a stored event out of the sweeper's reach.
    async fn take_stored(&self, id: EventId) -> Result<bool> {
        let now = self.services.clock.now();
        Ok(db::events::take(&self.services.db, id, now, now + LEASE).await?)
    }

    /// Puts an event on record whose project was deleted after it had been accepted.
    async fn write_homeless(&self, facts: Facts, payload: ByteString) -> Result<()> {
        const REASON: &str = "the project was deleted";
        let mut rows = Rows::default();
        if facts.stored {
            let outcome = EventOutcome {
                id: facts.id,
                project_id: facts.project,
                payload_bytes: payload.len(),
                state: EventState::Failure,
                duplicate: false,
                failure_reason: Some(REASON),
            };
            rows.event_outcomes.push(outcome);
        } else {
            // Stored beside its entry, it may lie in a class that nobody knows any more.
            rows.repeats = true;
            let event_type = ByteString::from(facts.event_type.as_str());
            rows.events.push(new_event(
                &facts,
                (event_type, payload),
                KeepDays::FOR_EVER,
                EventState::Failure,
                Some(REASON),
            ));
        }
        self.journal.write(rows).await
    }

    async fn look_up(&self, id: EventId) -> Result<Stored> {
        Ok(match db::events::find(&self.services.db, id).await? {
            None => Stored::No,
            Some(event) if matches!(event.state, EventState::Pending | EventState::Processing) => {
                if db::deliveries::of_event(&self.services.db, id).await?.is_empty() {
                    Stored::Waiting
                } else {
                    self.close_stored(&event).await?;
                    Stored::Ended
                }
            }
            Some(_) => Stored::Ended,
        })
    }

    /// Ends a stored event whose deliveries exist already.
    pub(super) async fn close_stored(&self, event: &Event) -> Result<()> {
        let mut rows = Rows::default();
        rows.event_outcomes.push(EventOutcome {
            id: event.id,
            project_id: event.project_id,
            payload_bytes: event.payload.len(),
            state: EventState::Success,
            duplicate: false,
            failure_reason: None,
        });
        self.journal.write(rows).await
    }
}

/// In whose hands an event comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// The first worker that sees it.
    First,
    /// A further one: an earlier worker may have done it in part or whole.
    Another,
    /// The sweeper, which has taken it in PostgreSQL already.
    Claimed,
}

/// What PostgreSQL knows of an event that was given out before.
enum Stored {
    No,
    Waiting,
    Ended,
}

impl Shared {
    fn outgoing<'a>(&'a self, planned: &'a Planned) -> Outgoing<'a> {
        Outgoing {
            project: &self.project,
            endpoint: &planned.endpoint,
            delivery: planned.id,
            event: self.facts.id,
            payload: &self.payload,
            headers: &self.facts.headers,
            idempotency_key: self.facts.idempotency_key.as_deref(),
        }
    }
}

/// Whether there is something to send, and no endpoint that does not take it. Anything else is a
/// verdict, for which the catalog has to be current.
fn all_can_be_sent(planned: &[Planned]) -> bool {
    let active = |planned: &Planned| planned.endpoint.state == EndpointState::Active;
    !planned.is_empty() && planned.iter().all(active)
}

fn plan(project: &Project, facts: &Facts, payload: &str) -> Vec<Planned> {
    let sample = Sample::new(payload, &facts.headers);
    let matching = project.matching(&facts.target, &facts.event_type, &sample);
    let plan = |(endpoint, subscription): (Arc<Endpoint>, Arc<Subscription>)| Planned {
        id: delivery_id(facts.id, subscription.id, None),
        endpoint,
        subscription,
    };
    matching.into_iter().map(plan).collect()
}

/// The id of the delivery that a match makes: always the same one, so that doing an event again
/// can never make a second delivery. A replay is another `occasion`.
pub(super) fn delivery_id(
    event: EventId,
    subscription: SubscriptionId,
    occasion: Option<Uuid>,
) -> DeliveryId {
    let mut hash = Sha256::new()
        .chain_update(event.0.as_bytes())
        .chain_update(subscription.0.as_bytes());
    if let Some(occasion) = occasion {
        hash.update(occasion.as_bytes());
    }
    let mut random = [0; 10];
    random.copy_from_slice(&hash.finalize()[..10]);
    let millis = u64::try_from(event.instant().timestamp_millis()).unwrap_or(0);
    DeliveryId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

pub(super) fn retry_of<'a>(project: &'a Project, subscription: &'a Subscription) -> &'a RetryPolicy {
    subscription.retry.as_ref().unwrap_or(&project.retry)
}

fn event_rows(shared: &Shared, unmatched: bool) -> Rows {
    let mut rows = Rows {
        repeats: shared.repeats,
        ..Rows::default()
    };
    let facts = &shared.facts;
    let (state, failure_reason) = if unmatched {
        (EventState::Failure, Some("no subscription matched this event"))
    } else {
        (EventState::Success, None)
    };
    if facts.stored {
        rows.event_outcomes.push(EventOutcome {
            id: facts.id,
            project_id: facts.project,
            payload_bytes: shared.payload.len(),
            state,
            duplicate: false,
            failure_reason,
        });
    } else {
        let texts = (shared.event_type.clone(), shared.payload.clone());
        rows.events.push(new_event(
            facts,
            texts,
            shared.project.keep_days,
            state,
            failure_reason,
        ));
    }
    rows
}

fn delivery_rows(shared: &Shared, planned: &Planned, standing: Standing) -> Rows {
    let mut rows = Rows::default();
    rows.deliveries.push(NewDelivery {
        id: planned.id,
        keep_days: shared.project.keep_days,
        project_id: shared.project.id,
        event_id: shared.facts.id,
        endpoint_id: planned.endpoint.id,
        subscription_id: Some(planned.subscription.id),
        event_type: shared.event_type.clone(),
        standing,
    });
    rows
}

fn due_entries(rows: &Rows) -> Vec<(DateTime<Utc>, DeliveryId)> {
    let later = rows
        .deliveries
        .iter()
        .filter(|row| row.standing.state != DeliveryState::Processing);
    later
        .filter_map(|row| row.standing.due_at.map(|at| (at, row.id)))
        .collect()
}
