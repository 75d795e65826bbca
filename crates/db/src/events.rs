//! Reading events, and claiming those that wait to be matched.

use chrono::{DateTime, Utc};
use domain::event::EventKind;
use domain::id::{EndpointId, EventId, ProjectId, SourceId, first_of_millisecond};
use domain::lifecycle::KeepDays;
use domain::page::PageRequest;
use domain::state::EventState;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Postgres, QueryBuilder, Row};
use uuid::Uuid;

use crate::collision::again;
use crate::page::Window;
use crate::{Db, DbError};

/// A row of `events`.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id, stamped with `accepted_at`.
    pub id: EventId,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
    /// Its keep class.
    pub keep_days: KeepDays,
    /// Its project.
    pub project_id: ProjectId,
    /// How it came.
    pub kind: EventKind,
    /// Where it stands.
    pub state: EventState,
    /// Known already by its idempotency key.
    pub duplicate: bool,
    /// The endpoint asked for.
    pub endpoint_id: Option<EndpointId>,
    /// The source it came from.
    pub source_id: Option<SourceId>,
    /// Its type.
    pub event_type: String,
    /// JSON text as received; empty in lists that did not ask for it.
    pub payload: String,
    /// JSON object of custom headers.
    pub headers: Option<String>,
    /// The owner asked for.
    pub owner_id: Option<String>,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// Why it ended without a delivery.
    pub failure_reason: Option<String>,
}

/// Columns in the order of [`from_row`]; the payload is asked for apart.
const COLUMNS: &str = "e.id, e.accepted_at, e.keep_days, e.project_id, e.kind, e.state, e.duplicate, e.endpoint_id, \
     e.source_id, e.event_type, e.headers, e.owner_id, e.idempotency_key, e.failure_reason";

fn from_row(row: &PgRow) -> Result<Event, sqlx::Error> {
    Ok(Event {
        id: EventId(row.try_get("id")?),
        accepted_at: row.try_get("accepted_at")?,
        keep_days: KeepDays(row.try_get("keep_days")?),
        project_id: ProjectId(row.try_get("project_id")?),
        kind: EventKind::from_code(row.try_get("kind")?).unwrap_or(EventKind::Single),
        state: EventState::from_code(row.try_get("state")?).unwrap_or(EventState::Failure),
        duplicate: row.try_get("duplicate")?,
        endpoint_id: row.try_get::<Option<Uuid>, _>("endpoint_id")?.map(EndpointId),
        source_id: row.try_get::<Option<Uuid>, _>("source_id")?.map(SourceId),
        event_type: row.try_get("event_type")?,
        payload: row.try_get("payload")?,
        headers: row.try_get("headers")?,
        owner_id: row.try_get("owner_id")?,
        idempotency_key: row.try_get("idempotency_key")?,
        failure_reason: row.try_get("failure_reason")?,
    })
}

