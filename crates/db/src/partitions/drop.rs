//! Takes leaves out of use while inserts and reads go on, in steps that may end anywhere.
//!
//! A row of `leaf_drops` says what is meant before anything happens. Then the leaf is detached
//! concurrently, which locks nobody out; from there its rows are out of sight and nobody can change
//! them, so whoever has to compare them with a copy does it now. Then it is dropped, or attached
//! again. A process that dies leaves behind a leaf in one of the [`Stage`]s, and every function here
//! goes on from whichever it finds. Nothing is ever dropped by cascade.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, day_name, parse_leaf_name};
use sea_orm::sqlx::{self, PgConnection};
use serde::Serialize;

use super::{LeafId, ensure, leaves, partitioned, pause, run};
use crate::{Db, DbError};

/// Longest time for which removing an empty day may keep writers waiting, and how often in a row.
const DAY_LOCK: Duration = Duration::from_millis(100);
const DAY_TRIES: u32 = 3;

/// How patient a drop is.
#[derive(Clone, Copy, Debug)]
pub struct DropOptions {
    /// Longest wait for a lock in one try, which is the longest time that others wait behind it.
    pub lock_timeout: Duration,
    /// How many tries before the call fails as unavailable; the next call goes on.
    pub tries: u32,
    /// The moment that is recorded.
    pub at: DateTime<Utc>,
}

impl DropOptions {
    /// Half a second, ten times.
    pub fn at(at: DateTime<Utc>) -> Self {
        Self {
            lock_timeout: super::LOCK_LIMIT,
            tries: 10,
            at,
        }
    }
}

/// What left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Rows; counted when the leaf is small enough, else estimated.
    pub rows: i64,
    /// Bytes on disk with indexes.
    pub bytes: i64,
    /// For how many milliseconds locks were held or waited for that keep others out.
    pub locked_ms: i32,
}

/// How far a leaf is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In use.
    Attached,
    /// Out of sight, but still tied to its day, because some transaction may still see it.
    Detaching,
    /// A table by itself.
    Detached,
    /// There is no table of its name.
    Gone,
}

/// Takes a leaf out of sight. Afterwards its rows lie unchanged in a table of the same name until
/// [`drop_detached`] or [`attach_back`]. Safe to repeat; a leaf that is gone is left so.
///
/// # Errors
/// [`DbError::Unavailable`] when long transactions stand in the way for too long: the leaf may be
/// out of sight then, and the next call goes on. [`DbError::Internal`] when a table of its name was
/// detached by somebody else.
pub async fn detach_leaf(db: &Db, leaf: &LeafId, options: &DropOptions) -> Result<Stage, DbError> {
    let mut n = 0;
    loop {
        let error = match stage(db, leaf).await? {
            Stage::Gone => return Ok(Stage::Gone),
            Stage::Detached if is_meant(db, leaf).await? => return Ok(Stage::Detached),
            Stage::Detached => {
                let reason = format!("{} was not detached to be dropped", leaf.name());
                return Err(DbError::Internal(reason.into()));
            }
            stage => {
                mark(db, leaf, options.at).await?;
                match detach(db, leaf, stage, options).await {
                    Ok(()) => continue,
                    Err(error) => DbError::from(error),
                }
            }
        };
        n += 1;
        if n >= options.tries || !error.is_transient() {
            return Err(error);
        }
        tokio::time::sleep(pause(n - 1)).await;
    }
}

