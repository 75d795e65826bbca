//! Reading attempts.

use chrono::{DateTime, Utc};
use domain::id::{AttemptId, DeliveryId, ProjectId, bounds_of_millisecond};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Row};

use crate::{Db, DbError};

/// A row of `delivery_attempts`.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its id, stamped with the event's `accepted_at`.
    pub id: AttemptId,
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

fn from_row(row: &PgRow) -> Result<Attempt, sqlx::Error> {
    Ok(Attempt {
        id: AttemptId(row.try_get("id")?),
        project_id: ProjectId(row.try_get("project_id")?),
        delivery_id: DeliveryId(row.try_get("delivery_id")?),
        number: row.try_get("number")?,
        requested_at: row.try_get("requested_at")?,
        duration_us: row.try_get("duration_us")?,
        http_status: row.try_get("http_status")?,
        url: row.try_get("url")?,
        request_headers: row.try_get("request_headers")?,
        response_headers: row.try_get("response_headers")?,
        response_body: row.try_get("response_body")?,
        address: row.try_get("address")?,
        error: row.try_get("error")?,
    })
}

/// The newest attempts of a delivery, oldest first, at most `limit`.
///
/// # Errors
/// As every statement.
pub async fn of_delivery(db: &Db, delivery: DeliveryId, limit: i64) -> Result<Vec<Attempt>, DbError> {
    let (low, high) = bounds_of_millisecond(delivery.instant());
    let rows = sqlx::query(
        "SELECT * FROM (SELECT * FROM delivery_attempts \
                        WHERE accepted_at = $1 AND id BETWEEN $2 AND $3 AND delivery_id = $4 \
                        ORDER BY requested_at DESC, number DESC LIMIT $5) newest \
         ORDER BY requested_at, number",
    )
    .bind(delivery.instant())
    .bind(low)
    .bind(high)
    .bind(delivery.0)
    .bind(limit)
    .fetch_all(db.pool())
    .await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// One attempt by id.
///
/// # Errors
/// As every statement.
pub async fn find(db: &Db, id: AttemptId) -> Result<Option<Attempt>, DbError> {
    let row = sqlx::query("SELECT * FROM delivery_attempts WHERE id = $1 AND accepted_at = $2")
        .bind(id.0)
        .bind(id.instant())
        .fetch_optional(db.pool())
        .await?;
    Ok(row.as_ref().map(from_row).transpose()?)
}
