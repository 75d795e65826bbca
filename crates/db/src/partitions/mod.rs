//! Partitions of the hot tables: days and leaves that come, stand and go.
//!
//! Layout: `events` -> `events_20261120` (one UTC day) -> `events_20261120_k30` (one keep class).
//! Rows of a day that does not exist yet fall into `events_default`; [`bring_home`] takes them to
//! their leaf. A table that is not partitioned at present is left alone by everything here.
//!
//! No change makes writers wait for longer than the lock limit of one try: whatever is built is
//! built apart and then attached, whatever goes is detached and then dropped, and a try that does
//! not get its locks in time makes room for the writers before the next one.

use std::time::Duration;

use chrono::NaiveDate;
use domain::lifecycle::{KeepDays, leaf_name, next_day};
use sea_orm::sqlx::{self, PgConnection};
use serde::Serialize;

use crate::{Db, DbError};

mod drop;
mod ensure;
mod home;
mod leaves;
mod reclass;
mod take_back;

pub use drop::{
    DropOptions, Dropped, Stage, attach_back, detach_leaf, drop_detached, drop_empty_days, drop_leaf, refuse,
    unfinished,
};
pub use ensure::{Made, add_class, classes, ensure, retire_classes};
pub use home::{bring_home, rows_in_default};
pub use leaves::{HotTable, Leaf, LeafFilter, LeafKind, Totals, leaves, tables, totals};
pub use reclass::{
    Moves, ReclassBatch, ReclassWork, reclass_batch, reclass_done, reclass_span, reclass_work,
};

/// Held while partitions are made, so that two processes never race for a name.
const DDL_LOCK: i64 = 0x4c48_5041_5254;
/// Longest time that a change of partitions may keep writers waiting in one try.
const LOCK_LIMIT: Duration = Duration::from_millis(500);
/// A client that stops inside of a change must not keep its locks.
const IDLE_LIMIT: &str = "SET LOCAL idle_in_transaction_session_timeout = '3s'";
/// Pause after the first try that did not get its locks; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Which leaf: of a table, a day and a keep class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct LeafId {
    /// The hot table, one of [`domain::lifecycle::PARTITIONED_TABLES`].
    pub table: &'static str,
    /// The UTC day.
    pub day: NaiveDate,
    /// For how long its rows are kept.
    pub keep_days: KeepDays,
}

impl LeafId {
    /// Its name in the database.
    pub fn name(&self) -> String {
        leaf_name(self.table, self.day, self.keep_days)
    }
}

/// The bounds of a day as literals, the second one excluded.
fn bounds(day: NaiveDate) -> (String, String) {
    let literal = |day: NaiveDate| day.format("'%Y-%m-%d 00:00:00+00'").to_string();
    (literal(day), literal(next_day(day)))
}

/// How long to wait after the try number `n`, counted from 0.
fn pause(n: u32) -> Duration {
    (FIRST_PAUSE * 2_u32.saturating_pow(n)).min(LONGEST_PAUSE)
}

/// One statement without parameters or rows.
async fn run(connection: &mut PgConnection, sql: String) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await?;
    Ok(done.rows_affected())
}

/// SQLSTATE of a refused statement.
fn code(error: &sqlx::Error) -> Option<String> {
    error
        .as_database_error()?
        .code()
        .map(std::borrow::Cow::into_owned)
}

/// Which of `tables` are partitioned at present.
async fn partitioned(db: &Db, tables: &[&'static str]) -> Result<Vec<&'static str>, DbError> {
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class \
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'p' AND relname = ANY($1)",
    )
    .bind(names)
    .fetch_all(db.pool())
    .await?;
    Ok(tables
        .iter()
        .copied()
        .filter(|table| found.iter().any(|name| name == table))
        .collect())
}
