//! Erasing rows in PostgreSQL: events in batches, and what follows from them.

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{ErasureId, EventId, ProjectId, bounds_of_millisecond, first_of_millisecond};
use domain::lifecycle::{next_day, start_of};
use domain::state::{DeliveryState, EventState};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, PgConnection, Row};
use uuid::Uuid;

use crate::{Db, DbError};

/// An event that may be meant.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its id.
    pub id: EventId,
    /// Its payload as it was received.
    pub payload: String,
    /// Whether anything stands beside the payload: headers, an owner, an idempotency key.
    pub has_more: bool,
}

/// What becomes of an event's row.
#[derive(Clone, Debug)]
pub struct Change {
    /// The event.
    pub id: EventId,
    /// Its new payload.
    pub payload: String,
    /// Whether headers, owner and idempotency key go as well.
    pub whole: bool,
}

fn candidate(row: &PgRow) -> Result<Candidate, sqlx::Error> {
    Ok(Candidate {
        id: EventId(row.try_get("id")?),
        payload: row.try_get("payload")?,
        has_more: row.try_get("has_more")?,
    })
}

const CANDIDATE: &str =
    "id, payload, (headers IS NOT NULL OR owner_id IS NOT NULL OR idempotency_key IS NOT NULL) AS has_more";

/// Of these events of a project, those that PostgreSQL has.
///
/// # Errors
/// As every statement.
pub async fn named(db: &Db, project: ProjectId, ids: &[EventId]) -> Result<Vec<Candidate>, DbError> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "SELECT {CANDIDATE} FROM events WHERE id = ANY($1) AND accepted_at BETWEEN $2 AND $3 AND project_id = $4 ORDER BY id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind(first.instant())
        .bind(last.instant())
        .bind(project.0)
        .fetch_all(db.pool())
        .await?;
    Ok(rows.iter().map(candidate).collect::<Result<_, _>>()?)
}

/// Where to look for a value.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The project.
    pub project: ProjectId,
    /// The day.
    pub day: NaiveDate,
    /// Only events accepted up to this instant.
    pub until: DateTime<Utc>,
    /// What stands in the payload, or hides behind a backslash.
    pub value: &'a str,
    /// Only events behind this one.
    pub after: Option<EventId>,
    /// Most events.
    pub limit: i64,
}

/// The next events whose payload may hold the value.
///
/// # Errors
/// As every statement.
pub async fn search(db: &Db, search: &Search<'_>) -> Result<Vec<Candidate>, DbError> {
    let sql = format!(
        "SELECT {CANDIDATE} FROM events WHERE project_id = $1 AND accepted_at >= $2 AND accepted_at < $3 \
         AND accepted_at <= $4 AND id >= $5 AND id < $6 AND ($7::uuid IS NULL OR id > $7) \
         AND (strpos(payload, $8) > 0 OR strpos(payload, E'\\\\') > 0) ORDER BY id LIMIT $9"
    );
    let (from, to) = (start_of(search.day), start_of(next_day(search.day)));
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(search.project.0)
        .bind(from)
        .bind(to)
        .bind(search.until)
        .bind(first_of_millisecond(from))
        .bind(first_of_millisecond(to))
        .bind(search.after.map(|id| id.0))
        .bind(search.value)
        .bind(search.limit)
        .fetch_all(db.pool())
        .await?;
    Ok(rows.iter().map(candidate).collect::<Result<_, _>>()?)
}

/// Changes these events, and remembers them as meant by the erasure. Events in `held` are only
/// remembered. Returns how many rows were changed.
///
/// # Errors
/// As every statement; nothing was changed then.
pub async fn change(
    db: &Db,
    erasure: ErasureId,
    project: ProjectId,
    changes: &[Change],
    held: &[EventId],
) -> Result<u64, DbError> {
    let mut txn = db.pool().begin().await?;
    let ids: Vec<EventId> = changes.iter().map(|change| change.id).collect();
    remember(&mut txn, erasure, &ids, false).await?;
    remember(&mut txn, erasure, held, true).await?;
    let mut done = 0;
    if let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) {
        let raw: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let range = (first.instant(), last.instant());
        done = sqlx::query(
            "UPDATE events e SET payload = n.payload, \
                headers = CASE WHEN n.whole THEN NULL ELSE e.headers END, \
                owner_id = CASE WHEN n.whole THEN NULL ELSE e.owner_id END, \
                idempotency_key = CASE WHEN n.whole THEN NULL ELSE e.idempotency_key END, \
                failure_reason = CASE WHEN e.due_at IS NULL THEN e.failure_reason ELSE 'It was erased before it was matched.' END, \
                state = CASE WHEN e.due_at IS NULL THEN e.state ELSE $5 END, due_at = NULL \
             FROM unnest($1::uuid[], $2::text[], $3::bool[]) AS n(id, payload, whole) \
             WHERE e.id = n.id AND e.project_id = $4 AND e.accepted_at BETWEEN $6 AND $7",
        )
        .bind(&raw)
        .bind(changes.iter().map(|change| change.payload.as_str()).collect::<Vec<_>>())
        .bind(changes.iter().map(|change| change.whole).collect::<Vec<_>>())
        .bind(project.0)
        .bind(EventState::Failure.code())
        .bind(range.0)
        .bind(range.1)
        .execute(&mut *txn)
        .await?
        .rows_affected();
    }
    txn.commit().await?;
    Ok(done)
}

