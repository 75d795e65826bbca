//! How far the backup is with a day, by watermarks and by what they do not tell.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use db::Db;
use db::partition_view::{HeldSpan, Keeper, MarkedDay};
use domain::id::ProjectId;
use domain::lifecycle::{KeepDays, Part, next_day, start_of};
use domain::segment::Kind;

use crate::error::Result;

/// How far the backup is with a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// No project whose rows it holds is backed up.
    Off,
    /// Every project with backup is covered.
    Covered,
    /// It is still to be covered, or to be covered again; with the reason, if there is one.
    Waiting(Option<String>),
    /// The last try failed: since when, and why.
    Failed(Option<DateTime<Utc>>, String),
}

/// Everything that tells how far the backup is.
#[derive(Debug)]
pub(super) struct Backups {
    keepers: Vec<Keeper>,
    marked: HashMap<(ProjectId, Part), BTreeMap<NaiveDate, MarkedDay>>,
    held: Vec<HeldSpan>,
}

impl Backups {
    pub(super) async fn load(db: &Db) -> Result<Self> {
        let keepers = db::partition_view::keepers(db).await?;
        let marked = db::partition_view::marked_days(db).await?;
        let held = db::partition_view::held(db).await?;
        Ok(Self::new(keepers, marked, held))
    }

    pub(super) fn new(keepers: Vec<Keeper>, marked: Vec<MarkedDay>, held: Vec<HeldSpan>) -> Self {
        let mut by_project: HashMap<_, BTreeMap<_, _>> = HashMap::new();
        for day in marked {
            by_project
                .entry((day.project, day.part))
                .or_default()
                .insert(day.day, day);
        }
        Self {
            keepers,
            marked: by_project,
            held,
        }
    }

    /// Whether a hold covers rows that a leaf of `day` and `class` may have. They are moved to the
    /// class that never ends, so only that one and the project's own are looked at.
    pub(super) fn is_held(&self, day: NaiveDate, class: KeepDays) -> bool {
        self.held.iter().any(|hold| {
            let of_class = class == KeepDays::FOR_EVER || self.class_of(hold.project) == Some(class);
            of_class && covers(hold, day)
        })
    }

    /// How far the backup is with the rows of a table, day and class.
    pub(super) fn coverage(&self, part: Part, day: NaiveDate, class: KeepDays) -> Coverage {
        let mut coverage = Coverage::Off;
        for keeper in self.keepers.iter().filter(|keeper| keeper.backup_on) {
            if self.may_hold(keeper, day, class) {
                coverage = worse(coverage, self.of_project(keeper, part, day));
            }
        }
        coverage
    }

    /// Whether rows of the project may be in a leaf of `day` and `class`.
    fn may_hold(&self, keeper: &Keeper, day: NaiveDate, class: KeepDays) -> bool {
        let own = |hold: &&HeldSpan| hold.project == keeper.id;
        keeper.keep_days == class
            || (class == KeepDays::FOR_EVER && self.held.iter().filter(own).any(|hold| covers(hold, day)))
            // Nobody writes this class any more: whoever did has moved on to another one.
            || !self.keepers.iter().any(|other| other.keep_days == class)
    }

    fn class_of(&self, project: ProjectId) -> Option<KeepDays> {
        self.keepers
            .iter()
            .find(|keeper| keeper.id == project)
            .map(|keeper| keeper.keep_days)
    }

    fn of_project(&self, keeper: &Keeper, part: Part, day: NaiveDate) -> Coverage {
        let marked = self
            .marked
            .get(&(keeper.id, part))
            .and_then(|days| days.get(&day));
        let through = match part {
            Part::Events => keeper.through[0],
            Part::Deliveries => keeper.through[1],
        };
        match marked {
            Some(marked) if marked.state == "failed" => {
                Coverage::Failed(marked.failed_since, marked.error.clone().unwrap_or_default())
            }
            Some(marked) if marked.state != "covered" => Coverage::Waiting(marked.error.clone()),
            Some(_) => Coverage::Covered,
            None if through.is_some_and(|through| day <= through) => Coverage::Covered,
            None => Coverage::Waiting(None),
        }
    }
}