/// Drops a leaf that [`detach_leaf`] took out of sight, and records what left.
///
/// # Errors
/// [`DbError::Moved`] when it was attached again meanwhile; [`DbError::Unavailable`] when its lock
/// could not be had.
pub async fn drop_detached(db: &Db, leaf: &LeafId, options: &DropOptions) -> Result<Dropped, DbError> {
    let name = leaf.name();
    if stage(db, leaf).await? == Stage::Gone {
        finish_mark(db, leaf, options.at).await?;
        return Ok(Dropped::default());
    }
    let (rows, bytes) = leaves::size_of(db, &name).await?;
    let mut n = 0;
    loop {
        let error = match try_drop(db, leaf, (rows, bytes), options).await {
            Ok(Some(locked_ms)) => {
                return Ok(Dropped {
                    rows,
                    bytes,
                    locked_ms,
                });
            }
            Ok(None) => return Err(DbError::Moved),
            Err(error) => error,
        };
        n += 1;
        if n >= options.tries || !error.is_transient() {
            return Err(error);
        }
        tokio::time::sleep(pause(n - 1)).await;
    }
}

/// Both steps, for a leaf whose rows need no look in between.
///
/// # Errors
/// As [`detach_leaf`] and [`drop_detached`].
pub async fn drop_leaf(db: &Db, leaf: &LeafId, options: &DropOptions) -> Result<Dropped, DbError> {
    detach_leaf(db, leaf, options).await?;
    drop_detached(db, leaf, options).await
}

/// Puts a leaf that [`detach_leaf`] took out of sight back to use, and records why it stays.
///
/// # Errors
/// As [`detach_leaf`].
pub async fn attach_back(db: &Db, leaf: &LeafId, reason: &str, options: &DropOptions) -> Result<(), DbError> {
    if matches!(stage(db, leaf).await?, Stage::Detaching) {
        detach_leaf(db, leaf, options).await?;
    }
    ensure::make(db, leaf.table, leaf.day, &[leaf.keep_days]).await?;
    let (rows, bytes) = leaves::size_of(db, &leaf.name()).await?;
    refuse(db, leaf, reason, (rows, bytes), options.at).await
}

/// Records that a leaf whose time is over stays, and why. The first refusal says since when.
///
/// # Errors
/// As every statement.
pub async fn refuse(
    db: &Db,
    leaf: &LeafId,
    reason: &str,
    (rows, bytes): (i64, i64),
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO leaf_drops AS d (leaf, table_name, day, keep_days, state, row_count, size_bytes, reason, since) \
         VALUES ($1, $2, $3, $4, 'refused', $5, $6, $7, $8) \
         ON CONFLICT (leaf) DO UPDATE SET state = 'refused', row_count = excluded.row_count, \
             size_bytes = excluded.size_bytes, reason = excluded.reason, ended_at = NULL, \
             since = CASE WHEN d.state = 'refused' THEN d.since ELSE excluded.since END",
    )
    .bind(leaf.name())
    .bind(leaf.table)
    .bind(leaf.day)
    .bind(leaf.keep_days.0)
    .bind(rows)
    .bind(bytes)
    .bind(reason)
    .bind(at)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Leaves whose drop was begun and not finished, with the stage they are in. One that is still
/// [`Stage::Attached`] lost nothing: whether it shall go is to be decided anew.
///
/// # Errors
/// As every statement.
pub async fn unfinished(db: &Db) -> Result<Vec<(LeafId, Stage)>, DbError> {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT leaf FROM leaf_drops WHERE state = 'dropping' ORDER BY since, leaf")
            .fetch_all(db.pool())
            .await?;
    let mut open = Vec::new();
    for (table, day, keep_days) in names.iter().filter_map(|name| parse_leaf_name(name)) {
        let leaf = LeafId {
            table,
            day,
            keep_days,
        };
        open.push((leaf, stage(db, &leaf).await?));
    }
    Ok(open)
}

