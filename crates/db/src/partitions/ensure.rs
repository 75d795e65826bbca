//! Makes days and leaves without standing in the way of writers.
//!
//! `CREATE TABLE .. PARTITION OF` locks the parent against everybody. Here the new table is built
//! apart, as a copy of the parent's shape, and attached: that locks the parent only against other
//! changes of its shape. A day also needs a moment alone with the default leaf, in which PostgreSQL
//! looks whether the leaf holds rows of the day; it is normally empty. If it does hold some, they
//! are moved in the same transaction (see [`super::home`]).

use std::collections::HashMap;

use chrono::NaiveDate;
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, day_name, leaf_name, next_day};
use sea_orm::sqlx::{self, PgConnection};
use serde::Serialize;

use super::{DDL_LOCK, IDLE_LIMIT, LOCK_LIMIT, bounds, code, home, partitioned, pause, run, take_back};
use crate::{Db, DbError};

/// How often a day is tried before the call fails; the next round goes on.
const TRIES: u32 = 7;

/// What [`ensure`] found missing and made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Day partitions.
    pub days: u32,
    /// Leaves.
    pub leaves: u32,
    /// Rows that waited in a default leaf and are home now.
    pub moved: u64,
    /// Leaves that could not be made, because a table that nobody knows bears their name.
    pub blocked: u32,
}

impl std::ops::AddAssign for Made {
    fn add_assign(&mut self, other: Self) {
        self.days += other.days;
        self.leaves += other.leaves;
        self.moved += other.moved;
        self.blocked += other.blocked;
    }
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
    // A class that comes back to use is as young as a new one: see `retire_classes`.
    sqlx::query(
        "INSERT INTO keep_classes VALUES ($1, now()) \
         ON CONFLICT (keep_days) DO UPDATE SET created_at = excluded.created_at",
    )
    .bind(class.0)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Takes out of use the classes that no project has, so that no more leaves are made for them.
/// One that was put to use within the last hour may be about to get its project.
///
/// # Errors
/// As every statement.
pub async fn retire_classes(db: &Db) -> Result<u64, DbError> {
    let done = sqlx::query(
        "DELETE FROM keep_classes k WHERE k.keep_days <> 0 AND k.created_at < now() - interval '1 hour' \
         AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.keep_days = k.keep_days AND p.deleted_at IS NULL)",
    )
    .execute(db.pool())
    .await?;
    Ok(done.rows_affected())
}

/// Makes every missing day and leaf of all tables from `first` to `last`, and moves home what the
/// default leaf caught for them. Safe to repeat and to run from many processes.
///
/// # Errors
/// [`DbError::Unavailable`] when another session holds a lock for too long, [`DbError::Moved`] when
/// a leaf is being dropped at this moment; nothing is half done.
pub async fn ensure(
    db: &Db,
    first: NaiveDate,
    last: NaiveDate,
    classes: &[KeepDays],
) -> Result<Made, DbError> {
    let mut made = Made::default();
    for table in partitioned(db, &PARTITIONED_TABLES).await? {
        let mut days = Vec::new();
        let mut day = first;
        while day <= last {
            days.push(day);
            day = next_day(day);
        }
        let standing = standing(db, table, &days, classes).await?;
        for day in days {
            made += ensure_day(db, table, day, classes, &standing).await?;
        }
    }
    Ok(made)
}

/// How a table of the wanted name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// A partition, in use.
    Attached,
    /// On its way out.
    Leaving,
    /// By itself.
    Apart,
}

async fn standing(
    db: &Db,
    table: &str,
    days: &[NaiveDate],
    classes: &[KeepDays],
) -> Result<HashMap<String, Standing>, DbError> {
    let mut names: Vec<String> = days.iter().map(|day| day_name(table, *day)).collect();
    for day in days {
        names.extend(classes.iter().map(|class| leaf_name(table, *day, *class)));
    }
    let rows: Vec<(String, Option<bool>)> = sqlx::query_as(
        "SELECT c.relname::text, i.inhdetachpending FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid \
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1)",
    )
    .bind(names)
    .fetch_all(db.pool())
    .await?;
    let how = |pending: Option<bool>| match pending {
        None => Standing::Apart,
        Some(true) => Standing::Leaving,
        Some(false) => Standing::Attached,
    };
    Ok(rows
        .into_iter()
        .map(|(name, pending)| (name, how(pending)))
        .collect())
}

