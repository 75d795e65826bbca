//! Partitions of the hot tables: days, leaves, and what the safety net caught.
//!
//! Layout: `events` -> `events_20261120` (one UTC day) -> `events_20261120_k30` (one keep class).
//! Rows of a day that does not exist yet fall into `events_default`; [`move_home`] brings them to
//! their leaf once it does.

use chrono::NaiveDate;
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, day_name, leaf_name, next_day};
use sea_orm::sqlx;
use serde::Serialize;

use crate::{Db, DbError};

/// Held while partitions are made or removed, so that two processes never race for a name.
const DDL_LOCK: i64 = 0x4c48_5041_5254;

/// What [`ensure`] found missing and made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Day partitions.
    pub days: u32,
    /// Leaves.
    pub leaves: u32,
    /// Rows that waited in a default leaf and are home now.
    pub moved: u64,
}

/// Keep classes in use, ascending.
///
/// # Errors
/// As every statement.
pub async fn classes(db: &Db) -> Result<Vec<KeepDays>, DbError> {
    let days: Vec<i16> = sqlx::query_scalar("SELECT keep_days FROM keep_classes ORDER BY 1")
        .fetch_all(db.pool())
        .await?;
    Ok(days.into_iter().map(KeepDays).collect())
}

/// Puts a keep class to use. Call [`ensure`] before any row gets the class.
///
/// # Errors
/// As every statement.
pub async fn add_class(db: &Db, class: KeepDays) -> Result<(), DbError> {
    sqlx::query("INSERT INTO keep_classes VALUES ($1, now()) ON CONFLICT DO NOTHING")
        .bind(class.0)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Makes every missing day and leaf of all tables from `first` to `last`, and moves home what the
/// default leaf caught for them. Safe to repeat and to run from many processes.
///
/// # Errors
/// [`DbError::Unavailable`] when another session holds a lock for too long; nothing is half done.
pub async fn ensure(
    db: &Db,
    first: NaiveDate,
    last: NaiveDate,
    classes: &[KeepDays],
) -> Result<Made, DbError> {
    let mut made = Made::default();
    let existing = existing_names(db).await?;
    for table in PARTITIONED_TABLES {
        let mut day = first;
        while day <= last {
            let missing: Vec<KeepDays> = classes
                .iter()
                .copied()
                .filter(|c| !existing.contains(&leaf_name(table, day, *c)))
                .collect();
            let day_missing = !existing.contains(&day_name(table, day));
            if day_missing || !missing.is_empty() {
                made.moved += make_day(db, table, day, day_missing, &missing).await?;
                made.days += u32::from(day_missing);
                made.leaves += missing.len() as u32;
            }
            day = next_day(day);
        }
    }
    Ok(made)
}

/// Rows that wait in default leaves, per table, counted up to `limit`.
///
/// # Errors
/// As every statement.
pub async fn rows_in_default(db: &Db, limit: i64) -> Result<Vec<(&'static str, i64)>, DbError> {
    let mut counts = Vec::new();
    for table in PARTITIONED_TABLES {
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table}_default LIMIT $1) rows");
        let n: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(limit)
            .fetch_one(db.pool())
            .await?;
        counts.push((table, n));
    }
    Ok(counts)
}

async fn existing_names(db: &Db) -> Result<std::collections::HashSet<String>, DbError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid \
         WHERE c.relnamespace = current_schema()::regnamespace",
    )
    .fetch_all(db.pool())
    .await?;
    Ok(names.into_iter().collect())
}

/// One table and day in one transaction: rows of that day leave the default leaf first, because
/// PostgreSQL refuses a partition whose rows lie in the default.
async fn make_day(
    db: &Db,
    table: &str,
    day: NaiveDate,
    day_missing: bool,
    leaves: &[KeepDays],
) -> Result<u64, DbError> {
    let mut txn = db.pool().begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(DDL_LOCK)
        .execute(&mut *txn)
        .await?;
    sqlx::query("SET LOCAL lock_timeout = '500ms'")
        .execute(&mut *txn)
        .await?;
    let name = day_name(table, day);
    let (from, to) = (
        day.format("%Y-%m-%d 00:00:00+00"),
        next_day(day).format("%Y-%m-%d 00:00:00+00"),
    );
    let mut moved = 0;
    if day_missing {
        let sql = format!(
            "CREATE TEMP TABLE homeless ON COMMIT DROP AS \
             WITH gone AS (DELETE FROM {table}_default WHERE accepted_at >= '{from}' AND accepted_at < '{to}' RETURNING *) \
             SELECT * FROM gone"
        );
        moved = sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut *txn)
            .await?
            .rows_affected();
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}') \
             PARTITION BY LIST (keep_days)"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *txn).await?;
    }
    let mut leaves = leaves.to_vec();
    if moved > 0 {
        // A class that left use may still have rows in the default leaf.
        let waiting: Vec<i16> = sqlx::query_scalar("SELECT DISTINCT keep_days FROM homeless")
            .fetch_all(&mut *txn)
            .await?;
        leaves.extend(waiting.into_iter().map(KeepDays));
    }
    for class in leaves {
        let leaf = leaf_name(table, day, class);
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {leaf} PARTITION OF {name} FOR VALUES IN ({})",
            class.0
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *txn).await?;
    }
    if moved > 0 {
        let sql = format!("INSERT INTO {table} SELECT * FROM homeless");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *txn).await?;
    }
    txn.commit().await?;
    Ok(moved)
}
