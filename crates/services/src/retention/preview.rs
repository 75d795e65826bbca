//! What a change of the policy would do, from what is known without counting rows.
//!
//! Figures of a project are worked out from two sources: its hourly counters tell how many events
//! it accepted on a day, the statistics of the leaves tell how many rows and bytes of each table
//! come with an event of that day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::partitions::{Leaf, LeafFilter};
use domain::id::ProjectId;
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, Part, expires_at, next_day, start_of};
use domain::role::Role;
use serde::Serialize;

use super::{Policy, PolicyChange, next_deletion, policy};
use crate::Services;
use crate::access::Actor;
use crate::error::{Error, Result};
use crate::features::{self, Flag};
use crate::holds::{self, Hold};

/// What a change would do at the next deletion run.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// The project's name: what is typed to confirm.
    pub project_name: String,
    /// The policy in effect.
    pub before: Policy,
    /// The policy after the change.
    pub after: Policy,
    /// Whether the project's name has to be typed.
    pub needs_confirmation: bool,
    /// Whether anything is deleted on this instance at all.
    pub flag: Flag,
    /// When days that are over leave next. Until then the change can be taken back.
    pub next_deletion_at: DateTime<Utc>,
    /// Days that leave at that run, oldest first.
    pub days: Vec<DayPreview>,
    /// Days that would have left at that run and stay because of the change.
    pub days_spared: u32,
    /// What leaves, per table, in the order in which tables are dropped.
    pub tables: Vec<TablePreview>,
    /// All tables together.
    pub total: TablePreview,
    /// Rows that stay and move to the class of the new policy, in the background.
    pub rows_moved: u64,
    /// Bytes of the database on disk now.
    pub database_bytes_before: u64,
    /// Bytes of the database on disk after the run.
    pub database_bytes_after: u64,
    /// When this was worked out.
    pub computed_at: DateTime<Utc>,
}

/// A day that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DayPreview {
    /// The day.
    pub day: NaiveDate,
    /// Events of the project on that day, without those on hold.
    pub events: u64,
    /// Whether it would leave at that run without the change, too.
    pub leaves_anyway: bool,
    /// Whether a verified copy of the whole day exists: it stays readable. With backup on, a day
    /// without one is copied before it leaves.
    pub is_covered: bool,
}

/// What leaves of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TablePreview {
    /// The table; empty for all of them together.
    pub table: String,
    /// Leaves that hold rows that leave.
    pub leaves: u32,
    /// Rows that leave, worked out.
    pub rows: u64,
    /// Their bytes on disk, indexes included, worked out.
    pub bytes: u64,
    /// Rows of the same days that holds keep, worked out.
    pub held_rows: u64,
    /// First day that leaves.
    pub oldest: Option<NaiveDate>,
    /// Last day that leaves.
    pub newest: Option<NaiveDate>,
}

impl Preview {
    /// Days that leave because of the change, not by themselves.
    pub fn days_by_change(&self) -> usize {
        self.days.iter().filter(|day| !day.leaves_anyway).count()
    }

    /// Days that leave and stay readable from a verified copy.
    pub fn days_readable(&self) -> usize {
        self.days.iter().filter(|day| day.is_covered).count()
    }
}

/// Works out what `change` would do. Nothing is changed.
///
/// # Errors
/// [`Error::Invalid`] as saving would, the confirmation apart; [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn preview(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    change: &PolicyChange,
) -> Result<Preview> {
    actor.require(project, Role::Viewer)?;
    let txn = services.db.begin().await?;
    let row = db::retention::find(txn.orm(), project.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    let (before, after) = policy::judge(services, &txn, &row, change, Some(&row.name)).await?;
    drop(txn);

    let run = next_deletion(services);
    // While rows are on their way to another class, they may lie in any.
    let class = row.reclass_since.is_none().then_some(KeepDays(row.keep_days));
    let shares = Shares::read(services, project, class).await?;
    let leaves =
        |policy: Policy, day: NaiveDate| expires_at(day, policy.class()).is_some_and(|end| end <= run);
    let going: Vec<NaiveDate> = shares.days().filter(|day| leaves(after, *day)).collect();
    let covered = covered_days(services, project, &going).await?;

    let days = going.iter().map(|day| DayPreview {
        day: *day,
        events: shares.events(*day),
        leaves_anyway: leaves(before, *day),
        is_covered: covered.contains(day),
    });
    let tables: Vec<TablePreview> = PARTITIONED_TABLES
        .iter()
        .map(|table| shares.table(table, &going))
        .collect();
    let total = sum(&tables);
    let stays = |day: &NaiveDate| !leaves(after, *day);
    let rows_moved = if before.class() == after.class() {
        0
    } else {
        shares.days().filter(stays).map(|day| shares.rows(day)).sum()
    };
    let database_bytes_before = db::retention::database_bytes(&services.db).await?.unsigned_abs();
    Ok(Preview {
        project_name: row.name,
        before,
        after,
        needs_confirmation: after.shortens(before),
        flag: features::retention_policy(services).await?,
        next_deletion_at: run,
        days: days.collect(),
        days_spared: shares
            .days()
            .filter(|day| leaves(before, *day) && !leaves(after, *day))
            .count() as u32,
        database_bytes_after: database_bytes_before.saturating_sub(total.bytes),
        tables,
        total,
        rows_moved,
        database_bytes_before,
        computed_at: services.clock.now(),
    })
}

/// Days of `going` of which everything is copied and verified.
async fn covered_days(
    services: &Services,
    project: ProjectId,
    going: &[NaiveDate],
) -> Result<BTreeSet<NaiveDate>> {
    let (Some(first), Some(last)) = (going.first(), going.last()) else {
        return Ok(BTreeSet::new());
    };
    let mut parts: BTreeMap<NaiveDate, usize> = BTreeMap::new();
    for day in db::backups::days(&services.db, project, *first, *last).await? {
        if day.state == "covered" {
            *parts.entry(day.day).or_default() += 1;
        }
    }
    Ok(parts
        .into_iter()
        .filter(|(_, covered)| *covered == Part::ALL.len())
        .map(|(day, _)| day)
        .collect())
}

/// Rows and bytes of a table on a day.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    leaves: u32,
    rows: u64,
    bytes: u64,
}

