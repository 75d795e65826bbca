//! Moves rows to the keep class that their project has now, hold by hold and day by day.
//!
//! Needs no memory of its own: a run that ends anywhere is done again from the oldest day, and rows
//! that are in place already cost one look-up. A project is finished when a whole pass found nothing
//! out of place and began when no process could still write rows of the class before.

use std::ops::AddAssign;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::DbError;
use db::partitions::{Moves, ReclassBatch, ReclassWork};
use domain::id::ProjectId;
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, next_day, start_of};
use serde::Serialize;

use crate::Services;
use crate::error::Result;

/// Events per transaction. With their deliveries and attempts that is some thousand rows, which a
/// writer that meets one of them waits for.
const BATCH: i64 = 1_000;
/// For how long after a change rows of the class before may still be written: by processes that have
/// not heard of it, and for attempts that were under way.
const STRAGGLERS: TimeDelta = TimeDelta::minutes(10);
/// How often a batch is tried that finds its tables locked.
const TRIES: u32 = 5;

/// What a reclass run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReclassCounts {
    /// Projects that were looked through.
    pub projects: u64,
    /// Of those, the ones that are finished.
    pub finished: u64,
    /// Rows moved.
    #[serde(flatten)]
    pub moved: TableCounts,
    /// The same for each project.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_project: Vec<ProjectMoves>,
}

/// Rows per hot table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableCounts {
    /// Of `delivery_attempts`.
    pub delivery_attempts: u64,
    /// Of `event_deliveries`.
    pub event_deliveries: u64,
    /// Of `events`.
    pub events: u64,
    /// Of `events_search`.
    pub events_search: u64,
}

impl AddAssign for TableCounts {
    fn add_assign(&mut self, other: Self) {
        self.delivery_attempts += other.delivery_attempts;
        self.event_deliveries += other.event_deliveries;
        self.events += other.events;
        self.events_search += other.events_search;
    }
}

impl TableCounts {
    /// Counts in the order of [`PARTITIONED_TABLES`].
    fn of(counts: [u64; PARTITIONED_TABLES.len()]) -> Self {
        let [delivery_attempts, event_deliveries, events, events_search] = counts;
        Self {
            delivery_attempts,
            event_deliveries,
            events,
            events_search,
        }
    }
}

/// What a run did for one project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ProjectMoves {
    /// The project.
    pub project: ProjectId,
    /// Rows moved.
    pub moved: TableCounts,
    /// Whether nothing is left to do.
    pub finished: bool,
}

/// Looks through every project whose class or holds changed, and moves what is out of place. Safe
/// to repeat at any time; does nothing while a hot table is being converted.
///
/// # Errors
/// [`crate::Error::Unavailable`] while PostgreSQL is away or locked; the next run goes on.
pub async fn reclass(services: &Services) -> Result<ReclassCounts> {
    let mut counts = ReclassCounts::default();
    let work = db::partitions::reclass_work(&services.db).await?;
    if work.is_empty() || !db::conversion::in_progress(&services.db).await?.is_empty() {
        return Ok(counts);
    }
    // Rows without a day are in nobody's way, but they will be where their class says.
    db::partitions::bring_home(&services.db).await?;
    for work in work {
        let moves = reclass_project(services, &work).await?;
        counts.projects += 1;
        counts.finished += u64::from(moves.finished);
        counts.moved += moves.moved;
        counts.per_project.push(moves);
        tracing::info!(project = %work.project, moved = ?moves.moved, finished = moves.finished, "rows moved to their keep class");
    }
    Ok(counts)
}

async fn reclass_project(services: &Services, work: &ReclassWork) -> Result<ProjectMoves> {
    let began = services.clock.now();
    let (mut moved, mut clean) = (TableCounts::default(), true);
    if let Some((first, last)) = db::partitions::reclass_span(&services.db, work.project).await? {
        let mut day = first.date_naive();
        while day <= last.date_naive() {
            for (from, to, keep_days) in stretches(day, work) {
                let batch = ReclassBatch {
                    project: work.project,
                    from,
                    to,
                    after: None,
                    keep_days,
                    events: BATCH,
                };
                let (found, now_moved) = reclass_stretch(services, batch).await?;
                clean &= !found;
                moved += now_moved;
            }
            day = next_day(day);
        }
    }
    let finished = clean
        && began >= work.since + STRAGGLERS
        && db::partitions::reclass_done(&services.db, work.project, work.since).await?;
    Ok(ProjectMoves {
        project: work.project,
        moved,
        finished,
    })
}

