//! What the page of partitions shows: every leaf with its state and what happens to it next.
//!
//! Everything comes from the catalog of PostgreSQL and from small tables; no hot row is counted.

mod coverage;
mod forecast;
mod leaf;
mod tables;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use db::conversion::Conversion;
use db::partitions::{Leaf, LeafFilter, LeafKind, Totals, totals};
use domain::lifecycle::{KeepDays, next_day};

pub use coverage::Coverage;
pub use db::partition_view::LeafDrop;
pub use forecast::{DiskView, Forecast, ForecastChange, Full, save_forecast};
pub use leaf::{LeafState, LeafView, Next};
pub use tables::{DayView, TableView};

use crate::Services;
use crate::access::Actor;
use crate::error::Result;
use crate::features;
use crate::jobs::{self, JobView};
use coverage::Backups;
use leaf::Judge;

/// Leaves of one page.
const PER_PAGE: usize = 25;
/// Rows in default leaves are counted up to here.
pub const WAITING_LIMIT: i64 = 10_001;
/// How many leaves that left are named.
const GONE: i64 = 12;

/// Order of the leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeafSort {
    /// What wants a person first, then by when something happens.
    #[default]
    Next,
    /// The newest day first.
    Day,
    /// The most rows first.
    Rows,
    /// The largest first.
    Size,
}

/// Which leaves to list; `None` does not narrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeafQuery {
    /// Of this table.
    pub table: Option<&'static str>,
    /// Of this day.
    pub day: Option<NaiveDate>,
    /// Of this keep class.
    pub keep_days: Option<KeepDays>,
    /// In this state.
    pub state: Option<LeafState>,
    /// Nothing is asked for that could exist: the list is empty.
    pub nothing: bool,
    /// The order.
    pub sort: LeafSort,
    /// Which page, from 1 on.
    pub page: usize,
}

/// What the page of partitions shows.
#[derive(Clone, Debug)]
pub struct PartitionsView {
    /// What it means that nothing is deleted; `None` when the feature is on.
    pub advice: Option<&'static str>,
    /// Sums over every leaf.
    pub totals: Totals,
    /// Rows in default leaves, counted up to [`WAITING_LIMIT`] per table.
    pub waiting: i64,
    /// Days ahead that exist in every split table, and days that should.
    pub days_ahead: (u16, u16),
    /// The last run of the job that keeps them ahead.
    pub reconciled: Option<DateTime<Utc>>,
    /// When leaves are dropped next, and how many then.
    pub next_drop: Option<(DateTime<Utc>, usize)>,
    /// Leaves that could not leave, and leaves whose backup failed.
    pub troubles: (usize, usize),
    /// The hot tables with their days.
    pub tables: Vec<TableView>,
    /// The leaves of the page.
    pub leaves: Vec<LeafView>,
    /// Leaves that match.
    pub found: usize,
    /// The page shown and how many there are, from 1 on.
    pub page: (usize, usize),
    /// What left lately, newest first.
    pub gone: Vec<LeafDrop>,
    /// The last conversion of each table.
    pub conversions: Vec<Conversion>,
    /// How the disk and the archive will fill.
    pub forecast: Forecast,
}

/// Collects the page.
///
/// # Errors
/// [`crate::Error::Forbidden`] unless the actor rules the instance.
pub async fn overview(services: &Services, actor: &Actor, query: &LeafQuery) -> Result<PartitionsView> {
    actor.require_instance()?;
    let now = services.clock.now();
    let db = &services.db;
    let flag = features::retention_policy(services).await?;
    let jobs = jobs::list(services, actor).await?;
    let conversions = db::conversion::list(db).await?;
    let heaps = db::partition_view::heaps(db).await?;
    let waiting = db::partitions::rows_in_default(db, WAITING_LIMIT).await?;
    let all = db::partitions::leaves(db, &LeafFilter::default()).await?;
    let drops = db::partition_view::drops(db, GONE).await?;
    let judge = Judge {
        now,
        backups: Backups::load(db).await?,
        drops: drops
            .iter()
            .filter(|drop| drop.state != "dropped")
            .cloned()
            .collect(),
        is_deleting: flag.on,
        times: Times::of(services, &jobs),
    };
    let mut leaves: Vec<LeafView> = all.iter().map(|leaf| judge.view(leaf)).collect();
    settle_defaults(&judge, &mut leaves, &waiting);
    let tables = tables::views(&heaps, &leaves, &waiting, now.date_naive());
    let forecast = forecast::of(services, &all, flag.on).await?;
    let next_drop = next_drop(&leaves);
    let in_state = |state| leaves.iter().filter(|view| view.state == state).count();
    let troubles = (in_state(LeafState::Refused), in_state(LeafState::BackupFailed));
    let (mut shown, found, page) = select(leaves, query);
    add_segments(services, &mut shown).await?;
    Ok(PartitionsView {
        advice: flag.advice(),
        totals: whole(&all, &heaps),
        waiting: waiting.iter().map(|(_, rows)| rows).sum(),
        days_ahead: (
            days_ahead(&all, &heaps, now.date_naive()),
            services.options.partitions.days_ahead,
        ),
        reconciled: job(&jobs, "keep_partitions_ahead")
            .and_then(|job| job.last.as_ref())
            .map(|run| run.started_at),
        next_drop,
        troubles,
        tables,
        leaves: shown,
        found,
        page,
        gone: drops.into_iter().filter(|drop| drop.state == "dropped").collect(),
        conversions,
        forecast,
    })
}