fn from_rows(rows: &[PgRow]) -> Result<Vec<Event>, DbError> {
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// One event by id: touches the one day that the id names.
///
/// # Errors
/// As every statement.
pub async fn find(db: &Db, id: EventId) -> Result<Option<Event>, DbError> {
    let sql = format!("SELECT {COLUMNS}, e.payload FROM events e WHERE e.id = $1 AND e.accepted_at = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .bind(id.instant())
        .fetch_optional(db.pool())
        .await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// Takes those of `ids` that wait to be matched and are due before `before`; they are this caller's
/// until `until`.
///
/// # Errors
/// As every statement.
pub async fn claim(
    db: &Db,
    ids: &[EventId],
    before: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Event>, DbError> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "UPDATE events e SET due_at = $2, state = 1 \
         WHERE e.id = ANY($3) AND e.accepted_at BETWEEN $4 AND $5 AND e.due_at < $1 RETURNING {COLUMNS}, e.payload"
    );
    let sql = sql.as_str();
    let rows = again(move || async move {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(before)
            .bind(until)
            .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
            .bind(first.instant())
            .bind(last.instant())
            .fetch_all(db.pool())
            .await?;
        Ok(rows)
    });
    from_rows(&rows.await?)
}

/// Takes an event that waits to be matched and that nobody has taken yet, until `until`; `false`
/// when somebody has it, or it has ended.
///
/// # Errors
/// As every statement.
pub async fn take(db: &Db, id: EventId, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<bool, DbError> {
    again(move || async move {
        let done = sqlx::query(
            "UPDATE events SET due_at = $4, state = 1 \
             WHERE id = $1 AND accepted_at = $2 AND (state = 0 OR (state = 1 AND due_at < $3))",
        )
        .bind(id.0)
        .bind(id.instant())
        .bind(now)
        .bind(until)
        .execute(db.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    })
    .await
}

/// Up to `limit` events that wait to be matched and are due before `before`, longest overdue first.
///
/// # Errors
/// As every statement.
pub async fn overdue(db: &Db, before: DateTime<Utc>, limit: i64) -> Result<Vec<EventId>, DbError> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM events WHERE due_at < $1 ORDER BY due_at LIMIT $2")
            .bind(before)
            .bind(limit)
            .fetch_all(db.pool())
            .await?;
    Ok(ids.into_iter().map(EventId).collect())
}

/// Which events of a project a list shows.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// Accepted at or after.
    pub from: Option<DateTime<Utc>>,
    /// Accepted before or at.
    pub to: Option<DateTime<Utc>>,
    /// Sent to, or asked for, one of these.
    pub endpoints: Vec<EndpointId>,
    /// From one of these.
    pub sources: Vec<SourceId>,
    /// For this owner.
    pub owner_id: Option<String>,
    /// With this key.
    pub idempotency_key: Option<String>,
    /// Of exactly this type.
    pub event_type: Option<String>,
    /// In one of these states.
    pub states: Vec<EventState>,
    /// Text in id, type, key or payload.
    pub query: Option<String>,
    /// JSON object that the payload contains.
    pub body: Option<serde_json::Value>,
}

impl EventFilter {
    fn apply(&self, sql: &mut QueryBuilder<Postgres>, project: ProjectId) {
        sql.push(" WHERE e.project_id = ").push_bind(project.0);
        if let Some(from) = self.from {
            sql.push(" AND e.accepted_at >= ").push_bind(from);
            sql.push(" AND e.id >= ").push_bind(first_of_millisecond(from));
        }
        if let Some(to) = self.to {
            sql.push(" AND e.accepted_at <= ").push_bind(to);
        }
        if !self.endpoints.is_empty() {
            let ids: Vec<Uuid> = self.endpoints.iter().map(|id| id.0).collect();
            sql.push(" AND (e.endpoint_id = ANY(").push_bind(ids.clone());
            sql.push(") OR EXISTS (SELECT 1 FROM event_deliveries d WHERE d.accepted_at = e.accepted_at AND d.event_id = e.id AND d.project_id = e.project_id AND d.endpoint_id = ANY(")
                .push_bind(ids)
                .push(")))");
        }
        if !self.sources.is_empty() {
            let ids: Vec<Uuid> = self.sources.iter().map(|id| id.0).collect();
            sql.push(" AND e.source_id = ANY(").push_bind(ids).push(")");
        }
        if let Some(owner) = &self.owner_id {
            sql.push(" AND e.owner_id = ").push_bind(owner.clone());
        }
        if let Some(key) = &self.idempotency_key {
            sql.push(" AND e.idempotency_key = ").push_bind(key.clone());
        }
        if let Some(event_type) = &self.event_type {
            sql.push(" AND e.event_type = ").push_bind(event_type.clone());
        }
        if !self.states.is_empty() {
            let codes: Vec<i16> = self.states.iter().map(|s| s.code()).collect();
            sql.push(" AND e.state = ANY(").push_bind(codes).push(")");
        }
        if let Some(query) = self.query.as_deref().filter(|q| !q.is_empty()) {
            let pattern = format!(
                "%{}%",
                query
                    .replace('\\', "\\\\")
                    .replace('%', "\\%")
                    .replace('_', "\\_")
            );
            sql.push(" AND (e.id::text LIKE ")
                .push_bind(format!("{}%", query.to_lowercase().replace(['%', '_', '\\'], "")));
            sql.push(" OR e.event_type ILIKE ").push_bind(pattern.clone());
            sql.push(" OR e.idempotency_key ILIKE ")
                .push_bind(pattern.clone());
            sql.push(" OR e.payload ILIKE ").push_bind(pattern).push(")");
        }
        if let Some(body) = &self.body {
            sql.push(" AND payload_contains(e.payload, ")
                .push_bind(body.clone())
                .push(")");
        }
    }
}

/// The rows of a page of a project's events by id, and one more that tells whether another page
/// follows; see [`domain::page::Page::cut`]. With `payload` false the payloads stay empty.
///
/// # Errors
/// [`DbError::Timeout`] after 5 s.
pub async fn page_rows(
    db: &Db,
    project: ProjectId,
    filter: &EventFilter,
    request: PageRequest,
    payload: bool,
) -> Result<Vec<Event>, DbError> {
    let payload = if payload { "e.payload" } else { "'' AS payload" };
    let mut sql = QueryBuilder::new(format!("SELECT {COLUMNS}, {payload} FROM events e"));
    filter.apply(&mut sql, project);
    Window::of(request).apply(&mut sql, "e");
    let mut txn = db.pool().begin().await?;
    sqlx::query("SET LOCAL statement_timeout = '5s'")
        .execute(&mut *txn)
        .await?;
    let rows = sql.build().fetch_all(&mut *txn).await?;
    txn.commit().await?;
    from_rows(&rows)
}

/// How many events match, counted up to `limit`.
///
/// # Errors
/// [`DbError::Timeout`] after 5 s.
pub async fn count(db: &Db, project: ProjectId, filter: &EventFilter, limit: i64) -> Result<i64, DbError> {
    let mut sql = QueryBuilder::new("SELECT count(*) FROM (SELECT 1 FROM events e");
    filter.apply(&mut sql, project);
    sql.push(" LIMIT ").push_bind(limit).push(") rows");
    let mut txn = db.pool().begin().await?;
    sqlx::query("SET LOCAL statement_timeout = '5s'")
        .execute(&mut *txn)
        .await?;
    let n: i64 = sql.build_query_scalar().fetch_one(&mut *txn).await?;
    txn.commit().await?;
    Ok(n)
}

/// Matching events behind `after`, oldest first and without their payloads: one step of a background
/// run.
///
/// # Errors
/// As every statement.
pub async fn rows_after(
    db: &Db,
    project: ProjectId,
    filter: &EventFilter,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<Event>, DbError> {
    let mut sql = QueryBuilder::new(format!("SELECT {COLUMNS}, '' AS payload FROM events e"));
    filter.apply(&mut sql, project);
    Window::behind(after, limit).apply(&mut sql, "e");
    from_rows(&sql.build().fetch_all(db.pool()).await?)
}
