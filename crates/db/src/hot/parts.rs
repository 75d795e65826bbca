//! The parts of the statement: which columns of which rows go where.

use chrono::{DateTime, Utc};

use super::statement::{Array, Insert, Part, Statement, Update};
use super::tally::{Condition, Tally};
use super::{DeliveryOutcome, EventOutcome, Existing, NewAttempt, NewDelivery, NewEvent, Standing};

/// The column of one value of every row.
fn col<'a, R, V>(rows: &'a [R], value: impl FnMut(&'a R) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

/// The first and the last day of some rows, for rows that may be there already.
fn days_to_look_at<R>(
    rows: &[R],
    existing: Existing,
    instant: fn(&R) -> DateTime<Utc>,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    match existing {
        Existing::Refuse => None,
        Existing::Keep => span(rows, instant),
    }
}

fn span<R>(rows: &[R], instant: fn(&R) -> DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    rows.iter().map(instant).min().zip(rows.iter().map(instant).max())
}

/// New events.
pub(super) fn events<'a, T: AsRef<str>>(
    statement: &mut Statement<'a>,
    tally: &mut Tally,
    rows: &'a [NewEvent<T>],
    existing: Existing,
) {
    if rows.is_empty() {
        return;
    }
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
    let part = statement.insert(Insert {
        table: "events",
        columns,
        unless_stored: days_to_look_at(rows, existing, |r| r.id.instant()),
        class_of: None,
    });
    let mut conditions = tally.conditions(&part);
    for row in rows.iter().filter(|row| row.due_at.is_none()) {
        let condition = conditions.of_row(row.id.0);
        let (id, project, bytes) = (row.id, row.project_id, row.payload.as_ref().len());
        tally.event(
            condition,
            id.instant(),
            project,
            bytes,
            (row.state, row.duplicate),
        );
    }
}

/// Ends of events stored before.
pub(super) fn event_outcomes<'a>(statement: &mut Statement<'a>, tally: &mut Tally, rows: &'a [EventOutcome]) {
    let Some(days) = span(rows, |r| r.id.instant()) else {
        return;
    };
    let conditions: Vec<Condition> = (0..rows.len()).map(|_| tally.condition()).collect();
    let columns = vec![
        ("tag", Array::Uuid(col(&conditions, |c| c.tag()))),
        ("id", Array::Uuid(col(rows, |r| r.id.0))),
        ("accepted_at", Array::Time(col(rows, |r| r.id.instant()))),
        ("state", Array::I16(col(rows, |r| r.state.code()))),
        ("duplicate", Array::Bool(col(rows, |r| r.duplicate))),
        ("failure_reason", Array::OptText(col(rows, |r| r.failure_reason))),
    ];
    let part = statement.update(Update {
        table: "events",
        columns,
        set: "state = n.state, duplicate = n.duplicate, failure_reason = n.failure_reason, due_at = NULL",
        fence: "t.due_at IS NOT NULL",
        days,
    });
    tally.tags_come_from(&part);
    for (row, condition) in rows.iter().zip(conditions) {
        let (at, what) = (row.id.instant(), (row.state, row.duplicate));
        tally.event(condition, at, row.project_id, row.payload_bytes, what);
    }
}

/// New deliveries.
pub(super) fn deliveries<'a, T: AsRef<str>>(
    statement: &mut Statement<'a>,
    tally: &mut Tally,
    rows: &'a [NewDelivery<T>],
    existing: Existing,
) {
    if rows.is_empty() {
        return;
    }
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
    let part = statement.insert(Insert {
        table: "event_deliveries",
        columns,
        unless_stored: days_to_look_at(rows, existing, |r| r.id.instant()),
        class_of: None,
    });
    let mut conditions = tally.conditions(&part);
    for row in rows {
        let condition = conditions.of_row(row.id.0);
        let (at, whose) = (row.id.instant(), (row.project_id, row.endpoint_id));
        tally.delivery(condition, at, whose, &row.standing);
    }
}

/// Outcomes of deliveries stored before; returns the part that tells which of them counted.
pub(super) fn delivery_outcomes<'a>(
    statement: &mut Statement<'a>,
    tally: &mut Tally,
    rows: &'a [DeliveryOutcome],
) -> Option<Part> {
    let days = span(rows, |r| r.id.instant())?;
    let conditions: Vec<Condition> = (0..rows.len()).map(|_| tally.condition()).collect();
    let mut columns = vec![
        ("tag", Array::Uuid(col(&conditions, |c| c.tag()))),
        ("id", Array::Uuid(col(rows, |r| r.id.0))),
        ("accepted_at", Array::Time(col(rows, |r| r.id.instant()))),
        ("lease", Array::OptTime(col(rows, |r| r.lease))),
        ("attempts_before", Array::I16(col(rows, |r| r.attempts_before))),
    ];
    columns.extend(standing_columns(rows, |r| &r.standing));
    let part = statement.update(Update {
        table: "event_deliveries",
        columns,
        set: "state = n.state, due_at = n.due_at, ended_at = n.ended_at, latency_ms = n.latency_ms, \
              attempts = n.attempts, last_status = n.last_status, description = n.description, \
              retry = coalesce(n.retry, t.retry)",
        fence: "t.due_at = n.lease AND t.attempts = n.attempts_before",
        days,
    });
    tally.tags_come_from(&part);
    for (row, condition) in rows.iter().zip(conditions) {
        let (at, whose) = (row.id.instant(), (row.project_id, row.endpoint_id));
        tally.delivery(condition, at, whose, &row.standing);
    }
    Some(part)
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

/// Attempts made. Those of deliveries that `settled` changed lie in the class of their delivery as
/// it is now: it may have been moved since the attempt began.
pub(super) fn attempts<'a>(
    statement: &mut Statement<'a>,
    rows: &'a [NewAttempt],
    settled: Option<Part>,
    existing: Existing,
) {
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
    statement.insert(Insert {
        table: "delivery_attempts",
        columns,
        unless_stored: days_to_look_at(rows, existing, |r| r.id.instant()),
        class_of: settled.map(|part| (part, "delivery_id")),
    });
}
