//! The one statement that the delivery path writes with.
//!
//! Up to some hundred events, their deliveries and attempts, the outcomes of older deliveries and
//! the counters go to PostgreSQL together: one round trip, one commit. Only the parts that have
//! rows are put into the statement, so there are few distinct texts and each is prepared once per
//! connection.

use std::collections::HashMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use domain::counts::Metric;
use domain::event::EventKind;
use domain::id::{AttemptId, DeliveryId, EndpointId, EventId, ProjectId, SourceId, SubscriptionId};
use domain::lifecycle::KeepDays;
use domain::state::{DeliveryState, EventState};
use uuid::Uuid;

use crate::{Db, DbError};

mod statement;

use statement::{Array, Statement};

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
    /// Attempts that the row counted when the lease was taken. The outcome is dropped when the row
    /// counts differently: somebody else took over.
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

/// Counter increments of one group.
#[derive(Clone, Debug, Default)]
pub struct Counts(HashMap<(DateTime<Utc>, ProjectId, EndpointId, Metric), i64>);

/// The endpoint of counters that belong to a whole project.
pub const WHOLE_PROJECT: EndpointId = EndpointId(Uuid::nil());

impl Counts {
    /// Adds `n` to a counter in the hour of `at`.
    pub fn add(
        &mut self,
        at: DateTime<Utc>,
        project: ProjectId,
        endpoint: EndpointId,
        metric: Metric,
        n: i64,
    ) {
        let hour = at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at);
        *self.0.entry((hour, project, endpoint, metric)).or_default() += n;
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

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
    /// Counter increments.
    pub counts: Counts,
}

impl<T> Group<T> {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.event_outcomes.is_empty()
            && self.deliveries.is_empty()
            && self.delivery_outcomes.is_empty()
            && self.attempts.is_empty()
            && self.counts.is_empty()
    }

    /// Takes over the rows of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.events.append(&mut other.events);
        self.event_outcomes.append(&mut other.event_outcomes);
        self.deliveries.append(&mut other.deliveries);
        self.delivery_outcomes.append(&mut other.delivery_outcomes);
        self.attempts.append(&mut other.attempts);
        for (key, n) in other.counts.0 {
            *self.counts.0.entry(key).or_default() += n;
        }
    }
}

/// What to do with a row that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Fail the whole group with [`DbError::Duplicate`]. The normal case, and the cheaper plan.
    Refuse,
    /// Keep the stored row: the group repeats work whose first commit may have happened.
    Keep,
}

/// Writes a group in one statement and one commit.
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
    let mut statement = Statement::default();
    let existing = match existing {
        Existing::Refuse => "",
        Existing::Keep => "ON CONFLICT DO NOTHING",
    };
    event_parts(&mut statement, group, existing);
    delivery_parts(&mut statement, group, existing);
    attempt_part(&mut statement, &group.attempts, existing);
    count_part(&mut statement, &group.counts, shard);
    statement.execute(db.pool()).await
}

/// The column of one value of every row.
fn col<'a, R, V>(rows: &'a [R], value: impl FnMut(&'a R) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

fn event_parts<'a, T: AsRef<str>>(statement: &mut Statement<'a>, group: &'a Group<T>, existing: &str) {
    let rows = &group.events;
    if !rows.is_empty() {
        let columns = vec![
            ("accepted_at", Array::Time(col(rows, |r| r.id.instant()))),
            ("due_at", Array::OptTime(col(rows, |r| r.due_at))),
            ("keep_days", Array::I16(col(rows, |r| r.keep_days.0))),
            ("state", Array::I16(col(rows, |r| r.state.code()))),
            ("kind", Array::I16(col(rows, |r| r.kind.code()))),
            ("duplicate", Array::Bool(col(rows, |r| r.duplicate))),
            ("id", Array::Uuid(col(rows, |r| r.id.0))),
            ("project_id", Array::Uuid(col(rows, |r| r.project_id.0))),
            (
                "endpoint_id",
                Array::OptUuid(col(rows, |r| r.endpoint_id.map(|id| id.0))),
            ),
            (
                "source_id",
                Array::OptUuid(col(rows, |r| r.source_id.map(|id| id.0))),
            ),
            ("event_type", Array::Text(col(rows, |r| r.event_type.as_ref()))),
            ("payload", Array::Text(col(rows, |r| r.payload.as_ref()))),
            ("headers", Array::OptText(col(rows, |r| r.headers.as_deref()))),
            (
                "owner_id",
                Array::OptText(col(rows, |r| r.owner_id.as_ref().map(AsRef::as_ref))),
            ),
            (
                "idempotency_key",
                Array::OptText(col(rows, |r| r.idempotency_key.as_ref().map(AsRef::as_ref))),
            ),
            ("failure_reason", Array::OptText(col(rows, |r| r.failure_reason))),
        ];
        statement.insert("events", columns, existing);
    }
    let rows = &group.event_outcomes;
    if !rows.is_empty() {
        let columns = vec![
            ("id", Array::Uuid(col(rows, |r| r.id.0))),
            ("accepted_at", Array::Time(col(rows, |r| r.id.instant()))),
            ("state", Array::I16(col(rows, |r| r.state.code()))),
            ("duplicate", Array::Bool(col(rows, |r| r.duplicate))),
            ("failure_reason", Array::OptText(col(rows, |r| r.failure_reason))),
        ];
        let set =
            "state = n.state, duplicate = n.duplicate, failure_reason = n.failure_reason, due_at = NULL";
        statement.update(
            "events",
            columns,
            set,
            "t.due_at IS NOT NULL",
            rows.iter().map(|r| r.id.instant()),
        );
    }
}