async fn ensure_day(
    db: &Db,
    table: &'static str,
    day: NaiveDate,
    classes: &[KeepDays],
    standing: &HashMap<String, Standing>,
) -> Result<Made, DbError> {
    let leaf_of = |class: &KeepDays| standing.get(&leaf_name(table, day, *class)).copied();
    if classes
        .iter()
        .any(|class| leaf_of(class) == Some(Standing::Leaving))
    {
        return Err(DbError::Moved);
    }
    let missing: Vec<KeepDays> = classes
        .iter()
        .copied()
        .filter(|class| leaf_of(class) != Some(Standing::Attached))
        .collect();
    let day_missing = !standing.contains_key(&day_name(table, day));
    if missing.is_empty() && !day_missing {
        return Ok(Made::default());
    }
    make(db, table, day, &missing).await
}

/// Makes a day and these of its leaves, as far as they are missing, in as many tries as it takes.
///
/// # Errors
/// As [`ensure`].
pub(super) async fn make(
    db: &Db,
    table: &'static str,
    day: NaiveDate,
    classes: &[KeepDays],
) -> Result<Made, DbError> {
    let mut n = 0;
    loop {
        let error = match try_make(db, table, day, classes).await {
            Ok(made) => return Ok(made),
            // A heap from before the table was partitioned serves this day.
            Err(error) if code(&error).as_deref() == Some("42P17") => return Ok(Made::default()),
            Err(error) => error,
        };
        // A row of the day may have fallen into the default leaf after it was looked at: the next
        // try finds it there.
        let landed = code(&error).as_deref() == Some("23514");
        let error = DbError::from(error);
        n += 1;
        if n == TRIES || !(landed || error.is_transient()) {
            return Err(error);
        }
        tracing::debug!(table, %day, %error, "day not made, trying again");
        tokio::time::sleep(pause(n - 1)).await;
    }
}

async fn try_make(
    db: &Db,
    table: &'static str,
    day: NaiveDate,
    classes: &[KeepDays],
) -> Result<Made, sqlx::Error> {
    let mut txn = db.pool().begin().await?;
    // Others make days one after the other; this one may have to wait for its turn.
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(DDL_LOCK)
        .execute(&mut *txn)
        .await?;
    run(
        &mut txn,
        format!("SET LOCAL lock_timeout = {}", LOCK_LIMIT.as_millis()),
    )
    .await?;
    run(&mut txn, IDLE_LIMIT.to_owned()).await?;
    let mut made = Made::default();
    let name = day_name(table, day);
    let found = take_back::find(&mut txn, &name).await?;
    if found == take_back::Found::Partition {
        for class in classes {
            made += make_leaf(&mut txn, table, day, *class).await?;
        }
    } else if found == take_back::Found::Nothing {
        let (from, to) = bounds(day);
        run(
            &mut txn,
            format!("CREATE TABLE {name} (LIKE {table} INCLUDING ALL) PARTITION BY LIST (keep_days)"),
        )
        .await?;
        made.days = 1;
        for class in classes {
            made += make_leaf(&mut txn, table, day, *class).await?;
        }
        if home::is_waited_for(&mut txn, table, day).await? {
            made += home::move_home(&mut txn, table, day).await?;
        }
        run(
            &mut txn,
            format!("ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"),
        )
        .await?;
    } else {
        tracing::error!(name, "a table that is no partition bears the name of a day");
        made.blocked = 1;
    }
    txn.commit().await?;
    Ok(made)
}

pub(super) async fn is_there(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(name)
        .fetch_one(connection)
        .await
}

/// A leaf of a day that exists, built apart or taken back.
pub(super) async fn make_leaf(
    connection: &mut PgConnection,
    table: &'static str,
    day: NaiveDate,
    class: KeepDays,
) -> Result<Made, sqlx::Error> {
    let (name, leaf) = (day_name(table, day), leaf_name(table, day, class));
    match take_back::find(connection, &leaf).await? {
        take_back::Found::Nothing => {
            run(
                connection,
                format!("CREATE TABLE {leaf} (LIKE {table} INCLUDING ALL)"),
            )
            .await?;
            run(
                connection,
                format!(
                    "ALTER TABLE {name} ATTACH PARTITION {leaf} FOR VALUES IN ({})",
                    class.0
                ),
            )
            .await?;
        }
        take_back::Found::Partition => return Ok(Made::default()),
        take_back::Found::OnItsWayOut => {
            take_back::take_back(
                connection,
                &name,
                &leaf,
                class,
                "rows of its day and class arrived",
            )
            .await?;
        }
        take_back::Found::Stranger => {
            tracing::error!(leaf, "a table that is no partition bears the name of a leaf");
            return Ok(Made {
                blocked: 1,
                ..Made::default()
            });
        }
    }
    Ok(Made {
        leaves: 1,
        ..Made::default()
    })
}