/// A project's events of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Events {
    free: u64,
    held: u64,
}

/// What is known about the project's rows, day by day.
#[derive(Debug, Default)]
struct Shares {
    sizes: BTreeMap<(NaiveDate, &'static str), Size>,
    events: BTreeMap<NaiveDate, Events>,
}

impl Shares {
    /// Reads counters, holds and the leaves of `class`, or of every class.
    async fn read(services: &Services, project: ProjectId, class: Option<KeepDays>) -> Result<Self> {
        let filter = LeafFilter {
            keep_days: class,
            count: true,
            ..LeafFilter::default()
        };
        let leaves = db::partitions::leaves(&services.db, &filter).await?;
        let mut shares = Self::default();
        shares.count_leaves(&leaves);
        let days = || shares.sizes.keys().map(|(day, _)| *day);
        let (Some(first), Some(last)) = (days().min(), days().max()) else {
            return Ok(shares);
        };
        let (from, to) = (start_of(first), start_of(next_day(last)));
        let hours = db::retention::accepted_hourly(&services.db, project, from, to).await?;
        let holds = holds::in_force(services, project).await?;
        shares.events = events_of_days(&hours, &holds);
        Ok(shares)
    }

    fn count_leaves(&mut self, leaves: &[Leaf]) {
        for leaf in leaves {
            let Some(day) = leaf.day.filter(|_| !leaf.is_leaving) else {
                continue;
            };
            let size = self.sizes.entry((day, leaf.table)).or_default();
            size.leaves += u32::from(leaf.rows > 0);
            size.rows += leaf.rows.unsigned_abs();
            size.bytes += leaf.bytes.unsigned_abs();
        }
    }

    fn size(&self, day: NaiveDate, table: &'static str) -> Size {
        self.sizes.get(&(day, table)).copied().unwrap_or_default()
    }

    /// Days of which the project has rows.
    fn days(&self) -> impl Iterator<Item = NaiveDate> {
        self.events
            .iter()
            .filter(|(day, events)| events.free + events.held > 0 && self.size(**day, EVENTS).rows > 0)
            .map(|(day, _)| *day)
    }

    /// Events of the project on a day that no hold keeps.
    fn events(&self, day: NaiveDate) -> u64 {
        let free = self.events.get(&day).map_or(0, |events| events.free);
        // More were accepted than lie there: some have left, or the statistics are old.
        free.min(self.size(day, EVENTS).rows)
    }

    /// Rows of all tables that come with the events of a day.
    fn rows(&self, day: NaiveDate) -> u64 {
        PARTITIONED_TABLES
            .iter()
            .map(|table| self.part(day, table).0)
            .sum()
    }

    /// Rows and bytes of a table that come with the events of a day.
    fn part(&self, day: NaiveDate, table: &'static str) -> (u64, u64) {
        let (whole, size) = (self.size(day, EVENTS).rows, self.size(day, table));
        let events = self.events(day);
        (
            part_of(size.rows, events, whole),
            part_of(size.bytes, events, whole),
        )
    }