fn delivery_parts<'a, T: AsRef<str>>(statement: &mut Statement<'a>, group: &'a Group<T>, existing: &str) {
    let rows = &group.deliveries;
    if !rows.is_empty() {
        let mut columns = vec![
            ("accepted_at", Array::Time(col(rows, |r| r.id.instant()))),
            ("keep_days", Array::I16(col(rows, |r| r.keep_days.0))),
            ("id", Array::Uuid(col(rows, |r| r.id.0))),
            ("project_id", Array::Uuid(col(rows, |r| r.project_id.0))),
            ("event_id", Array::Uuid(col(rows, |r| r.event_id.0))),
            ("endpoint_id", Array::Uuid(col(rows, |r| r.endpoint_id.0))),
            (
                "subscription_id",
                Array::OptUuid(col(rows, |r| r.subscription_id.map(|id| id.0))),
            ),
            ("event_type", Array::Text(col(rows, |r| r.event_type.as_ref()))),
        ];
        columns.extend(standing_columns(rows, |r| &r.standing));
        statement.insert("event_deliveries", columns, existing);
    }
    let rows = &group.delivery_outcomes;
    if !rows.is_empty() {
        let mut columns = vec![
            ("id", Array::Uuid(col(rows, |r| r.id.0))),
            ("accepted_at", Array::Time(col(rows, |r| r.id.instant()))),
            ("attempts_before", Array::I16(col(rows, |r| r.attempts_before))),
        ];
        columns.extend(standing_columns(rows, |r| &r.standing));
        let set = "state = n.state, due_at = n.due_at, ended_at = n.ended_at, latency_ms = n.latency_ms, \
                   attempts = n.attempts, last_status = n.last_status, description = n.description, \
                   retry = coalesce(n.retry, t.retry)";
        let fence = "t.attempts = n.attempts_before AND t.due_at IS NOT NULL";
        statement.update(
            "event_deliveries",
            columns,
            set,
            fence,
            rows.iter().map(|r| r.id.instant()),
        );
    }
}

fn standing_columns<'a, R>(rows: &'a [R], of: fn(&'a R) -> &'a Standing) -> [(&'static str, Array<'a>); 8] {
    [
        ("due_at", Array::OptTime(col(rows, |r| of(r).due_at))),
        ("ended_at", Array::OptTime(col(rows, |r| of(r).ended_at))),
        ("latency_ms", Array::OptI32(col(rows, |r| of(r).latency_ms))),
        ("state", Array::I16(col(rows, |r| of(r).state.code()))),
        ("attempts", Array::I16(col(rows, |r| of(r).attempts))),
        ("last_status", Array::OptI16(col(rows, |r| of(r).last_status))),
        (
            "description",
            Array::OptText(col(rows, |r| of(r).description.as_deref())),
        ),
        ("retry", Array::OptText(col(rows, |r| of(r).retry.as_deref()))),
    ]
}

fn attempt_part<'a>(statement: &mut Statement<'a>, rows: &'a [NewAttempt], existing: &str) {
    if rows.is_empty() {
        return;
    }
    let columns = vec![
        ("accepted_at", Array::Time(col(rows, |r| r.id.instant()))),
        ("requested_at", Array::Time(col(rows, |r| r.requested_at))),
        ("duration_us", Array::I32(col(rows, |r| r.duration_us))),
        ("keep_days", Array::I16(col(rows, |r| r.keep_days.0))),
        ("number", Array::I16(col(rows, |r| r.number))),
        ("http_status", Array::OptI16(col(rows, |r| r.http_status))),
        ("id", Array::Uuid(col(rows, |r| r.id.0))),
        ("project_id", Array::Uuid(col(rows, |r| r.project_id.0))),
        ("delivery_id", Array::Uuid(col(rows, |r| r.delivery_id.0))),
        ("url", Array::Text(col(rows, |r| r.url.as_str()))),
        (
            "request_headers",
            Array::Text(col(rows, |r| r.request_headers.as_str())),
        ),
        (
            "response_headers",
            Array::OptText(col(rows, |r| r.response_headers.as_deref())),
        ),
        (
            "response_body",
            Array::OptBytes(col(rows, |r| r.response_body.as_deref())),
        ),
        ("address", Array::OptText(col(rows, |r| r.address.as_deref()))),
        ("error", Array::OptText(col(rows, |r| r.error.as_deref()))),
    ];
    statement.insert("delivery_attempts", columns, existing);
}

fn count_part(statement: &mut Statement<'_>, counts: &Counts, shard: i16) {
    if counts.is_empty() {
        return;
    }
    // Always in the same order, so that two statements can never wait for each other in a circle.
    let mut rows: Vec<_> = counts.0.iter().collect();
    rows.sort_unstable_by_key(|(key, _)| **key);
    let columns = vec![
        ("hour", Array::Time(rows.iter().map(|(key, _)| key.0).collect())),
        ("n", Array::I64(rows.iter().map(|(_, n)| **n).collect())),
        (
            "metric",
            Array::I16(rows.iter().map(|(key, _)| key.3.code()).collect()),
        ),
        ("shard", Array::I16(vec![shard; rows.len()])),
        (
            "project_id",
            Array::Uuid(rows.iter().map(|(key, _)| key.1.0).collect()),
        ),
        (
            "endpoint_id",
            Array::Uuid(rows.iter().map(|(key, _)| key.2.0).collect()),
        ),
    ];
    let add = "ON CONFLICT (project_id, hour, endpoint_id, metric, shard) \
               DO UPDATE SET n = delivery_counts_hourly.n + excluded.n";
    statement.insert("delivery_counts_hourly", columns, add);
}
