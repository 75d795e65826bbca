//! Deletion: leaves whose period is over leave as a whole.
//!
//! Never in one run with the backup, and never on its word alone: a leaf goes only when nothing
//! blocks it and, for projects with backup, segments that were read back hold every row of it as it
//! is. It is detached first, compared once more while nobody can write to it any more, and then
//! dropped or put back. What stays is named, with the reason. A table that is no partitions at present
//! loses rows instead of leaves, after the same checks.

mod plain;
mod unit;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use db::partitions::{DropOptions, LeafFilter, LeafId, Stage};
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, expires_at};
use serde::Serialize;

use crate::Services;
use crate::error::Result;
use crate::features;
use crate::jobs::JobContext;
use unit::Refusal;

/// The leaves of one day and keep class: they leave together.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The day.
    pub day: NaiveDate,
    /// For how long its rows were promised to be kept.
    pub keep_days: KeepDays,
    /// Its leaves, in the order in which they are dropped.
    pub leaves: Vec<LeafId>,
    /// Rows in all of them, estimated.
    pub rows: i64,
    /// Bytes of all of them.
    pub bytes: i64,
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, kept {}", self.day, self.keep_days)
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Leaves that were dropped.
    pub leaves: u64,
    /// Rows in them, estimated for large ones, and rows that left tables without partitions.
    pub rows: i64,
    /// Bytes that PostgreSQL gave back.
    pub size_bytes: i64,
    /// Days that have no leaf any more and went.
    pub days: u64,
    /// Events and deliveries that were still live and were ended.
    pub ended: u64,
    /// Longest time in milliseconds for which a table was locked.
    pub locked_ms: i32,
    /// What stays although its period is over, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// Why nothing was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<&'static str>,
}

/// Every day and keep class whose period is over at `now`, oldest first.
///
/// # Errors
/// [`crate::Error::Unavailable`] while PostgreSQL is away.
pub async fn expired(services: &Services, now: DateTime<Utc>) -> Result<Vec<Unit>> {
    let mut units: BTreeMap<(NaiveDate, KeepDays), Unit> = BTreeMap::new();
    let leaves = db::partitions::leaves(&services.db, &LeafFilter::default()).await?;
    for leaf in leaves {
        let Some(id) = leaf.id() else {
            continue;
        };
        if expires_at(id.day, id.keep_days).is_none_or(|end| end > now) {
            continue;
        }
        let unit = units.entry((id.day, id.keep_days)).or_insert_with(|| Unit {
            day: id.day,
            keep_days: id.keep_days,
            leaves: Vec::new(),
            rows: 0,
            bytes: 0,
        });
        unit.leaves.push(id);
        unit.rows += leaf.rows;
        unit.bytes += leaf.bytes;
    }
    let mut units: Vec<Unit> = units.into_values().collect();
    for unit in &mut units {
        unit.leaves
            .sort_by_key(|leaf| PARTITIONED_TABLES.iter().position(|table| *table == leaf.table));
    }
    Ok(units)
}

/// Drops every leaf whose period is over and that nothing keeps.
///
/// # Errors
/// [`crate::Error::Unavailable`] while PostgreSQL is away: the next run goes on where this stopped.
pub async fn run(context: &JobContext) -> Result<Counts> {
    let services = &context.services;
    if !features::retention_policy(services).await?.on {
        return Ok(Counts {
            skipped: Some("the feature retention-policy is off"),
            ..Counts::default()
        });
    }
    let mut counts = Counts::default();
    let options = DropOptions::at(context.at);
    if !context.input.dry_run {
        resume(services, &options, &mut counts).await?;
    }
    let units = expired(services, context.at).await?;
    let total = units.len() as u64;
    for (done, unit) in units.into_iter().enumerate() {
        context.progress.tell(done as u64, total, &unit.to_string()).await;
        if context.input.dry_run {
            try_out(services, &unit, &mut counts).await?;
        } else {
            take(services, &unit, &options, &mut counts).await?;
        }
    }
    plain::take(services, context.at, context.input.dry_run, &mut counts).await?;
    if !context.input.dry_run {
        let today = context.at.date_naive();
        counts.days = db::partitions::drop_empty_days(&services.db, today, &options)
            .await?
            .len() as u64;
    }
    Ok(counts)
}

