//! What readers of the archive ask: which segments may hold rows that are not in PostgreSQL, and
//! what PostgreSQL says of rows that were found in one.
//!
//! A reader looks at the hot tables first and here afterwards. A day turns cold before its first row
//! is out of sight, so what the first look missed is known to the second.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{EndpointId, EventId, ProjectId, StoragePolicyId, instant_of};
use domain::segment::Kind;
use domain::state::SegmentState;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Row};
use serde_json::Value;
use uuid::Uuid;

use crate::export::table;
use crate::{Db, DbError};

/// A segment as readers need it, without its index.
#[derive(Clone, Debug)]
pub struct ColdSegment {
    /// The archive id.
    pub id: Uuid,
    /// Its project.
    pub project_id: ProjectId,
    /// The storage policy that it was written under.
    pub policy_id: StoragePolicyId,
    /// What its rows are.
    pub kind: Kind,
    /// Event type, or a reserved topic.
    pub topic: String,
    /// The day that its rows were accepted on.
    pub day: NaiveDate,
    /// Name of the object, without the policy's prefix.
    pub object_key: String,
    /// Committed or rewriting; or quarantined: then its rows cannot be had, and that has to be said.
    pub state: SegmentState,
    /// Smallest and largest id.
    pub ids: (Uuid, Uuid),
    /// Grows with every rewriting.
    pub generation: i32,
    /// What replaces the object, while it is rewritten.
    pub pending: Option<Value>,
    /// Tag of the object's content.
    pub etag: Option<String>,
}

const COLUMNS: &str = "s.id, s.project_id, s.policy_id, s.kind, s.topic, s.day, s.object_key, s.state, s.first_id, s.last_id, \
     s.generation, s.pending, s.etag";
/// Rows that may be missing in PostgreSQL lie there; the index `segments_cold_idx` leads to them.
const COLD: &str = "s.cold_since IS NOT NULL AND s.state IN ('committed', 'rewriting', 'quarantined')";

fn from_row(row: &PgRow) -> Result<ColdSegment, sqlx::Error> {
    Ok(ColdSegment {
        id: row.try_get("id")?,
        project_id: ProjectId(row.try_get("project_id")?),
        policy_id: StoragePolicyId(row.try_get("policy_id")?),
        kind: Kind::from_code(row.try_get("kind")?).unwrap_or(Kind::Events),
        topic: row.try_get("topic")?,
        day: row.try_get("day")?,
        object_key: row.try_get("object_key")?,
        state: SegmentState::parse(row.try_get("state")?).unwrap_or(SegmentState::Quarantined),
        ids: (row.try_get("first_id")?, row.try_get("last_id")?),
        generation: row.try_get("generation")?,
        pending: row.try_get("pending")?,
        etag: row.try_get("etag")?,
    })
}

fn from_rows(rows: &[PgRow]) -> Result<Vec<ColdSegment>, DbError> {
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

/// Which rows are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Of this project.
    pub project: ProjectId,
    /// Of this kind.
    pub kind: Kind,
    /// Only of this event type.
    pub topic: Option<&'a str>,
    /// With ids from the first to the second, both included.
    pub ids: (Uuid, Uuid),
}

/// The cold segments of one day that may hold wanted rows, in the order of their first ids.
///
/// # Errors
/// As every statement.
pub async fn of_day(db: &Db, wanted: Wanted<'_>, day: NaiveDate) -> Result<Vec<ColdSegment>, DbError> {
    nearest_day(db, wanted, (day, day), false).await
}

