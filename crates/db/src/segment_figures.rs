//! The archive in figures, and which of its segments wait for a person.

use chrono::{DateTime, Utc};
use domain::id::ProjectId;
use domain::state::SegmentState;
use sea_orm::sqlx::{self, Row};
use uuid::Uuid;

use crate::{Db, DbError};

/// The archive in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Segments per state.
    pub states: Vec<(SegmentState, i64)>,
    /// When the one that was not read back for the longest time was read back.
    pub oldest_verified: Option<DateTime<Utc>>,
    /// Segments that were not read back since a moment.
    pub unverified: i64,
    /// Rows in leaves that were dropped.
    pub dropped_rows: i64,
    /// Bytes of those leaves.
    pub dropped_bytes: i64,
}

/// The archive in figures; segments not read back since `overdue` count as unverified.
///
/// # Errors
/// As every statement.
pub async fn figures(db: &Db, overdue: DateTime<Utc>) -> Result<Figures, DbError> {
    let states: Vec<(String, i64)> =
        sqlx::query_as("SELECT state, count(*) FROM segments GROUP BY state ORDER BY state")
            .fetch_all(db.pool())
            .await?;
    let verified = sqlx::query(
        "SELECT min(verified_at) AS oldest, count(*) FILTER (WHERE coalesce(verified_at, committed_at) < $1) AS n \
         FROM segments WHERE state IN ('committed', 'rewriting')",
    )
    .bind(overdue)
    .fetch_one(db.pool())
    .await?;
    let dropped: (i64, i64) = sqlx::query_as(
        "SELECT coalesce(sum(row_count), 0)::bigint, coalesce(sum(size_bytes), 0)::bigint FROM leaf_drops WHERE state = 'dropped'",
    )
    .fetch_one(db.pool())
    .await?;
    Ok(Figures {
        states: states
            .into_iter()
            .filter_map(|(state, n)| Some((SegmentState::parse(&state)?, n)))
            .collect(),
        oldest_verified: verified.try_get("oldest")?,
        unverified: verified.try_get("n")?,
        dropped_rows: dropped.0,
        dropped_bytes: dropped.1,
    })
}

/// Segments that wait for a person: their project, when they were made, and why. A thousand at most.
///
/// # Errors
/// As every statement.
pub async fn quarantined(db: &Db) -> Result<Vec<(Uuid, ProjectId, DateTime<Utc>, String)>, DbError> {
    let rows: Vec<(Uuid, Uuid, DateTime<Utc>, Option<String>)> = sqlx::query_as(
        "SELECT id, project_id, created_at, last_error FROM segments WHERE state = 'quarantined' ORDER BY id LIMIT 1000",
    )
    .fetch_all(db.pool())
    .await?;
    let found = rows
        .into_iter()
        .map(|(id, project, at, why)| (id, ProjectId(project), at, why.unwrap_or_default()));
    Ok(found.collect())
}
