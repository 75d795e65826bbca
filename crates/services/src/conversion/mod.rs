//! Converts hot tables between one heap and day partitions while they are in use.
//!
//! How it is done is told in [`db::conversion`]. Here is what is done in which order, for how long
//! writers may be kept out, and what is written down. A conversion may die anywhere: its advisory
//! lock ends with its connection, what it did stands in the catalog, and [`convert`] goes on there.

mod pace;
mod run;
mod steps;

use std::sync::Arc;

pub use db::conversion::{Conversion, Direction, Layout, StepRow, expire_rows};
use domain::lifecycle::PARTITIONED_TABLES;
use serde::Serialize;

use crate::access::Actor;
use crate::audit;
use crate::error::{Error, Result};
use crate::{Services, features};

/// How far a conversion is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The table.
    pub table: &'static str,
    /// Where it goes.
    pub direction: Direction,
    /// Its step.
    pub step: &'static str,
    /// Rows that are where they belong.
    pub rows_done: i64,
    /// Rows in all; 0 while they are not counted.
    pub rows_total: i64,
    /// What a finished step has to say; `None` while it goes on.
    pub say: Option<String>,
}

/// Is told how far a conversion is.
pub type Watch<'a> = &'a (dyn Fn(&Progress) + Send + Sync);

/// How the conversion of a table ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It is laid out as asked.
    Done,
    /// It was laid out as asked before.
    Unchanged,
    /// Somebody paused it.
    Paused,
}

/// What became of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Converted {
    /// The table.
    pub table: &'static str,
    /// Where it went.
    pub direction: Direction,
    /// How it ended.
    pub end: End,
    /// Rows moved by this run.
    pub rows_moved: u64,
    /// Longest time in which writers were kept out at a stretch, waiting not counted, in milliseconds.
    pub longest_lock_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A hot table, and its last conversion.
#[derive(Clone, Debug, Serialize)]
pub struct TableView {
    /// Its name.
    pub table: &'static str,
    /// `plain`, `spread` or `partitioned`.
    pub layout: Layout,
    /// The last conversion, if there was one.
    pub conversion: Option<Conversion>,
}

/// The tables meant by a name: that one, or all of them in the order of their conversion.
///
/// # Errors
/// [`Error::Invalid`] for another name.
pub fn tables(name: Option<&str>) -> Result<Vec<&'static str>> {
    match name {
        None => Ok(PARTITIONED_TABLES.to_vec()),
        Some(name) => PARTITIONED_TABLES
            .into_iter()
            .find(|table| *table == name)
            .map(|table| vec![table])
            .ok_or_else(|| {
                let names = PARTITIONED_TABLES.join(", ");
                Error::invalid("table", format!("must be one of {names}"))
            }),
    }
}

/// Every hot table with its layout and last conversion.
///
/// # Errors
/// [`Error::Forbidden`] unless the actor rules the instance.
pub async fn list(services: &Services, actor: &Actor) -> Result<Vec<TableView>> {
    actor.require_instance()?;
    let conversions = db::conversion::list(&services.db).await?;
    let mut views = Vec::new();
    for table in PARTITIONED_TABLES {
        let Some(layout) = db::conversion::layout(&services.db, table).await? else {
            continue;
        };
        views.push(TableView {
            table,
            layout,
            conversion: conversions.iter().find(|c| c.table == table).cloned(),
        });
    }
    Ok(views)
}

/// Converts tables one after the other while they are in use. Goes on where an earlier run stopped,
/// whether it was paused, failed, or died.
///
/// # Errors
/// - [`Error::Forbidden`] unless the actor rules the instance.
/// - [`Error::Conflict`] without the feature `retention-policy`, while another conversion goes on,
///   and when a table has something that a conversion would lose.
/// - [`Error::Unavailable`] when PostgreSQL goes away; to be run again.
pub async fn convert(
    services: &Services,
    actor: &Actor,
    direction: Direction,
    tables: &[&'static str],
    watch: Watch<'_>,
) -> Result<Vec<Converted>> {
    require(services, actor).await?;
    settle_dead(services).await?;
    let mut converted = Vec::new();
    for table in tables {
        let done = run::convert_table(services, actor, direction, table, watch).await?;
        let paused = done.end == End::Paused;
        converted.push(done);
        if paused {
            break;
        }
    }
    Ok(converted)
}

/// Starts [`convert`] in this process and does not wait for its end; [`list`] tells how far it is.
/// It ends with the process, and goes on when it is started again.
///
/// # Errors
/// As [`convert`], as far as it can be known at once.
pub async fn start(
    services: &Arc<Services>,
    actor: &Actor,
    direction: Direction,
    tables: Vec<&'static str>,
) -> Result<()> {
    require(services, actor).await?;
    let Some(table) = tables.first() else {
        return Ok(());
    };
    run::open(services, table).await?.close().await;
    let (services, actor) = (Arc::clone(services), actor.clone());
    tokio::spawn(async move {
        if let Err(error) = convert(&services, &actor, direction, &tables, &|_| ()).await {
            tracing::warn!(%error, direction = direction.as_str(), "a conversion failed");
        }
    });
    Ok(())
}

async fn require(services: &Services, actor: &Actor) -> Result<()> {
    actor.require_instance()?;
    match features::retention_policy(services).await?.advice() {
        None => Ok(()),
        Some(advice) => Err(Error::Conflict(advice.to_owned())),
    }
}

/// Asks the conversion of `table` to stop after its batch. [`convert`] goes on later.
///
/// # Errors
/// [`Error::Forbidden`] unless the actor rules the instance; [`Error::Conflict`] when none runs.
pub async fn pause(services: &Services, actor: &Actor, table: &str) -> Result<()> {
    actor.require_instance()?;
    if !db::conversion::pause(&services.db, table, services.clock.now()).await? {
        return Err(Error::Conflict(format!("no conversion of {table} is running")));
    }
    audit::note(services, actor, "table.conversion_paused", None, (table, None)).await
}

/// Ends the conversions whose process died, so that nobody waits for them, and gives their tables
/// automatic vacuuming back. Returns how many there were. Safe to repeat at any time.
///
/// # Errors
/// As every statement.
pub async fn settle_dead(services: &Services) -> Result<u32> {
    let mut dead = 0;
    for conversion in db::conversion::list(&services.db).await? {
        let table = PARTITIONED_TABLES.into_iter().find(|t| *t == conversion.table);
        let (Some(table), "running") = (table, conversion.state.as_str()) else {
            continue;
        };
        // It lives when the lock is taken.
        let Some(mut session) = db::conversion::Session::open(&services.db, table).await? else {
            return Ok(dead);
        };
        let said = "its process ended before it was done; start it again and it goes on";
        if session
            .fail_dead(&services.db, said, services.clock.now())
            .await?
        {
            session.automatic_vacuum(true).await?;
            dead += 1;
        }
        session.close().await;
    }
    Ok(dead)
}
