//! Reading deliveries, and taking leases on those that are due.

use chrono::{DateTime, Utc};
use domain::id::{
    DeliveryId, EndpointId, EventId, ProjectId, SubscriptionId, bounds_of_millisecond, first_of_millisecond,
};
use domain::lifecycle::KeepDays;
use domain::page::{Page, PageRequest};
use domain::state::DeliveryState;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Postgres, QueryBuilder, Row};
use uuid::Uuid;

use crate::collision::again;
use crate::page::Window;
use crate::{Db, DbError};

/// A row of `event_deliveries`.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id, stamped with the event's `accepted_at`.
    pub id: DeliveryId,
    /// When its event was accepted.
    pub accepted_at: DateTime<Utc>,
    /// Its event's keep class.
    pub keep_days: KeepDays,
    /// Its project.
    pub project_id: ProjectId,
    /// Its event.
    pub event_id: EventId,
    /// Where it goes.
    pub endpoint_id: EndpointId,
    /// Why it goes there.
    pub subscription_id: Option<SubscriptionId>,
    /// Its event's type.
    pub event_type: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Next attempt or end of the lease.
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
    /// The retry policy frozen at its first failure, as JSON.
    pub retry: Option<String>,
}

/// A delivery under lease, with what is needed to send it.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The row, already under the lease.
    pub delivery: Delivery,
    /// JSON text to send; `None` when the event is gone.
    pub payload: Option<String>,
    /// JSON object of custom headers.
    pub headers: Option<String>,
    /// The caller's key.
    pub idempotency_key: Option<String>,
}

const COLUMNS: &str = "d.id, d.accepted_at, d.keep_days, d.project_id, d.event_id, d.endpoint_id, d.subscription_id, \
     d.event_type, d.state, d.due_at, d.ended_at, d.latency_ms, d.attempts, d.last_status, d.description, d.retry";

fn from_row(row: &PgRow) -> Result<Delivery, sqlx::Error> {
    Ok(Delivery {
        id: DeliveryId(row.try_get("id")?),
        accepted_at: row.try_get("accepted_at")?,
        keep_days: KeepDays(row.try_get("keep_days")?),
        project_id: ProjectId(row.try_get("project_id")?),
        event_id: EventId(row.try_get("event_id")?),
        endpoint_id: EndpointId(row.try_get("endpoint_id")?),
        subscription_id: row
            .try_get::<Option<Uuid>, _>("subscription_id")?
            .map(SubscriptionId),
        event_type: row.try_get("event_type")?,
        state: DeliveryState::from_code(row.try_get("state")?).unwrap_or(DeliveryState::Failure),
        due_at: row.try_get("due_at")?,
        ended_at: row.try_get("ended_at")?,
        latency_ms: row.try_get("latency_ms")?,
        attempts: row.try_get("attempts")?,
        last_status: row.try_get("last_status")?,
        description: row.try_get("description")?,
        retry: row.try_get("retry")?,
    })
}

fn from_rows(rows: &[PgRow]) -> Result<Vec<Delivery>, DbError> {
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

fn leased(rows: &[PgRow]) -> Result<Vec<Leased>, DbError> {
    let leased = rows.iter().map(|row| {
        Ok(Leased {
            delivery: from_row(row)?,
            payload: row.try_get("payload")?,
            headers: row.try_get("headers")?,
            idempotency_key: row.try_get("idempotency_key")?,
        })
    });
    Ok(leased.collect::<Result<_, sqlx::Error>>()?)
}

/// Takes a lease until `until` on those of `ids` that are due before or at `now`. What is not due,
/// has ended or is under somebody else's lease is left out.
///
/// # Errors
/// As every statement.
pub async fn lease(
    db: &Db,
    ids: &[DeliveryId],
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Leased>, DbError> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "WITH d AS (UPDATE event_deliveries d SET state = 1, due_at = $4 \
                    FROM unnest($1::uuid[], $2::timestamptz[]) AS n(id, accepted_at) \
                    WHERE d.id = n.id AND d.accepted_at = n.accepted_at AND d.accepted_at BETWEEN $5 AND $6 \
                    AND d.due_at <= $3 RETURNING d.*) \
         SELECT {COLUMNS}, e.payload, e.headers, e.idempotency_key FROM d \
         LEFT JOIN events e ON e.id = d.event_id AND e.accepted_at = d.accepted_at AND e.accepted_at BETWEEN $5 AND $6"
    );
    let sql = sql.as_str();
    let rows = again(move || async move {
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
            .bind(ids.iter().map(|id| id.instant()).collect::<Vec<_>>())
            .bind(now)
            .bind(until)
            .bind(first.instant())
            .bind(last.instant())
            .fetch_all(db.pool())
            .await?;
        Ok(rows)
    });
    leased(&rows.await?)
}

