//! Rows in a default leaf, and their way home.
//!
//! A row that is moved by deleting and inserting it is lost to whoever is changing it at that
//! moment: PostgreSQL tells them that it is gone. So the table is taken for a moment, after those
//! who were at work have finished and before the next ones have planned: these find the row in its
//! new place.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::id::first_of_millisecond;
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, day_name, next_day, start_of};
use sea_orm::sqlx::{self, PgConnection};

use super::ensure::{self, Made, make_leaf};
use super::{bounds, partitioned, run};
use crate::{Db, DbError};

/// Makes the days that rows in default leaves wait for, whichever they are, and moves them there.
/// Safe to repeat at any time.
///
/// # Errors
/// As [`super::ensure`].
pub async fn bring_home(db: &Db) -> Result<Made, DbError> {
    let mut made = Made::default();
    for table in with_default(db).await? {
        let sql =
            format!("SELECT DISTINCT (accepted_at AT TIME ZONE 'UTC')::date, keep_days FROM {table}_default");
        let waiting: Vec<(NaiveDate, i16)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_all(db.pool())
            .await?;
        let mut days: BTreeMap<NaiveDate, Vec<KeepDays>> = BTreeMap::new();
        for (day, class) in waiting {
            days.entry(day).or_default().push(KeepDays(class));
        }
        for (day, classes) in days {
            made += ensure::make(db, table, day, &classes).await?;
        }
    }
    Ok(made)
}

/// Rows that wait in default leaves, per table, counted up to `limit`.
///
/// # Errors
/// As every statement.
pub async fn rows_in_default(db: &Db, limit: i64) -> Result<Vec<(&'static str, i64)>, DbError> {
    let with_default = with_default(db).await?;
    let mut counts = Vec::new();
    for table in PARTITIONED_TABLES {
        let mut n = 0;
        if with_default.contains(&table) {
            let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table}_default LIMIT $1) rows");
            n = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .bind(limit)
                .fetch_one(db.pool())
                .await?;
        }
        counts.push((table, n));
    }
    Ok(counts)
}

/// Partitioned tables that have a default leaf of their own.
async fn with_default(db: &Db) -> Result<Vec<&'static str>, DbError> {
    let tables = partitioned(db, &PARTITIONED_TABLES).await?;
    let names: Vec<String> = tables.iter().map(|table| format!("{table}_default")).collect();
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class c JOIN pg_partitioned_table p ON p.partdefid = c.oid \
         WHERE relnamespace = current_schema()::regnamespace AND relname = ANY($1)",
    )
    .bind(names)
    .fetch_all(db.pool())
    .await?;
    let has_default = |table: &&str| found.contains(&format!("{table}_default"));
    Ok(tables.into_iter().filter(has_default).collect())
}

/// Whether the default leaf holds a row of `day`.
pub(super) async fn is_waited_for(
    connection: &mut PgConnection,
    table: &str,
    day: NaiveDate,
) -> Result<bool, sqlx::Error> {
    let default = format!("{table}_default");
    if !ensure::is_there(connection, &default).await? {
        return Ok(false);
    }
    let (from, to) = bounds(day);
    // Ids begin with the same instant, and the primary key with the id.
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {default} WHERE id >= $1 AND id < $2 AND accepted_at >= {from} AND accepted_at < {to})"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(first_of_millisecond(start_of(day)))
        .bind(first_of_millisecond(start_of(next_day(day))))
        .fetch_one(connection)
        .await
}

/// Moves the rows of `day` out of the default leaf into the day's table, which is not attached yet
/// and gets the leaves that they need. Nobody works with the table until the transaction ends.
pub(super) async fn move_home(
    connection: &mut PgConnection,
    table: &'static str,
    day: NaiveDate,
) -> Result<Made, sqlx::Error> {
    let (name, (from, to)) = (day_name(table, day), bounds(day));
    run(
        connection,
        format!("LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE"),
    )
    .await?;
    // However many there are: whoever waits gives up and comes back, the rows must come home.
    run(connection, "SET LOCAL statement_timeout = 0".to_owned()).await?;
    let sql = format!(
        "SELECT DISTINCT keep_days FROM {table}_default WHERE accepted_at >= {from} AND accepted_at < {to}"
    );
    let classes: Vec<i16> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_all(&mut *connection)
        .await?;
    let mut made = Made::default();
    for class in classes {
        // A class that left use may still have rows in the default leaf.
        made += make_leaf(connection, table, day, KeepDays(class)).await?;
    }
    made.moved = run(
        connection,
        format!(
            "WITH gone AS (DELETE FROM {table}_default WHERE accepted_at >= {from} AND accepted_at < {to} RETURNING *) \
             INSERT INTO {name} SELECT * FROM gone"
        ),
    )
    .await?;
    Ok(made)
}
