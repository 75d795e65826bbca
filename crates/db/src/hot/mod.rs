//! The one statement that the delivery path writes with.
//!
//! Up to some hundred events, their deliveries and attempts, the outcomes of older deliveries and
//! the counters go to PostgreSQL together: one round trip, one commit. Only the parts that have
//! rows are put into the statement, so there are few distinct texts and each is prepared once per
//! connection.
//!
//! Counters follow from the rows that the statement really wrote, so writing a group again adds
//! nothing to them.

use chrono::{DateTime, Utc};
use domain::event::EventKind;
use domain::id::{AttemptId, DeliveryId, EndpointId, EventId, ProjectId, SourceId, SubscriptionId};
use domain::lifecycle::KeepDays;
use domain::state::{DeliveryState, EventState};
use uuid::Uuid;

use crate::collision::again;
use crate::{Db, DbError};

mod parts;
mod statement;
mod tally;

use statement::Statement;
use tally::Tally;

/// A new row of `events`.
#[derive(Clone, Debug)]
pub struct NewEvent<T> {
    /// Stamped with `accepted_at`.
    pub id: EventId,
    /// Keep class at the time of writing.
    pub keep_days: KeepDays,
    /// Its project.
    pub project_id: ProjectId,
    /// How it came.
    pub kind: EventKind,
    /// Where it stands.
    pub state: EventState,
    /// When the sweeper may take it; only of states that are not final.
    pub due_at: Option<DateTime<Utc>>,
    /// Known already by its idempotency key.
    pub duplicate: bool,
    /// The endpoint asked for.
    pub endpoint_id: Option<EndpointId>,
    /// The source it came from.
    pub source_id: Option<SourceId>,
    /// Its type.
    pub event_type: T,
    /// JSON text as received.
    pub payload: T,
    /// JSON object of custom headers.
    pub headers: Option<String>,
    /// The owner asked for.
    pub owner_id: Option<T>,
    /// The caller's key.
    pub idempotency_key: Option<T>,
    /// Why it ended without a delivery.
    pub failure_reason: Option<&'static str>,
}

/// The end of an event that was stored before it was matched.
#[derive(Clone, Debug)]
pub struct EventOutcome {
    /// The event.
    pub id: EventId,
    /// Its project.
    pub project_id: ProjectId,
    /// Bytes of its payload.
    pub payload_bytes: usize,
    /// A final state.
    pub state: EventState,
    /// Known already by its idempotency key.
    pub duplicate: bool,
    /// Why it ended without a delivery.
    pub failure_reason: Option<&'static str>,
}

/// Where a delivery stands after something happened to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The state.
    pub state: DeliveryState,
    /// Next attempt or end of the lease; `None` exactly in final states.
    pub due_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Accepted to delivered.
    pub latency_ms: Option<i32>,
    /// Attempts made.
    pub attempts: i16,
    /// Status of the last answer.
    pub last_status: Option<i16>,
    /// Why it stands where it stands.
    pub description: Option<String>,
    /// The retry policy frozen at the first failure, as JSON.
    pub retry: Option<String>,
}

/// A new row of `event_deliveries`.
#[derive(Clone, Debug)]
pub struct NewDelivery<T> {
    /// Stamped with the event's `accepted_at`.
    pub id: DeliveryId,
    /// The event's keep class.
    pub keep_days: KeepDays,
    /// Its project.
    pub project_id: ProjectId,
    /// Its event.
    pub event_id: EventId,
    /// Where it goes.
    pub endpoint_id: EndpointId,
    /// Why it goes there.
    pub subscription_id: Option<SubscriptionId>,
    /// The event's type, so that lists need no join.
    pub event_type: T,
    /// Where it stands.
    pub standing: Standing,
}

/// What became of a delivery that was stored before.
#[derive(Clone, Debug)]
pub struct DeliveryOutcome {
    /// The delivery.
    pub id: DeliveryId,
    /// Its project.
    pub project_id: ProjectId,
    /// Where it goes.
    pub endpoint_id: EndpointId,
    /// End of the lease under which it was attempted. The outcome is dropped when the row names
    /// another one, or none: somebody else took over.
    pub lease: Option<DateTime<Utc>>,
    /// Attempts that the row counted when the lease was taken; must still be so, too.
    pub attempts_before: i16,
    /// Where it stands now.
    pub standing: Standing,
}