/// All batches of a stretch: whether anything was out of place, and what was moved.
async fn reclass_stretch(services: &Services, mut batch: ReclassBatch) -> Result<(bool, TableCounts)> {
    let (mut found, mut moved) = (false, TableCounts::default());
    loop {
        let moves = patiently(services, &batch).await?;
        found |= moves.found.iter().any(|n| *n > 0);
        moved += TableCounts::of(moves.moved);
        match moves.last {
            Some(last) => batch.after = Some(last),
            None => return Ok((found, moved)),
        }
    }
}

/// A batch, with the leaves that it needs, in as many tries as its locks take.
async fn patiently(services: &Services, batch: &ReclassBatch) -> Result<Moves> {
    let db = &services.db;
    let mut tries = 0;
    loop {
        let error = match db::partitions::reclass_batch(db, batch).await {
            Ok(moves) => return Ok(moves),
            Err(error) => error,
        };
        tries += 1;
        if tries == TRIES {
            return Err(error.into());
        }
        match error {
            DbError::NoLeaf => {
                let day = batch.from.date_naive();
                db::partitions::ensure(db, day, day, &[batch.keep_days]).await?;
            }
            error if error.is_transient() => tracing::debug!(%error, "batch not moved, trying again"),
            error => return Err(error.into()),
        }
    }
}

/// Cuts a day where holds begin and end, and names the class of each stretch.
fn stretches(day: NaiveDate, work: &ReclassWork) -> Vec<(DateTime<Utc>, DateTime<Utc>, KeepDays)> {
    let (start, end) = (start_of(day), start_of(next_day(day)));
    let mut cuts = vec![start, end];
    for (from, to) in &work.holds {
        cuts.extend([*from, *to].into_iter().filter(|at| start < *at && *at < end));
    }
    cuts.sort_unstable();
    cuts.dedup();
    let held = |at: DateTime<Utc>| work.holds.iter().any(|(from, to)| *from <= at && at < *to);
    cuts.windows(2)
        .map(|pair| {
            let class = if held(pair[0]) {
                KeepDays::FOR_EVER
            } else {
                work.keep_days
            };
            (pair[0], pair[1], class)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn work(holds: &[(&str, &str)]) -> ReclassWork {
        ReclassWork {
            project: ProjectId::at(at("2026-11-01T00:00:00Z")),
            keep_days: KeepDays(7),
            since: at("2026-11-20T00:00:00Z"),
            holds: holds.iter().map(|(from, to)| (at(from), at(to))).collect(),
        }
    }

    fn classes_of(holds: &[(&str, &str)]) -> Vec<(String, i16)> {
        let day = NaiveDate::from_ymd_opt(2026, 11, 10).expect("a day");
        stretches(day, &work(holds))
            .into_iter()
            .map(|(from, _, class)| (from.format("%H:%M").to_string(), class.0))
            .collect()
    }

    #[test]
    fn a_day_without_holds_is_one_stretch_of_the_projects_class() {
        assert_eq!(classes_of(&[]), [("00:00".to_owned(), 7)]);
        let yesterday = ("2026-11-09T00:00:00Z", "2026-11-10T00:00:00Z");
        assert_eq!(classes_of(&[yesterday]), [("00:00".to_owned(), 7)]);
    }

    #[test]
    fn a_hold_cuts_the_days_that_it_begins_and_ends_on() {
        let hold = ("2026-11-10T09:30:00Z", "2026-11-10T17:00:00Z");
        let expected = [("00:00", 7), ("09:30", 0), ("17:00", 7)].map(|(at, class)| (at.to_owned(), class));
        assert_eq!(classes_of(&[hold]), expected);
    }

    #[test]
    fn holds_that_overlap_keep_what_any_of_them_covers() {
        let holds = [
            ("2026-11-09T00:00:00Z", "2026-11-10T06:00:00Z"),
            ("2026-11-10T04:00:00Z", "2026-11-10T08:00:00Z"),
        ];
        let expected = [("00:00", 0), ("04:00", 0), ("06:00", 0), ("08:00", 7)]
            .map(|(at, class)| (at.to_owned(), class));
        assert_eq!(classes_of(&holds), expected);
    }
}