    /// What of a table leaves with the days `going`.
    fn table(&self, table: &'static str, going: &[NaiveDate]) -> TablePreview {
        let mut sum = TablePreview {
            table: table.to_owned(),
            ..TablePreview::default()
        };
        for day in going {
            let (rows, bytes) = self.part(*day, table);
            let (whole, size) = (self.size(*day, EVENTS).rows, self.size(*day, table));
            let held = self.events.get(day).map_or(0, |events| events.held);
            sum.held_rows += part_of(size.rows, held, whole);
            if rows > 0 {
                sum.leaves += size.leaves;
                sum.rows += rows;
                sum.bytes += bytes;
                sum.oldest = sum.oldest.or(Some(*day));
                sum.newest = Some(*day);
            }
        }
        sum
    }
}

/// The table whose rows the counters count.
const EVENTS: &str = "events";

/// `share` of `whole`, of an amount that comes with the whole; rounded.
fn part_of(amount: u64, share: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    let part = (u128::from(amount) * u128::from(share) + u128::from(whole) / 2) / u128::from(whole);
    u64::try_from(part).unwrap_or(u64::MAX)
}

fn sum(tables: &[TablePreview]) -> TablePreview {
    let mut total = TablePreview::default();
    for table in tables {
        total.leaves += table.leaves;
        total.rows += table.rows;
        total.bytes += table.bytes;
        total.held_rows += table.held_rows;
        total.oldest = total.oldest.into_iter().chain(table.oldest).min();
        total.newest = total.newest.into_iter().chain(table.newest).max();
    }
    total
}

/// Events per day, those apart that a hold keeps. An hour that a hold covers in part counts in part.
fn events_of_days(hours: &[(DateTime<Utc>, i64)], holds: &[Hold]) -> BTreeMap<NaiveDate, Events> {
    let mut days: BTreeMap<NaiveDate, Events> = BTreeMap::new();
    for (hour, count) in hours {
        let count = count.unsigned_abs();
        let held = held_part(*hour, holds, count);
        let events = days.entry(hour.date_naive()).or_default();
        events.held += held;
        events.free += count - held;
    }
    days
}

/// How many of `count` events of the hour that starts at `hour` fall under one of `holds`, which
/// stand in the order of their start.
fn held_part(hour: DateTime<Utc>, holds: &[Hold], count: u64) -> u64 {
    let end = hour + TimeDelta::hours(1);
    let (mut seen, mut covered) = (hour, TimeDelta::zero());
    for hold in holds {
        let (from, to) = (hold.from.max(seen), hold.to.min(end));
        if from < to {
            covered += to - from;
            seen = to;
        }
    }
    let millis = |length: TimeDelta| length.num_milliseconds().unsigned_abs();
    part_of(count, millis(covered), millis(TimeDelta::hours(1)))
}

#[cfg(test)]
mod tests {
    use domain::id::HoldId;
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn hold(from: &str, to: &str) -> Hold {
        Hold {
            id: HoldId(Uuid::nil()),
            project_id: ProjectId(Uuid::nil()),
            name: "chargeback".to_owned(),
            from: at(from),
            to: at(to),
            placed_at: at(from),
            placed_by: "somebody".to_owned(),
            released_at: None,
            released_by: None,
        }
    }

    #[test]
    fn an_hour_is_held_as_far_as_holds_cover_it_and_overlaps_count_once() {
        let hour = at("2026-11-02T10:00:00Z");
        let half = hold("2026-11-02T10:30:00Z", "2026-11-02T12:00:00Z");
        let inside = hold("2026-11-02T10:40:00Z", "2026-11-02T10:50:00Z");
        let day = hold("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z");
        assert_eq!(held_part(hour, &[], 100), 0);
        assert_eq!(held_part(hour, &[half.clone(), inside], 100), 50);
        assert_eq!(held_part(hour, &[day, half], 100), 100);
    }

    #[test]
    fn a_projects_part_of_a_leaf_follows_its_share_of_the_events() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 2).expect("a day");
        let mut shares = Shares::default();
        for (table, rows, bytes) in [(EVENTS, 100, 1_000), ("event_deliveries", 300, 6_000)] {
            shares.sizes.insert(
                (day, table),
                Size {
                    leaves: 1,
                    rows,
                    bytes,
                },
            );
        }
        shares.events.insert(day, Events { free: 20, held: 5 });
        let events = shares.table(EVENTS, &[day]);
        assert_eq!((events.rows, events.bytes, events.held_rows), (20, 200, 5));
        let deliveries = shares.table("event_deliveries", &[day]);
        assert_eq!(
            (deliveries.rows, deliveries.bytes, deliveries.held_rows),
            (60, 1_200, 15)
        );
        assert_eq!(deliveries.oldest, Some(day));
        assert_eq!(shares.rows(day), 80);
        // More than the leaf holds cannot leave.
        shares.events.insert(day, Events { free: 500, held: 0 });
        assert_eq!(shares.table(EVENTS, &[day]).rows, 100);
    }
}