fn covers(hold: &HeldSpan, day: NaiveDate) -> bool {
    hold.from_at < start_of(next_day(day)) && hold.to_at > start_of(day)
}

/// The worse of two: what is not covered of one project is not covered.
pub(super) fn worse(a: Coverage, b: Coverage) -> Coverage {
    let rank = |coverage: &Coverage| match coverage {
        Coverage::Off => 0,
        Coverage::Covered => 1,
        Coverage::Waiting(_) => 2,
        Coverage::Failed(..) => 3,
    };
    if rank(&b) > rank(&a) { b } else { a }
}

/// Which part of a backup covers a table. The search index is made from events.
pub(super) fn part_of(table: &str) -> Part {
    match table {
        "event_deliveries" | "delivery_attempts" => Part::Deliveries,
        _ => Part::Events,
    }
}

/// Which segments hold the rows of a table; `None` for the search index.
pub(super) fn kind_of(table: &str) -> Option<Kind> {
    match table {
        "events" => Some(Kind::Events),
        "event_deliveries" => Some(Kind::Deliveries),
        "delivery_attempts" => Some(Kind::Attempts),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, n).expect("a day")
    }

    fn keeper(id: u128, class: i16, backup_on: bool, through: Option<NaiveDate>) -> Keeper {
        Keeper {
            id: ProjectId(Uuid::from_u128(id)),
            keep_days: KeepDays(class),
            backup_on,
            through: [through, None],
        }
    }

    fn marked(id: u128, n: u32, state: &str) -> MarkedDay {
        MarkedDay {
            project: ProjectId(Uuid::from_u128(id)),
            part: Part::Events,
            day: day(n),
            state: state.to_owned(),
            error: (state == "failed").then(|| "access denied".to_owned()),
            failed_since: None,
        }
    }

    #[test]
    fn a_watermark_covers_what_lies_before_it_unless_a_day_is_open_again() {
        let keepers = vec![keeper(1, 30, true, Some(day(18)))];
        let open = vec![
            marked(1, 17, "waiting"),
            marked(1, 19, "failed"),
            marked(1, 20, "covered"),
        ];
        let backups = Backups::new(keepers, open, Vec::new());
        let of = |n| backups.coverage(Part::Events, day(n), KeepDays(30));
        assert_eq!(of(16), Coverage::Covered);
        assert_eq!(of(17), Coverage::Waiting(None));
        assert_eq!(of(18), Coverage::Covered);
        assert_eq!(of(19), Coverage::Failed(None, "access denied".to_owned()));
        assert_eq!(of(20), Coverage::Covered, "days behind a gap count as well");
        assert_eq!(of(21), Coverage::Waiting(None));
        let deliveries = backups.coverage(Part::Deliveries, day(16), KeepDays(30));
        assert_eq!(deliveries, Coverage::Waiting(None), "each part has its own mark");
    }

    #[test]
    fn a_class_is_judged_by_the_projects_that_write_it() {
        let keepers = vec![keeper(1, 30, true, Some(day(18))), keeper(2, 7, false, None)];
        let backups = Backups::new(keepers, Vec::new(), Vec::new());
        let of = |class| backups.coverage(Part::Events, day(10), KeepDays(class));
        assert_eq!(of(30), Coverage::Covered);
        assert_eq!(of(7), Coverage::Off, "its project has no backup");
        assert_eq!(
            of(90),
            Coverage::Covered,
            "left behind by whoever kept rows longer"
        );
    }

    #[test]
    fn a_hold_covers_its_days_in_its_class_and_in_the_one_that_never_ends() {
        let keepers = vec![keeper(1, 30, true, Some(day(18))), keeper(2, 7, false, None)];
        let hold = HeldSpan {
            project: ProjectId(Uuid::from_u128(1)),
            from_at: start_of(day(5)),
            to_at: start_of(day(7)),
        };
        let backups = Backups::new(keepers, Vec::new(), vec![hold]);
        let held = |n, class| backups.is_held(day(n), KeepDays(class));
        assert_eq!(
            [held(4, 30), held(5, 30), held(6, 30), held(7, 30)],
            [false, true, true, false]
        );
        assert!(held(5, 0), "where its rows are moved to");
        assert!(!held(5, 7), "another project's class");
    }
}
