//! Idempotency keys: the first event to bring a key has it.

use chrono::{DateTime, Utc};
use domain::id::{EventId, ProjectId};
use domain::lifecycle::start_of;
use sea_orm::sqlx;

use crate::{Db, DbError};

/// A key and the event that brings it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The event's project.
    pub project: ProjectId,
    /// The caller's key.
    pub key: String,
    /// The event.
    pub event: EventId,
}

/// Claims each key for its event and tells, in the same order, which event has it now.
///
/// Safe to repeat: an event that has its key keeps it.
///
/// # Errors
/// As every statement.
pub async fn claim(db: &Db, claims: &[Claim]) -> Result<Vec<EventId>, DbError> {
    // Sorted, so that two statements never wait for each other in a circle.
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_unstable_by_key(|i| (claims[*i].project, &claims[*i].key, claims[*i].event));
    let sorted: Vec<&Claim> = order.iter().map(|i| &claims[*i]).collect();
    let owners: Vec<uuid::Uuid> = sqlx::query_scalar(
        "WITH n AS (SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[]) WITH ORDINALITY \
                    AS n(project_id, key, event_id, accepted_at, place)), \
         taken AS (INSERT INTO idempotency_keys (project_id, key, event_id, accepted_at) \
                   SELECT DISTINCT ON (project_id, key) project_id, key, event_id, accepted_at FROM n \
                   ORDER BY project_id, key, event_id \
                   ON CONFLICT (project_id, key) DO UPDATE SET event_id = idempotency_keys.event_id \
                   RETURNING project_id, key, event_id) \
         SELECT taken.event_id FROM n JOIN taken USING (project_id, key) ORDER BY n.place",
    )
    .bind(sorted.iter().map(|c| c.project.0).collect::<Vec<_>>())
    .bind(sorted.iter().map(|c| c.key.as_str()).collect::<Vec<_>>())
    .bind(sorted.iter().map(|c| c.event.0).collect::<Vec<_>>())
    .bind(sorted.iter().map(|c| c.event.instant()).collect::<Vec<_>>())
    .fetch_all(db.pool())
    .await?;
    let mut by_place = vec![EventId(uuid::Uuid::nil()); claims.len()];
    for (place, owner) in order.into_iter().zip(owners) {
        by_place[place] = EventId(owner);
    }
    Ok(by_place)
}

/// The event that has a key.
///
/// # Errors
/// As every statement.
pub async fn find(db: &Db, project: ProjectId, key: &str) -> Result<Option<EventId>, DbError> {
    let id: Option<uuid::Uuid> =
        sqlx::query_scalar("SELECT event_id FROM idempotency_keys WHERE project_id = $1 AND key = $2")
            .bind(project.0)
            .bind(key)
            .fetch_optional(db.pool())
            .await?;
    Ok(id.map(EventId))
}

/// Forgets up to `limit` keys whose events have left by `now`; returns how many. A key lives as long
/// as its project keeps events: to the end of the event's day and the project's keep days after it;
/// for ever where these are 0.
///
/// # Errors
/// As every statement.
pub async fn forget(db: &Db, now: DateTime<Utc>, limit: i64) -> Result<u64, DbError> {
    let done = sqlx::query(
        "DELETE FROM idempotency_keys WHERE (project_id, key) IN \
         (SELECT k.project_id, k.key FROM projects p JOIN idempotency_keys k ON k.project_id = p.id \
          WHERE p.keep_days > 0 AND k.accepted_at < $1 - make_interval(days => p.keep_days) LIMIT $2)",
    )
    .bind(start_of(now.date_naive()))
    .bind(limit)
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected())
}