/// Lets the lease on a delivery last until `until`; `false` when it has ended meanwhile.
///
/// # Errors
/// As every statement.
pub async fn extend_lease(
    db: &Db,
    id: DeliveryId,
    lease: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
) -> Result<bool, DbError> {
    again(move || async move {
        let done = sqlx::query(
            "UPDATE event_deliveries SET due_at = $4 \
             WHERE id = $1 AND accepted_at = $2 AND due_at = $3 AND state = 1",
        )
        .bind(id.0)
        .bind(id.instant())
        .bind(lease)
        .bind(until)
        .execute(db.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    })
    .await
}

/// Ends leases on deliveries before their time, so that somebody else may take these at once. Each
/// is named with the end of its lease; one that has ended, or is somebody else's by now, is left
/// alone.
///
/// # Errors
/// As every statement.
pub async fn hand_back(
    db: &Db,
    leases: &[(DeliveryId, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let ids = || leases.iter().map(|(id, _)| id);
    let (Some(first), Some(last)) = (ids().min(), ids().max()) else {
        return Ok(());
    };
    again(move || async move {
        sqlx::query(
            "UPDATE event_deliveries d SET due_at = $4 \
             FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS n(id, accepted_at, lease) \
             WHERE d.id = n.id AND d.accepted_at = n.accepted_at AND d.accepted_at BETWEEN $5 AND $6 \
             AND d.due_at = n.lease AND d.state = 1",
        )
        .bind(ids().map(|id| id.0).collect::<Vec<_>>())
        .bind(ids().map(|id| id.instant()).collect::<Vec<_>>())
        .bind(leases.iter().map(|(_, lease)| *lease).collect::<Vec<_>>())
        .bind(now)
        .bind(first.instant())
        .bind(last.instant())
        .execute(db.pool())
        .await?;
        Ok(())
    })
    .await
}

/// Up to `limit` deliveries that are due before `before`, whatever their state, longest overdue
/// first: retries that no queue entry brought back, expired leases, held ones to look at again.
///
/// # Errors
/// As every statement.
pub async fn overdue(db: &Db, before: DateTime<Utc>, limit: i64) -> Result<Vec<DeliveryId>, DbError> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM event_deliveries WHERE due_at < $1 ORDER BY due_at LIMIT $2")
            .bind(before)
            .bind(limit)
            .fetch_all(db.pool())
            .await?;
    Ok(ids.into_iter().map(DeliveryId).collect())
}

/// Which of an event's deliveries exist.
///
/// # Errors
/// As every statement.
pub async fn of_event(db: &Db, event: EventId) -> Result<Vec<Delivery>, DbError> {
    let (low, high) = bounds_of_millisecond(event.instant());
    let sql = format!(
        "SELECT {COLUMNS} FROM event_deliveries d \
         WHERE d.accepted_at = $1 AND d.id BETWEEN $2 AND $3 AND d.event_id = $4 ORDER BY d.id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(event.instant())
        .bind(low)
        .bind(high)
        .bind(event.0)
        .fetch_all(db.pool())
        .await?;
    from_rows(&rows)
}

/// One delivery by id: touches the one day that the id names.
///
/// # Errors
/// As every statement.
pub async fn find(db: &Db, id: DeliveryId) -> Result<Option<Delivery>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM event_deliveries d WHERE d.id = $1 AND d.accepted_at = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .bind(id.instant())
        .fetch_optional(db.pool())
        .await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}

/// Which deliveries of a project a list shows.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct DeliveryFilter {
    /// Accepted at or after.
    pub from: Option<DateTime<Utc>>,
    /// Accepted before or at.
    pub to: Option<DateTime<Utc>>,
    /// Exactly these.
    pub ids: Vec<DeliveryId>,
    /// To one of these.
    pub endpoints: Vec<EndpointId>,
    /// Of this event.
    pub event_id: Option<EventId>,
    /// Because of this subscription.
    pub subscription_id: Option<SubscriptionId>,
    /// Of exactly this event type.
    pub event_type: Option<String>,
    /// In one of these states.
    pub states: Vec<DeliveryState>,
    /// Of an event with this key.
    pub idempotency_key: Option<String>,
}

impl DeliveryFilter {
    fn apply(&self, sql: &mut QueryBuilder<Postgres>, project: ProjectId) {
        sql.push(" WHERE d.project_id = ").push_bind(project.0);
        if let Some(from) = self.from {
            sql.push(" AND d.accepted_at >= ").push_bind(from);
            sql.push(" AND d.id >= ").push_bind(first_of_millisecond(from));
        }
        if let Some(to) = self.to {
            sql.push(" AND d.accepted_at <= ").push_bind(to);
        }
        if !self.ids.is_empty() {
            let ids: Vec<Uuid> = self.ids.iter().map(|id| id.0).collect();
            let days: Vec<DateTime<Utc>> = self.ids.iter().map(|id| id.instant()).collect();
            sql.push(" AND d.id = ANY(")
                .push_bind(ids)
                .push(") AND d.accepted_at = ANY(")
                .push_bind(days)
                .push(")");
        }
        if !self.endpoints.is_empty() {
            let ids: Vec<Uuid> = self.endpoints.iter().map(|id| id.0).collect();
            sql.push(" AND d.endpoint_id = ANY(").push_bind(ids).push(")");
        }
        if let Some(event) = self.event_id {
            let (low, high) = bounds_of_millisecond(event.instant());
            sql.push(" AND d.event_id = ").push_bind(event.0);
            sql.push(" AND d.accepted_at = ").push_bind(event.instant());
            sql.push(" AND d.id BETWEEN ")
                .push_bind(low)
                .push(" AND ")
                .push_bind(high);
        }
        if let Some(subscription) = self.subscription_id {
            sql.push(" AND d.subscription_id = ").push_bind(subscription.0);
        }
        if let Some(event_type) = &self.event_type {
            sql.push(" AND d.event_type = ").push_bind(event_type.clone());
        }
        self.apply_states(sql);
        if let Some(key) = &self.idempotency_key {
            sql.push(" AND EXISTS (SELECT 1 FROM events e WHERE e.id = d.event_id AND e.accepted_at = d.accepted_at AND e.idempotency_key = ")
                .push_bind(key.clone())
                .push(")");
        }
    }

    /// States as literals, so that PostgreSQL can use the partial indexes.
    fn apply_states(&self, sql: &mut QueryBuilder<Postgres>) {
        if self.states.is_empty() {
            return;
        }
        let codes = self
            .states
            .iter()
            .map(|s| s.code().to_string())
            .collect::<Vec<_>>()
            .join(", ");
        sql.push(format!(" AND d.state IN ({codes})"));
        if self.states.iter().all(|s| !s.is_final()) {
            sql.push(" AND d.due_at IS NOT NULL");
        }
    }
}

/// A page of a project's deliveries by id.
///
/// # Errors
/// As [`page_rows`].
pub async fn list(
    db: &Db,
    project: ProjectId,
    filter: &DeliveryFilter,
    request: PageRequest,
) -> Result<Page<Delivery>, DbError> {
    let rows = page_rows(db, project, filter, request).await?;
    Ok(Page::cut(request, rows, request.cursor.is_some(), |row| row.id.0))
}

/// The rows of a page, and one more that tells whether another page follows.
///
/// # Errors
/// [`DbError::Timeout`] after 5 s.
pub async fn page_rows(
    db: &Db,
    project: ProjectId,
    filter: &DeliveryFilter,
    request: PageRequest,
) -> Result<Vec<Delivery>, DbError> {
    let mut sql = QueryBuilder::new(format!("SELECT {COLUMNS} FROM event_deliveries d"));
    filter.apply(&mut sql, project);
    Window::of(request).apply(&mut sql, "d");
    let mut txn = db.pool().begin().await?;
    sqlx::query("SET LOCAL statement_timeout = '5s'")
        .execute(&mut *txn)
        .await?;
    let rows = sql.build().fetch_all(&mut *txn).await?;
    txn.commit().await?;
    from_rows(&rows)
}

/// How many deliveries match, counted up to `limit`.
///
/// # Errors
/// [`DbError::Timeout`] after 5 s.
pub async fn count(db: &Db, project: ProjectId, filter: &DeliveryFilter, limit: i64) -> Result<i64, DbError> {
    let mut sql = QueryBuilder::new("SELECT count(*) FROM (SELECT 1 FROM event_deliveries d");
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

/// Ids of matching deliveries behind `after`, oldest first: one step of a background run.
///
/// # Errors
/// As every statement.
pub async fn ids_after(
    db: &Db,
    project: ProjectId,
    filter: &DeliveryFilter,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<DeliveryId>, DbError> {
    let mut sql = QueryBuilder::new("SELECT d.id FROM event_deliveries d");
    filter.apply(&mut sql, project);
    Window::behind(after, limit).apply(&mut sql, "d");
    let ids: Vec<Uuid> = sql.build_query_scalar().fetch_all(db.pool()).await?;
    Ok(ids.into_iter().map(DeliveryId).collect())
}

/// Puts deliveries of a project back to work at `due_at` when they stand in one of `states`, and
/// returns which ones it put.
///
/// # Errors
/// As every statement.
pub async fn reschedule(
    db: &Db,
    project: ProjectId,
    ids: &[DeliveryId],
    states: &[DeliveryState],
    due_at: DateTime<Utc>,
) -> Result<Vec<DeliveryId>, DbError> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(Vec::new());
    };
    again(move || async move {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "UPDATE event_deliveries d SET state = 0, due_at = $4, ended_at = NULL, description = NULL \
             WHERE d.id = ANY($1) AND d.accepted_at BETWEEN $5 AND $6 AND d.project_id = $2 \
             AND d.state = ANY($3) RETURNING d.id",
        )
        .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind(project.0)
        .bind(states.iter().map(|s| s.code()).collect::<Vec<_>>())
        .bind(due_at)
        .bind(first.instant())
        .bind(last.instant())
        .fetch_all(db.pool())
        .await?;
        Ok(ids.into_iter().map(DeliveryId).collect())
    })
    .await
}

/// Brings forward up to `limit` deliveries of an endpoint that wait for it, to `due_at`.
///
/// # Errors
/// As every statement.
pub async fn release_endpoint(
    db: &Db,
    project: ProjectId,
    endpoint: EndpointId,
    due_at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<DeliveryId>, DbError> {
    again(move || async move {
        let ids: Vec<Uuid> = sqlx::query_scalar(
            "WITH held AS (SELECT id, accepted_at FROM event_deliveries \
                           WHERE due_at > $3 AND state = 0 AND project_id = $1 AND endpoint_id = $2 \
                           ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED) \
             UPDATE event_deliveries d SET due_at = $3 FROM held \
             WHERE d.id = held.id AND d.accepted_at = held.accepted_at RETURNING d.id",
        )
        .bind(project.0)
        .bind(endpoint.0)
        .bind(due_at)
        .bind(limit)
        .fetch_all(db.pool())
        .await?;
        Ok(ids.into_iter().map(DeliveryId).collect())
    })
    .await
}