/// Removes the days before `before` that have no leaf any more. A day cannot be detached
/// concurrently beside a default leaf, so this takes the whole table for a moment, and makes room
/// soon when somebody is at work for long: an empty day can wait for the next call.
///
/// # Errors
/// As every statement.
pub async fn drop_empty_days(
    db: &Db,
    before: NaiveDate,
    options: &DropOptions,
) -> Result<Vec<(&'static str, NaiveDate)>, DbError> {
    let mut gone = Vec::new();
    let options = DropOptions {
        lock_timeout: options.lock_timeout.min(DAY_LOCK),
        tries: options.tries.min(DAY_TRIES),
        ..*options
    };
    for table in partitioned(db, &PARTITIONED_TABLES).await? {
        for day in empty_days(db, table, before).await? {
            match drop_day(db, table, day, &options).await {
                Ok(true) => gone.push((table, day)),
                Ok(false) => {}
                // Whoever is in the way of this day is in the way of its neighbours.
                Err(error) if error.is_transient() => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(gone)
}

async fn drop_day(db: &Db, table: &str, day: NaiveDate, options: &DropOptions) -> Result<bool, DbError> {
    let mut n = 0;
    loop {
        let error = match try_drop_day(db, table, day, options).await {
            Err(error) if error.is_transient() => error,
            done => return done,
        };
        n += 1;
        if n >= options.tries {
            tracing::debug!(table, %day, %error, "an empty day stays for now");
            return Err(error);
        }
        tokio::time::sleep(pause(n - 1)).await;
    }
}

async fn stage(db: &Db, leaf: &LeafId) -> Result<Stage, DbError> {
    // A table that inherits from anything else than its day is part of another layout.
    let row: Option<(Option<bool>, Option<bool>)> = sqlx::query_as(
        "SELECT i.inhdetachpending, p.relkind = 'p' AND p.relname = $2 FROM pg_class c \
         LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent \
         WHERE c.oid = to_regclass($1)",
    )
    .bind(leaf.name())
    .bind(day_name(leaf.table, leaf.day))
    .fetch_optional(db.pool())
    .await?;
    Ok(match row {
        None => Stage::Gone,
        Some((None, _)) => Stage::Detached,
        Some((Some(true), Some(true))) => Stage::Detaching,
        Some((Some(false), Some(true))) => Stage::Attached,
        Some(_) => {
            let reason = format!("{} is no leaf of a partitioned table", leaf.name());
            return Err(DbError::Internal(reason.into()));
        }
    })
}

async fn is_meant(db: &Db, leaf: &LeafId) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM leaf_drops WHERE leaf = $1 AND state = 'dropping')")
            .bind(leaf.name())
            .fetch_one(db.pool())
            .await?,
    )
}

/// Writes down what is meant. A leaf that was dropped before and came again adds to its counts.
async fn mark(db: &Db, leaf: &LeafId, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO leaf_drops AS d (leaf, table_name, day, keep_days, state, since) \
         VALUES ($1, $2, $3, $4, 'dropping', $5) \
         ON CONFLICT (leaf) DO UPDATE SET state = 'dropping', reason = NULL, ended_at = NULL, \
             since = CASE d.state WHEN 'refused' THEN d.since ELSE excluded.since END, \
             row_count = CASE d.state WHEN 'dropped' THEN d.row_count ELSE 0 END, \
             size_bytes = CASE d.state WHEN 'dropped' THEN d.size_bytes ELSE 0 END \
         WHERE d.state <> 'dropping'",
    )
    .bind(leaf.name())
    .bind(leaf.table)
    .bind(leaf.day)
    .bind(leaf.keep_days.0)
    .bind(at)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// The table is gone, so whatever was meant has happened.
async fn finish_mark(db: &Db, leaf: &LeafId, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE leaf_drops SET state = 'dropped', ended_at = $2 WHERE leaf = $1 AND state = 'dropping'",
    )
    .bind(leaf.name())
    .bind(at)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// One try to take a leaf out of sight, on a connection of its own: concurrent detaching takes two