/// Goes on with leaves that an earlier run had taken out of sight when it died.
async fn resume(services: &Services, options: &DropOptions, counts: &mut Counts) -> Result<()> {
    for (leaf, stage) in db::partitions::unfinished(&services.db).await? {
        if stage != Stage::Attached {
            finish(services, &leaf, options, counts).await?;
        }
    }
    Ok(())
}

/// Says what [`take`] would do.
async fn try_out(services: &Services, unit: &Unit, counts: &mut Counts) -> Result<()> {
    if let Some(refusal) = unit::look(services, unit.day, unit.keep_days).await?.refusal {
        counts.refused.push(format!("{unit}: {refusal}"));
    } else {
        counts.leaves += unit.leaves.len() as u64;
        counts.rows += unit.rows;
        counts.size_bytes += unit.bytes;
    }
    Ok(())
}

/// Lets one unit leave, or says why it stays.
async fn take(services: &Services, unit: &Unit, options: &DropOptions, counts: &mut Counts) -> Result<()> {
    if let Some(refusal) = release(services, (unit.day, unit.keep_days), options.at, counts).await? {
        for leaf in &unit.leaves {
            let size = (unit.rows, unit.bytes);
            db::partitions::refuse(&services.db, leaf, &refusal.to_string(), size, options.at).await?;
        }
        return Ok(());
    }
    for leaf in &unit.leaves {
        finish(services, leaf, options, counts).await?;
    }
    Ok(())
}

/// What comes before any row leaves, in leaves or one by one: ends what is still live, looks for what
/// keeps the rows, and lets readers look into the archive. A refusal is noted, and its remedy asked for.
async fn release(
    services: &Services,
    (day, class): (NaiveDate, KeepDays),
    at: DateTime<Utc>,
    counts: &mut Counts,
) -> Result<Option<Refusal>> {
    let (events, deliveries) = db::expiry::end_live(&services.db, day, class, at).await?;
    counts.ended += events + deliveries;
    let found = unit::look(services, day, class).await?;
    if let Some(refusal) = &found.refusal {
        counts.refused.push(format!("{day}, kept {class}: {refusal}"));
        tracing::warn!(%day, keep_days = class.0, %refusal, "rows stay although their period is over");
        unit::ask_for_remedy(services, day, refusal, at).await?;
    } else {
        // Before the first row is out of sight.
        db::segments::turn_cold(&services.db, &found.projects, day, at).await?;
    }
    Ok(found.refusal)
}

/// Detaches a leaf, compares it once more while nobody can write to it, and drops it or puts it back.
async fn finish(
    services: &Services,
    leaf: &LeafId,
    options: &DropOptions,
    counts: &mut Counts,
) -> Result<()> {
    db::partitions::detach_leaf(&services.db, leaf, options).await?;
    let uncovered = unit::uncovered(services, leaf).await?;
    if uncovered.is_empty() {
        let dropped = db::partitions::drop_detached(&services.db, leaf, options).await?;
        counts.leaves += 1;
        counts.rows += dropped.rows;
        counts.size_bytes += dropped.bytes;
        counts.locked_ms = counts.locked_ms.max(dropped.locked_ms);
        return Ok(());
    }
    let refusal = Refusal::Uncovered(uncovered);
    counts.refused.push(format!("{}: {refusal}", leaf.name()));
    db::partitions::attach_back(&services.db, leaf, &refusal.to_string(), options).await?;
    unit::ask_for_remedy(services, leaf.day, &refusal, options.at).await
}
