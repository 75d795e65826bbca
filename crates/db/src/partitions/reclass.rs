//! Moves older rows of a project to the keep class that it has now.
//!
//! Changing `keep_days` makes PostgreSQL move the row to another leaf of its day. Batches follow the
//! project's events, which an index knows; whatever belongs to an event shares its millisecond and
//! moves in the same transaction. Rows that somebody is changing at that moment are left for the
//! next pass, so a batch never waits for a writer. A writer that waits for a batch is told that the
//! row moved ([`DbError::Moved`]) and tries again.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::id::{ProjectId, bounds_of_millisecond, first_of_millisecond, instant_of};
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES};
use sea_orm::sqlx::{self, PgConnection, Row};
use uuid::Uuid;

use super::{LOCK_LIMIT, run};
use crate::{Db, DbError};

/// A project some of whose rows may be of another class than they should.
#[derive(Clone, Debug, PartialEq)]
pub struct ReclassWork {
    /// The project.
    pub project: ProjectId,
    /// The class of its rows.
    pub keep_days: KeepDays,
    /// When this was last changed. Passed to [`reclass_done`].
    pub since: DateTime<Utc>,
    /// Holds in force: from, and to (excluded). Rows accepted in one of them are kept for ever.
    pub holds: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// One step through a project's rows.
#[derive(Clone, Copy, Debug)]
pub struct ReclassBatch {
    /// The project.
    pub project: ProjectId,
    /// First instant, on a UTC day.
    pub from: DateTime<Utc>,
    /// Last instant, excluded; on the same day, or the next midnight.
    pub to: DateTime<Utc>,
    /// Events up to and with this id are done.
    pub after: Option<Uuid>,
    /// The class that rows between the two shall have.
    pub keep_days: KeepDays,
    /// How many events; their deliveries and attempts come on top.
    pub events: i64,
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Rows of another class that were found, table by table as in [`PARTITIONED_TABLES`].
    pub found: [u64; 4],
    /// Of those, the rows that were moved.
    pub moved: [u64; 4],
    /// The last event; the next batch goes on after it. `None`: there are no more.
    pub last: Option<Uuid>,
}

/// Projects with something to do, longest waiting first, deleted ones included.
///
/// # Errors
/// As every statement.
pub async fn reclass_work(db: &Db) -> Result<Vec<ReclassWork>, DbError> {
    let rows = sqlx::query(
        "SELECT p.id, p.keep_days, p.reclass_since, \
                coalesce(array_agg(h.from_at) FILTER (WHERE h.id IS NOT NULL), '{}') AS holds_from, \
                coalesce(array_agg(h.to_at) FILTER (WHERE h.id IS NOT NULL), '{}') AS holds_to \
         FROM projects p LEFT JOIN holds h ON h.project_id = p.id AND h.released_at IS NULL \
         WHERE p.reclass_since IS NOT NULL GROUP BY p.id ORDER BY p.reclass_since, p.id",
    )
    .fetch_all(db.pool())
    .await?;
    let mut work = Vec::with_capacity(rows.len());
    for row in rows {
        let from: Vec<DateTime<Utc>> = row.try_get("holds_from")?;
        let to: Vec<DateTime<Utc>> = row.try_get("holds_to")?;
        work.push(ReclassWork {
            project: ProjectId(row.try_get("id")?),
            keep_days: KeepDays(row.try_get("keep_days")?),
            since: row.try_get("reclass_since")?,
            holds: from.into_iter().zip(to).collect(),
        });
    }
    Ok(work)
}

/// The first and the last event that PostgreSQL holds of a project.
///
/// # Errors
/// As every statement.
pub async fn reclass_span(
    db: &Db,
    project: ProjectId,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>, DbError> {
    let (first, last): (Option<Uuid>, Option<Uuid>) = sqlx::query_as(
        "SELECT (SELECT id FROM events WHERE project_id = $1 ORDER BY id LIMIT 1), \
                (SELECT id FROM events WHERE project_id = $1 ORDER BY id DESC LIMIT 1)",
    )
    .bind(project.0)
    .fetch_one(db.pool())
    .await?;
    Ok(first.and_then(instant_of).zip(last.and_then(instant_of)))
}

/// The project's rows are all where they should be. Takes no effect, and answers `false`, when its
/// class or holds changed since `since`.
///
/// # Errors
/// As every statement.
pub async fn reclass_done(db: &Db, project: ProjectId, since: DateTime<Utc>) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE projects SET reclass_since = NULL WHERE id = $1 AND reclass_since = $2")
        .bind(project.0)
        .bind(since)
        .execute(db.pool())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Looks at the next events and moves what belongs to them and has another class.
///
/// # Errors
/// [`DbError::NoLeaf`] when the day has no leaf of the class yet, [`DbError::Unavailable`] when the
/// day's tables are locked; nothing was moved then.
pub async fn reclass_batch(db: &Db, batch: &ReclassBatch) -> Result<Moves, DbError> {
    let mut txn = db.pool().begin().await?;
    run(
        &mut txn,
        format!("SET LOCAL lock_timeout = {}", LOCK_LIMIT.as_millis()),
    )
    .await?;
    run(&mut txn, super::IDLE_LIMIT.to_owned()).await?;
    // The look-ups are a few rows each by the primary key, whatever PostgreSQL guesses.
    for plan in ["hashjoin", "mergejoin", "seqscan", "bitmapscan"] {
        run(&mut txn, format!("SET LOCAL enable_{plan} = off")).await?;
    }
    let ids = next_events(&mut txn, batch).await?;
    let mut moves = Moves {
        last: ids.last().copied(),
        ..Moves::default()
    };
    let instants: BTreeSet<DateTime<Utc>> = ids.iter().copied().filter_map(instant_of).collect();
    let instants: Vec<DateTime<Utc>> = instants.into_iter().collect();
    let order = ["delivery_attempts", "event_deliveries", "events_search", "events"];
    for table in order {
        if instants.is_empty() {
            break;
        }
        let (found, moved) = move_rows(&mut txn, table, batch, &instants).await?;
        if let Some(n) = PARTITIONED_TABLES.iter().position(|name| *name == table) {
            (moves.found[n], moves.moved[n]) = (found, moved);
        }
    }
    txn.commit().await?;
    Ok(moves)
}

async fn next_events(connection: &mut PgConnection, batch: &ReclassBatch) -> Result<Vec<Uuid>, sqlx::Error> {
    // Ids begin with the instant: both are given, for the index and for the partitions.
    sqlx::query_scalar(
        "SELECT id FROM events WHERE project_id = $1 AND accepted_at >= $2 AND accepted_at < $3 \
         AND id >= $4 AND id < $5 AND ($6::uuid IS NULL OR id > $6) ORDER BY id LIMIT $7",
    )
    .bind(batch.project.0)
    .bind(batch.from)
    .bind(batch.to)
    .bind(first_of_millisecond(batch.from))
    .bind(first_of_millisecond(batch.to))
    .bind(batch.after)
    .bind(batch.events)
    .fetch_all(connection)
    .await
}

/// Rows of `table` that belong to events of these instants: how many have another class, and how
/// many of them were moved.
async fn move_rows(
    connection: &mut PgConnection,
    table: &str,
    batch: &ReclassBatch,
    instants: &[DateTime<Utc>],
) -> Result<(u64, u64), sqlx::Error> {
    let (low, high): (Vec<Uuid>, Vec<Uuid>) = instants.iter().copied().map(bounds_of_millisecond).unzip();
    let sql = format!(
        "WITH found AS MATERIALIZED ( \
             SELECT t.* FROM unnest($3::timestamptz[], $4::uuid[], $5::uuid[]) AS n(at, low, high) CROSS JOIN LATERAL ( \
                 SELECT t.id, t.accepted_at, t.keep_days FROM {table} t \
                 WHERE t.id BETWEEN n.low AND n.high AND t.accepted_at = n.at AND t.project_id = $1 \
                 AND t.keep_days <> $2 AND t.accepted_at >= $6 AND t.accepted_at < $7 OFFSET 0) t), \
         locked AS MATERIALIZED ( \
             SELECT t.id, t.accepted_at, t.keep_days FROM found f \
             JOIN {table} t ON t.id = f.id AND t.accepted_at = f.accepted_at AND t.keep_days = f.keep_days \
             WHERE t.accepted_at >= $6 AND t.accepted_at < $7 FOR UPDATE OF t SKIP LOCKED), \
         moved AS ( \
             UPDATE {table} t SET keep_days = $2 FROM locked l \
             WHERE t.id = l.id AND t.accepted_at = l.accepted_at AND t.keep_days = l.keep_days \
             AND t.accepted_at >= $6 AND t.accepted_at < $7 RETURNING 1) \
         SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM moved)"
    );
    let (found, moved): (i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(batch.project.0)
        .bind(batch.keep_days.0)
        .bind(instants)
        .bind(low)
        .bind(high)
        .bind(batch.from)
        .bind(batch.to)
        .fetch_one(connection)
        .await?;
    Ok((found.unsigned_abs(), moved.unsigned_abs()))
}