/// transactions, and the limits must not stay behind on a connection of the pool.
async fn detach(db: &Db, leaf: &LeafId, stage: Stage, options: &DropOptions) -> Result<(), sqlx::Error> {
    let (day, name) = (day_name(leaf.table, leaf.day), leaf.name());
    let mut connection = db.pool().acquire().await?.detach();
    let limit = options.lock_timeout.as_millis();
    run(&mut connection, format!("SET lock_timeout = {limit}")).await?;
    // A day can have only one leaf on its way out.
    let other: Option<String> = sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass($1) AND inhdetachpending",
    )
    .bind(&day)
    .fetch_optional(&mut connection)
    .await?;
    if let Some(pending) = other {
        run(
            &mut connection,
            format!("ALTER TABLE {day} DETACH PARTITION {pending} FINALIZE"),
        )
        .await?;
    }
    if stage == Stage::Attached {
        run(
            &mut connection,
            format!("ALTER TABLE {day} DETACH PARTITION {name} CONCURRENTLY"),
        )
        .await?;
    }
    sqlx::Connection::close(connection).await
}

/// One try to drop a detached leaf: for how many milliseconds it was locked, or `None` when it is not
/// on its way out any more.
async fn try_drop(
    db: &Db,
    leaf: &LeafId,
    (rows, bytes): (i64, i64),
    options: &DropOptions,
) -> Result<Option<i32>, DbError> {
    let name = leaf.name();
    let mut txn = db.pool().begin().await?;
    limit_locks(&mut txn, options).await?;
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM leaf_drops WHERE leaf = $1 FOR UPDATE")
        .bind(&name)
        .fetch_optional(&mut *txn)
        .await?;
    let began = Instant::now();
    run(&mut txn, format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")).await?;
    let free: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass($1))")
            .bind(&name)
            .fetch_one(&mut *txn)
            .await?;
    if !free || state.as_deref() != Some("dropping") {
        return Ok(None);
    }
    run(&mut txn, format!("DROP TABLE {name}")).await?;
    let locked = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
    sqlx::query(
        "UPDATE leaf_drops SET state = 'dropped', ended_at = $2, row_count = row_count + $3, \
         size_bytes = size_bytes + $4, locked_ms = $5 WHERE leaf = $1",
    )
    .bind(&name)
    .bind(options.at)
    .bind(rows)
    .bind(bytes)
    .bind(locked)
    .execute(&mut *txn)
    .await?;
    txn.commit().await?;
    Ok(Some(locked))
}

async fn empty_days(db: &Db, table: &str, before: NaiveDate) -> Result<Vec<NaiveDate>, DbError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
         WHERE i.inhparent = to_regclass($1) AND c.relkind = 'p' \
         AND NOT EXISTS (SELECT 1 FROM pg_inherits l WHERE l.inhparent = c.oid) ORDER BY 1",
    )
    .bind(table)
    .fetch_all(db.pool())
    .await?;
    // A leaf's name tells its day; a day's name is the first part of it.
    let day =
        |name: &String| parse_leaf_name(&format!("{name}_k{}", KeepDays::FOR_EVER.0)).map(|(_, day, _)| day);
    Ok(names.iter().filter_map(day).filter(|day| *day < before).collect())
}

/// One try to remove a day; `false` when it has a leaf again.
async fn try_drop_day(db: &Db, table: &str, day: NaiveDate, options: &DropOptions) -> Result<bool, DbError> {
    let name = day_name(table, day);
    let mut txn = db.pool().begin().await?;
    limit_locks(&mut txn, options).await?;
    run(&mut txn, format!("ALTER TABLE {table} DETACH PARTITION {name}")).await?;
    let empty: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass($1))")
            .bind(&name)
            .fetch_one(&mut *txn)
            .await?;
    if !empty {
        return Ok(false);
    }
    run(&mut txn, format!("DROP TABLE {name}")).await?;
    txn.commit().await?;
    Ok(true)
}

async fn limit_locks(connection: &mut PgConnection, options: &DropOptions) -> Result<(), sqlx::Error> {
    let limit = options.lock_timeout.as_millis();
    run(connection, format!("SET LOCAL lock_timeout = {limit}")).await?;
    // A client that stops in between must not keep the locks.
    run(connection, super::IDLE_LIMIT.to_owned()).await?;
    Ok(())
}