/// Remembers events as meant; those that are not held any more stay free.
///
/// # Errors
/// As every statement.
pub(super) async fn remember(
    connection: &mut PgConnection,
    erasure: ErasureId,
    events: &[EventId],
    held: bool,
) -> Result<(), DbError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO erasure_events (erasure_id, event_id, accepted_at, held) \
         SELECT $1, n.id, n.at, $4 FROM unnest($2::uuid[], $3::timestamptz[]) AS n(id, at) \
         ON CONFLICT (erasure_id, event_id) DO UPDATE SET held = excluded.held",
    )
    .bind(erasure.0)
    .bind(events.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind(events.iter().map(|id| id.instant()).collect::<Vec<_>>())
    .bind(held)
    .execute(connection)
    .await?;
    Ok(())
}

/// Remembers events that a hold keeps.
///
/// # Errors
/// As every statement.
pub async fn remember_held(db: &Db, erasure: ErasureId, events: &[EventId]) -> Result<(), DbError> {
    if events.is_empty() {
        return Ok(());
    }
    let mut connection = db.pool().acquire().await?;
    remember(&mut connection, erasure, events, true).await
}

/// How many events accepted between two instants an erasure means that are held.
///
/// # Errors
/// As every statement.
pub async fn held_between(
    db: &Db,
    erasure: ErasureId,
    at: (DateTime<Utc>, DateTime<Utc>),
) -> Result<u64, DbError> {
    let n: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM erasure_events WHERE erasure_id = $1 AND accepted_at BETWEEN $2 AND $3 AND held",
    )
    .bind(erasure.0)
    .bind(at.0)
    .bind(at.1)
    .fetch_one(db.pool())
    .await?;
    Ok(n.unsigned_abs())
}

/// Events that an erasure means, behind `after`, each with whether it is held.
///
/// # Errors
/// As every statement.
pub async fn meant(
    db: &Db,
    erasure: ErasureId,
    after: Option<EventId>,
    limit: i64,
) -> Result<Vec<(EventId, bool)>, DbError> {
    let rows: Vec<(Uuid, bool)> = sqlx::query_as(
        "SELECT event_id, held FROM erasure_events WHERE erasure_id = $1 AND ($2::uuid IS NULL OR event_id > $2) \
         ORDER BY event_id LIMIT $3",
    )
    .bind(erasure.0)
    .bind(after.map(|id| id.0))
    .bind(limit)
    .fetch_all(db.pool())
    .await?;
    Ok(rows.into_iter().map(|(id, held)| (EventId(id), held)).collect())
}

/// Sets or clears that events are held; `held` are those in force: from, and to (excluded).
///
/// # Errors
/// As every statement.
pub async fn hold(
    db: &Db,
    erasure: ErasureId,
    held: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Result<u64, DbError> {
    sqlx::query(
        "UPDATE erasure_events n SET held = NOT n.held WHERE n.erasure_id = $1 AND n.held IS DISTINCT FROM EXISTS ( \
            SELECT 1 FROM unnest($2::timestamptz[], $3::timestamptz[]) AS h(begins, ends) \
            WHERE n.accepted_at >= h.begins AND n.accepted_at < h.ends)",
    )
    .bind(erasure.0)
    .bind(held.iter().map(|window| window.0).collect::<Vec<_>>())
    .bind(held.iter().map(|window| window.1).collect::<Vec<_>>())
    .execute(db.pool())
    .await?;
    let n: i64 = sqlx::query_scalar("SELECT count(*) FROM erasure_events WHERE erasure_id = $1 AND held")
        .bind(erasure.0)
        .fetch_one(db.pool())
        .await?;
    Ok(n.unsigned_abs())
}

/// What followed from some events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Deliveries that were live and were ended.
    pub deliveries: u64,
    /// Attempts that were cleared.
    pub attempts: u64,
    /// Until when a request may be under way whose answer is still to be written.
    pub under_way: Option<DateTime<Utc>>,
}

