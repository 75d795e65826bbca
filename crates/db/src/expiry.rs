//! What has to be asked and settled before a leaf may leave.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::id::{EventId, ProjectId};
use domain::lifecycle::{KeepDays, leaf_name, next_day, start_of};
use domain::segment::Kind;
use domain::state::{DeliveryState, EventState};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Row};
use uuid::Uuid;

use crate::collision::again;
use crate::export::{digest_sql, table};
use crate::segments::{ClassDigest, WRAPPED_SUM};
use crate::{Db, DbError};

/// Why rows of a project keep a leaf from leaving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// A hold covers some of them.
    Held {
        /// The project.
        project: ProjectId,
        /// Its name.
        name: String,
        /// The hold's name.
        hold: String,
    },
    /// The project keeps them longer by now, and they were not moved yet.
    KeptLonger {
        /// The project.
        project: ProjectId,
        /// Its name.
        name: String,
        /// For how long it keeps its events.
        keep_days: KeepDays,
    },
}

impl Blocker {
    /// The project.
    pub fn project(&self) -> ProjectId {
        match self {
            Self::Held { project, .. } | Self::KeptLonger { project, .. } => *project,
        }
    }
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held { name, hold, .. } => write!(f, "rows of {name} are on hold ({hold})"),
            Self::KeptLonger { name, keep_days, .. } => {
                write!(f, "rows of {name} are kept {keep_days} and were not moved yet")
            }
        }
    }
}

/// What keeps the rows of `day` and `class` from leaving. Rows of an event are moved to another
/// class before the event itself is, so events speak for all.
///
/// # Errors
/// As every statement.
pub async fn blockers(db: &Db, day: NaiveDate, class: KeepDays) -> Result<Vec<Blocker>, DbError> {
    // The table's own name, and bounds: finds the leaf by itself and works without leaves, too.
    let rows = sqlx::query(
        "SELECT p.id, p.name, h.name AS hold, p.keep_days FROM holds h JOIN projects p ON p.id = h.project_id \
         WHERE h.released_at IS NULL AND h.from_at < $2 AND h.to_at > $1 AND EXISTS ( \
            SELECT 1 FROM events e WHERE e.project_id = h.project_id AND e.keep_days = $3 \
                AND e.accepted_at >= $1 AND e.accepted_at < $2 AND e.accepted_at >= h.from_at AND e.accepted_at < h.to_at) \
         UNION ALL \
         SELECT p.id, p.name, NULL, p.keep_days FROM projects p \
         WHERE p.deleted_at IS NULL AND (p.keep_days = 0 OR p.keep_days > $3) AND EXISTS ( \
            SELECT 1 FROM events e WHERE e.project_id = p.id AND e.keep_days = $3 \
                AND e.accepted_at >= $1 AND e.accepted_at < $2)",
    )
    .bind(start_of(day))
    .bind(start_of(next_day(day)))
    .bind(class.0)
    .fetch_all(db.pool())
    .await?;
    let blocker = |row: &PgRow| {
        let (project, name) = (ProjectId(row.try_get("id")?), row.try_get("name")?);
        Ok(match row.try_get("hold")? {
            Some(hold) => Blocker::Held { project, name, hold },
            None => Blocker::KeptLonger {
                project,
                name,
                keep_days: KeepDays(row.try_get("keep_days")?),
            },
        })
    };
    Ok(rows.iter().map(blocker).collect::<Result<_, sqlx::Error>>()?)
}

/// Asks for a reclass run of these projects, unless one is asked for.
///
/// # Errors
/// As every statement.
pub async fn ask_for_reclass(db: &Db, projects: &[ProjectId], now: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query("UPDATE projects SET reclass_since = coalesce(reclass_since, $2) WHERE id = ANY($1)")
        .bind(projects.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind(now)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Ends what is still live of `day` and `class`: its time is over. The rows say so. Returns events
/// and deliveries.
///
/// # Errors
/// As every statement.
pub async fn end_live(
    db: &Db,
    day: NaiveDate,
    class: KeepDays,
    now: DateTime<Utc>,
) -> Result<(u64, u64), DbError> {
    let deliveries = "UPDATE event_deliveries SET state = $4, due_at = NULL, ended_at = $5, \
            description = 'The retention of its event ended.' \
         WHERE accepted_at >= $1 AND accepted_at < $2 AND keep_days = $3 AND due_at IS NOT NULL";
    let events = "UPDATE events SET state = $4, due_at = NULL, \
            failure_reason = 'Its retention ended on ' || to_char($5, 'YYYY-MM-DD') || ', before it was matched.' \
         WHERE accepted_at >= $1 AND accepted_at < $2 AND keep_days = $3 AND due_at IS NOT NULL";
    let end = |sql: &'static str, state: i16| {
        again(move || async move {
            let done = sqlx::query(sql)
                .bind(start_of(day))
                .bind(start_of(next_day(day)))
                .bind(class.0)
                .bind(state)
                .bind(now)
                .execute(db.pool())
                .await?;
            Ok(done.rows_affected())
        })
    };
    let deliveries = end(deliveries, DeliveryState::Discarded.code()).await?;
    Ok((end(events, EventState::Failure.code()).await?, deliveries))
}

/// Which of `projects` have rows in the leaf of `kind`, and what: read from the leaf itself, so also
/// when it is detached. A leaf that is gone has nothing.
///
/// # Errors
/// As every statement.
pub async fn leaf_digests(
    db: &Db,
    kind: Kind,
    day: NaiveDate,
    class: KeepDays,
    projects: &[ProjectId],
) -> Result<BTreeMap<ProjectId, ClassDigest>, DbError> {
    let leaf = leaf_name(table(kind), day, class);
    let mut txn = db.pool().begin().await?;
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(&leaf)
        .fetch_one(&mut *txn)
        .await?;
    if !there {
        return Ok(BTreeMap::new());
    }
    sqlx::query("SET LOCAL statement_timeout = '15min'")
        .execute(&mut *txn)
        .await?;
    let sql = format!(
        "SELECT project_id, n, {WRAPPED_SUM} AS total FROM ( \
            SELECT project_id, count(*) AS n, mod(sum({}::numeric), 18446744073709551616) AS modulo \
            FROM {leaf} WHERE project_id = ANY($1) GROUP BY 1) sums",
        digest_sql(kind)
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(projects.iter().map(|id| id.0).collect::<Vec<_>>())
        .fetch_all(&mut *txn)
        .await?;
    let digest = |row: &PgRow| {
        let project = ProjectId(row.try_get::<Uuid, _>("project_id")?);
        let digest = ClassDigest {
            rows: row.try_get("n")?,
            sum: row.try_get("total")?,
        };
        Ok((project, digest))
    };
    Ok(rows.iter().map(digest).collect::<Result<_, sqlx::Error>>()?)
}

/// The first day of which a hot table holds a row.
///
/// # Errors
/// As every statement.
pub async fn first_day(db: &Db, table: &str) -> Result<Option<NaiveDate>, DbError> {
    let id: Option<Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT id FROM {table} ORDER BY id LIMIT 1"
    )))
    .fetch_optional(db.pool())
    .await?;
    Ok(id.map(|id| EventId(id).day()))
}

/// Projects with backup on, deleted ones included.
///
/// # Errors
/// As every statement.
pub async fn backed_up(db: &Db) -> Result<Vec<ProjectId>, DbError> {
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM projects WHERE backup_on ORDER BY id")
        .fetch_all(db.pool())
        .await?;
    Ok(ids.into_iter().map(ProjectId).collect())
}