/// A new row of `delivery_attempts`.
#[derive(Clone, Debug)]
pub struct NewAttempt {
    /// Stamped with the event's `accepted_at`.
    pub id: AttemptId,
    /// The event's keep class.
    pub keep_days: KeepDays,
    /// Its project.
    pub project_id: ProjectId,
    /// Its delivery.
    pub delivery_id: DeliveryId,
    /// 1 for the first.
    pub number: i16,
    /// When the request was started.
    pub requested_at: DateTime<Utc>,
    /// How long it took, in microseconds.
    pub duration_us: i32,
    /// Status of the answer.
    pub http_status: Option<i16>,
    /// Address of the request.
    pub url: String,
    /// Lines `name: value`.
    pub request_headers: String,
    /// Lines `name: value`.
    pub response_headers: Option<String>,
    /// Body of the answer, cut.
    pub response_body: Option<Vec<u8>>,
    /// Network address that was sent to.
    pub address: Option<String>,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// The endpoint of counters that belong to a whole project.
pub const WHOLE_PROJECT: EndpointId = EndpointId(Uuid::nil());

/// Everything that one statement writes.
#[derive(Clone, Debug, Default)]
pub struct Group<T> {
    /// New events.
    pub events: Vec<NewEvent<T>>,
    /// Ends of events stored before.
    pub event_outcomes: Vec<EventOutcome>,
    /// New deliveries.
    pub deliveries: Vec<NewDelivery<T>>,
    /// Outcomes of deliveries stored before.
    pub delivery_outcomes: Vec<DeliveryOutcome>,
    /// Attempts made.
    pub attempts: Vec<NewAttempt>,
    /// Some of the new rows may be stored already, perhaps in another class: see
    /// [`Existing::Keep`].
    pub repeats: bool,
}

impl<T> Group<T> {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// How many rows it writes, counters aside.
    pub fn rows(&self) -> usize {
        self.events.len()
            + self.event_outcomes.len()
            + self.deliveries.len()
            + self.delivery_outcomes.len()
            + self.attempts.len()
    }

    /// Takes over the rows of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.events.append(&mut other.events);
        self.event_outcomes.append(&mut other.event_outcomes);
        self.deliveries.append(&mut other.deliveries);
        self.delivery_outcomes.append(&mut other.delivery_outcomes);
        self.attempts.append(&mut other.attempts);
        self.repeats |= other.repeats;
    }
}

impl<T: AsRef<str>> Group<T> {
    /// About how many bytes of text the rows carry.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let events = self
            .events
            .iter()
            .map(|r| r.payload.as_ref().len() + text(&r.headers));
        let attempts = self.attempts.iter().map(|r| {
            let body = r.response_body.as_ref().map_or(0, Vec::len);
            r.url.len() + r.request_headers.len() + text(&r.response_headers) + body + text(&r.error)
        });
        events.sum::<usize>() + attempts.sum::<usize>()
    }
}

/// What to do with a row that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Fail the whole group with [`DbError::Duplicate`]. The normal case, and the cheaper plan. It
    /// sees rows of the same keep class only.
    Refuse,
    /// Keep the stored row, of whatever class: the group repeats work whose first commit may have
    /// happened.
    Keep,
}

/// Writes a group in one statement and one commit. Safe to repeat with [`Existing::Keep`]: rows
/// that are stored stay as they are, and nothing is counted twice.
///
/// `shard` names the writer, so that two writers never wait for each other's counter rows.
///
/// # Errors
/// [`DbError::Duplicate`] with [`Existing::Refuse`] when a row exists; then nothing was written.
pub async fn write<T: AsRef<str>>(
    db: &Db,
    group: &Group<T>,
    shard: i16,
    existing: Existing,
) -> Result<(), DbError> {
    if group.is_empty() {
        return Ok(());
    }
    again(move || async move {
        let mut statement = Statement::default();
        let mut tally = Tally::default();
        parts::events(&mut statement, &mut tally, &group.events, existing);
        parts::event_outcomes(&mut statement, &mut tally, &group.event_outcomes);
        parts::deliveries(&mut statement, &mut tally, &group.deliveries, existing);
        let settled = parts::delivery_outcomes(&mut statement, &mut tally, &group.delivery_outcomes);
        parts::attempts(&mut statement, &group.attempts, settled, existing);
        tally.write(&mut statement, shard);
        statement.execute(db.pool()).await
    })
    .await
}