/// Ends live deliveries of these events and clears what attempts kept of requests and answers, search
/// words and restored copies; attempts of held events stay. With `whole`, also the headers of requests
/// and idempotency keys.
///
/// # Errors
/// As every statement; nothing was changed then.
pub async fn follow(
    db: &Db,
    project: ProjectId,
    events: &[(EventId, bool)],
    whole: bool,
    now: DateTime<Utc>,
) -> Result<Followed, DbError> {
    let ids: Vec<EventId> = events.iter().map(|(id, _)| *id).collect();
    let free: Vec<EventId> = events
        .iter()
        .filter(|(_, held)| !held)
        .map(|(id, _)| *id)
        .collect();
    let mut followed = Followed::default();
    let mut txn = db.pool().begin().await?;
    if let Some(range) = Range::of(&ids) {
        followed.under_way = under_way(&mut txn, project, &range).await?;
        followed.deliveries = end_deliveries(&mut txn, project, &range, now).await?;
    }
    if let Some(range) = Range::of(&free) {
        followed.attempts = clear_attempts(&mut txn, project, &range, whole).await?;
        for sql in [
            "DELETE FROM events_search WHERE id = ANY($1) AND accepted_at BETWEEN $2 AND $3",
            "DELETE FROM restored_events WHERE id = ANY($1) AND accepted_at BETWEEN $2 AND $3",
        ] {
            sqlx::query(sql)
                .bind(&range.ids)
                .bind(range.first)
                .bind(range.last)
                .execute(&mut *txn)
                .await?;
        }
        if whole {
            forget_keys(&mut txn, project, &range).await?;
        }
    }
    txn.commit().await?;
    Ok(followed)
}

/// Events, and between which ids and on which days whatever belongs to them lies.
struct Range {
    ids: Vec<Uuid>,
    at: Vec<DateTime<Utc>>,
    low: Vec<Uuid>,
    high: Vec<Uuid>,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

impl Range {
    fn of(events: &[EventId]) -> Option<Self> {
        let (first, last) = (events.iter().min()?.instant(), events.iter().max()?.instant());
        let (low, high) = events
            .iter()
            .map(|id| bounds_of_millisecond(id.instant()))
            .unzip();
        Some(Self {
            ids: events.iter().map(|id| id.0).collect(),
            at: events.iter().map(|id| id.instant()).collect(),
            low,
            high,
            first,
            last,
        })
    }
}

/// The deliveries `d` of the events of a [`Range`], bound as `$1` to `$7` with the project.
const DELIVERIES: &str = "unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[]) AS n(event, at, low, high) \
     WHERE d.id BETWEEN n.low AND n.high AND d.accepted_at = n.at AND d.event_id = n.event \
     AND d.accepted_at BETWEEN $5 AND $6 AND d.project_id = $7";

macro_rules! bound {
    ($sql:expr, $range:expr, $project:expr) => {
        sqlx::query(sqlx::AssertSqlSafe($sql))
            .bind(&$range.ids)
            .bind(&$range.at)
            .bind(&$range.low)
            .bind(&$range.high)
            .bind($range.first)
            .bind($range.last)
            .bind($project.0)
    };
}

async fn under_way(
    connection: &mut PgConnection,
    project: ProjectId,
    range: &Range,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let sql = format!("SELECT max(d.due_at) AS until FROM event_deliveries d, {DELIVERIES} AND d.state = $8");
    let row = bound!(sql, range, project)
        .bind(DeliveryState::Processing.code())
        .fetch_one(connection)
        .await?;
    row.try_get("until")
}

async fn end_deliveries(
    connection: &mut PgConnection,
    project: ProjectId,
    range: &Range,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let sql = format!(
        "UPDATE event_deliveries d SET state = $8, due_at = NULL, ended_at = $9, description = 'Its event was erased.' \
         FROM {DELIVERIES} AND d.due_at IS NOT NULL"
    );
    let done = bound!(sql, range, project)
        .bind(DeliveryState::Discarded.code())
        .bind(now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

async fn clear_attempts(
    connection: &mut PgConnection,
    project: ProjectId,
    range: &Range,
    whole: bool,
) -> Result<u64, sqlx::Error> {
    let sql = format!(
        "UPDATE delivery_attempts a SET response_body = NULL, response_headers = NULL, \
            request_headers = CASE WHEN $8 THEN '' ELSE a.request_headers END \
         FROM (SELECT d.id, n.low, n.high, n.at FROM event_deliveries d, {DELIVERIES}) d \
         WHERE a.id BETWEEN d.low AND d.high AND a.accepted_at = d.at AND a.delivery_id = d.id \
         AND a.accepted_at BETWEEN $5 AND $6 \
         AND (a.response_body IS NOT NULL OR a.response_headers IS NOT NULL OR ($8 AND a.request_headers <> ''))"
    );
    let done = bound!(sql, range, project)
        .bind(whole)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

async fn forget_keys(
    connection: &mut PgConnection,
    project: ProjectId,
    range: &Range,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM idempotency_keys WHERE project_id = $4 AND event_id = ANY($1) AND accepted_at BETWEEN $2 AND $3",
    )
    .bind(&range.ids)
    .bind(range.first)
    .bind(range.last)
    .bind(project.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// The deliveries of these events that PostgreSQL has.
///
/// # Errors
/// As every statement.
pub async fn deliveries_of(db: &Db, project: ProjectId, events: &[EventId]) -> Result<Vec<Uuid>, DbError> {
    let Some(range) = Range::of(events) else {
        return Ok(Vec::new());
    };
    let sql = format!("SELECT d.id FROM event_deliveries d, {DELIVERIES}");
    let rows = bound!(sql, range, project).fetch_all(db.pool()).await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get("id"))
        .collect::<Result<_, _>>()?)
}