/// A default leaf keeps no estimate while it is empty again and again: its rows were counted.
fn settle_defaults(judge: &Judge, leaves: &mut [LeafView], waiting: &[(&'static str, i64)]) {
    for view in leaves
        .iter_mut()
        .filter(|view| view.leaf.kind == LeafKind::Default)
    {
        let counted = waiting.iter().find(|(table, _)| *table == view.leaf.table);
        view.leaf.rows = counted.map_or(view.leaf.rows, |(_, rows)| *rows);
        judge.settle_default(view);
    }
}

/// When the jobs act.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// Time of day of the backup.
    backup_at: NaiveTime,
    /// Time of day of the deletion.
    deletion_at: NaiveTime,
    /// The next runs; now when they run just now.
    next_backup: DateTime<Utc>,
    next_deletion: DateTime<Utc>,
    next_reconcile: DateTime<Utc>,
}

impl Times {
    fn of(services: &Services, jobs: &[JobView]) -> Self {
        let now = services.clock.now();
        let next = |name| job(jobs, name).and_then(|job| job.next).unwrap_or(now);
        Self {
            backup_at: services.options.lifecycle.backup_at,
            deletion_at: services.options.lifecycle.deletion_at,
            next_backup: next("backup"),
            next_deletion: next("deletion"),
            next_reconcile: next("keep_partitions_ahead"),
        }
    }
}

fn job<'a>(jobs: &'a [JobView], name: &str) -> Option<&'a JobView> {
    jobs.iter().find(|view| view.job.name == name)
}

fn whole(leaves: &[Leaf], heaps: &[db::partition_view::Heap]) -> Totals {
    let mut whole = totals(leaves);
    whole.rows += heaps.iter().map(|heap| heap.rows).sum::<i64>();
    whole.bytes += heaps.iter().map(|heap| heap.bytes).sum::<i64>();
    whole
}

/// How many days after today have leaves in every table that is split, without a gap.
fn days_ahead(leaves: &[Leaf], heaps: &[db::partition_view::Heap], today: NaiveDate) -> u16 {
    let split: Vec<&str> = heaps
        .iter()
        .filter(|heap| heap.is_partitioned)
        .map(|heap| heap.table)
        .collect();
    let exists = |day: &NaiveDate| {
        let has = |table: &&str| {
            leaves
                .iter()
                .any(|leaf| leaf.table == *table && leaf.day == Some(*day))
        };
        !split.is_empty() && split.iter().all(has)
    };
    let days = std::iter::successors(Some(next_day(today)), |day| Some(next_day(*day)));
    u16::try_from(days.take(usize::from(u16::MAX)).take_while(exists).count()).unwrap_or(u16::MAX)
}

/// The first moment at which leaves are dropped, and how many are then.
fn next_drop(leaves: &[LeafView]) -> Option<(DateTime<Utc>, usize)> {
    let drops = || leaves.iter().filter(|leaf| leaf.next == Next::Drop);
    let first = drops().filter_map(|leaf| leaf.at).min()?;
    Some((first, drops().filter(|leaf| leaf.at == Some(first)).count()))
}

/// The page of leaves that `query` asks for, how many match, and which page of how many it is.
fn select(mut leaves: Vec<LeafView>, query: &LeafQuery) -> (Vec<LeafView>, usize, (usize, usize)) {
    leaves.retain(|view| matches(view, query));
    leaves.sort_by(|a, b| order(a, b, query.sort));
    let found = leaves.len();
    let pages = found.div_ceil(PER_PAGE).max(1);
    let page = query.page.clamp(1, pages);
    let shown = leaves
        .into_iter()
        .skip((page - 1) * PER_PAGE)
        .take(PER_PAGE)
        .collect();
    (shown, found, (page, pages))
}

fn matches(view: &LeafView, query: &LeafQuery) -> bool {
    let leaf = &view.leaf;
    !query.nothing
        && query.table.is_none_or(|table| leaf.table == table)
        && query.day.is_none_or(|day| leaf.day == Some(day))
        && query.keep_days.is_none_or(|class| leaf.keep_days == Some(class))
        && query.state.is_none_or(|state| view.state == state)
}

fn order(a: &LeafView, b: &LeafView, sort: LeafSort) -> std::cmp::Ordering {
    let place = |view: &LeafView| {
        let table = tables::ORDER.iter().position(|table| *table == view.leaf.table);
        (table, view.leaf.keep_days)
    };
    let by_sort = match sort {
        // Moments that are not known come last.
        LeafSort::Next => {
            (a.state.urgency(), a.at.is_none(), a.at).cmp(&(b.state.urgency(), b.at.is_none(), b.at))
        }
        LeafSort::Day => b.leaf.day.cmp(&a.leaf.day),
        LeafSort::Rows => b.leaf.rows.cmp(&a.leaf.rows),
        LeafSort::Size => b.leaf.bytes.cmp(&a.leaf.bytes),
    };
    by_sort
        .then_with(|| b.leaf.day.cmp(&a.leaf.day))
        .then_with(|| place(a).cmp(&place(b)))
}

/// Tells the leaves of the page how many segments hold their rows.
async fn add_segments(services: &Services, leaves: &mut [LeafView]) -> Result<()> {
    let mut days: Vec<NaiveDate> = leaves.iter().filter_map(|view| view.leaf.day).collect();
    days.sort_unstable();
    days.dedup();
    let counts = db::partition_view::segments(&services.db, &days).await?;
    for view in leaves {
        let Some(kind) = coverage::kind_of(view.leaf.table) else {
            continue;
        };
        let own = counts.iter().find(|count| {
            count.kind == kind
                && Some(count.day) == view.leaf.day
                && Some(count.keep_days) == view.leaf.keep_days
        });
        view.segments = own.map_or(0, |count| count.segments);
    }
    Ok(())
}