/// The cold segments that may hold wanted rows, of the first of the `days` that has some; with
/// `down` of the last one.
///
/// # Errors
/// As every statement.
pub async fn nearest_day(
    db: &Db,
    wanted: Wanted<'_>,
    days: (NaiveDate, NaiveDate),
    down: bool,
) -> Result<Vec<ColdSegment>, DbError> {
    let mut place = format!(
        "s.project_id = $1 AND s.kind = $2 AND {COLD} AND s.first_id <= $4 AND s.last_id >= $3 AND s.day BETWEEN $5 AND $6"
    );
    if wanted.topic.is_some() {
        let _ = write!(place, " AND s.topic = $7");
    }
    let nearest = if down { "max" } else { "min" };
    let sql = format!(
        "SELECT {COLUMNS} FROM segments s WHERE {place} \
         AND s.day = (SELECT {nearest}(s.day) FROM segments s WHERE {place}) ORDER BY s.first_id"
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(wanted.project.0)
        .bind(wanted.kind.code())
        .bind(wanted.ids.0)
        .bind(wanted.ids.1)
        .bind(days.0)
        .bind(days.1);
    if let Some(topic) = wanted.topic {
        query = query.bind(topic);
    }
    from_rows(&query.fetch_all(db.pool()).await?)
}

/// The index of blocks of a segment; `None` when it has another generation by now, or is not read
/// any more.
///
/// # Errors
/// As every statement.
pub async fn block_index(db: &Db, id: Uuid, generation: i32) -> Result<Option<Vec<u8>>, DbError> {
    let index = sqlx::query_scalar(
        "SELECT block_index FROM segments WHERE id = $1 AND generation = $2 AND state IN ('committed', 'rewriting')",
    )
    .bind(id)
    .bind(generation)
    .fetch_optional(db.pool())
    .await?;
    Ok(index.flatten())
}

/// What a segment's filters say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterBits {
    /// This filter.
    Bits(Vec<u8>),
    /// Others, but not this one: nothing of the sort is in it.
    Nothing,
    /// None at all: the segment may hold anything.
    Unknown,
}

/// The filter `what` of a segment: `id` or `key`.
///
/// # Errors
/// As every statement.
pub async fn filter(db: &Db, segment: Uuid, what: &str) -> Result<FilterBits, DbError> {
    let found: Vec<Option<Vec<u8>>> = sqlx::query_scalar(
        "SELECT CASE WHEN what = $2 THEN bits END FROM segment_filters WHERE segment_id = $1",
    )
    .bind(segment)
    .bind(what)
    .fetch_all(db.pool())
    .await?;
    if found.is_empty() {
        return Ok(FilterBits::Unknown);
    }
    let bits = found.into_iter().flatten().next();
    Ok(bits.map_or(FilterBits::Nothing, FilterBits::Bits))
}

/// Takes a damaged segment out of use until a person has looked; `false` when it does not stand
/// in `state` any more, or has another generation.
///
/// # Errors
/// As every statement.
pub async fn quarantine(
    db: &Db,
    id: Uuid,
    generation: i32,
    state: SegmentState,
    why: &str,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE segments SET state = 'quarantined', last_error = $3 WHERE id = $1 AND generation = $2 AND state = $4",
    )
    .bind(id)
    .bind(generation)
    .bind(why)
    .bind(state.as_str())
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Which of these rows PostgreSQL has.
///
/// # Errors
/// As every statement.
pub async fn existing(db: &Db, kind: Kind, ids: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "SELECT id FROM {} WHERE id = ANY($1) AND accepted_at BETWEEN $2 AND $3",
        table(kind)
    );
    let found = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(ids)
        .bind(instant(*first))
        .bind(instant(*last))
        .fetch_all(db.pool())
        .await?;
    Ok(found)
}

/// Events that have deliveries to one of `endpoints` in PostgreSQL, with ids of deliveries from the
/// first to the second of `ids`, both included.
///
/// # Errors
/// As every statement.
pub async fn sent_to(
    db: &Db,
    project: ProjectId,
    endpoints: &[EndpointId],
    ids: (Uuid, Uuid),
    at: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<EventId>, DbError> {
    let events: Vec<Uuid> = sqlx::query_scalar(
        "SELECT DISTINCT event_id FROM event_deliveries WHERE project_id = $1 AND endpoint_id = ANY($2) \
         AND id BETWEEN $3 AND $4 AND accepted_at BETWEEN $5 AND $6",
    )
    .bind(project.0)
    .bind(endpoints.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind(ids.0)
    .bind(ids.1)
    .bind(at.0)
    .bind(at.1)
    .fetch_all(db.pool())
    .await?;
    Ok(events.into_iter().map(EventId).collect())
}

fn instant(id: Uuid) -> DateTime<Utc> {
    instant_of(id).unwrap_or(DateTime::UNIX_EPOCH)
}
