//! One leaf: how it stands, and what happens to it next.

use chrono::{DateTime, Utc};
use db::partition_view::LeafDrop;
use db::partitions::{Leaf, LeafKind};
use domain::lifecycle::{expires_at, next_day, start_of};

use super::Times;
use super::coverage::{Backups, Coverage, part_of};

/// How a leaf stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeafState {
    /// Its day is today.
    Open,
    /// Its day is yet to come.
    Ahead,
    /// Its day has ended and nobody wants a backup of it.
    Ended,
    /// Segments that were read back hold it.
    BackedUp,
    /// It waits for its backup.
    Waiting,
    /// The last try to back it up failed.
    BackupFailed,
    /// A hold covers rows of it.
    OnHold,
    /// Its period is over, and it could not leave.
    Refused,
    /// It is on its way out.
    Leaving,
    /// Its rows are moved into days, or into one heap.
    Splitting,
    /// It holds rows whose day does not exist yet.
    Homeless,
    /// Where rows whose day does not exist go; there are none.
    Spare,
}

impl LeafState {
    /// Every state, in the order in which pages list them.
    pub const ALL: [Self; 12] = [
        Self::Open,
        Self::Ahead,
        Self::Ended,
        Self::BackedUp,
        Self::Waiting,
        Self::BackupFailed,
        Self::OnHold,
        Self::Refused,
        Self::Leaving,
        Self::Splitting,
        Self::Homeless,
        Self::Spare,
    ];

    /// Its name in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ahead => "ahead",
            Self::Ended => "ended",
            Self::BackedUp => "backed-up",
            Self::Waiting => "waiting",
            Self::BackupFailed => "failed",
            Self::OnHold => "held",
            Self::Refused => "refused",
            Self::Leaving => "leaving",
            Self::Splitting => "splitting",
            Self::Homeless => "homeless",
            Self::Spare => "spare",
        }
    }

    /// The state called `name` in addresses.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// What wants a person comes first, what never changes last.
    pub(super) fn urgency(self) -> u8 {
        match self {
            Self::Refused | Self::BackupFailed | Self::Homeless => 0,
            Self::Splitting | Self::Leaving => 1,
            Self::Spare => 3,
            _ => 2,
        }
    }
}

/// What happens to a leaf next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is dropped.
    Drop,
    /// It is backed up.
    BackUp,
    /// Its day begins.
    Open,
    /// Its rows are moved to where they belong.
    Move,
    /// Nothing, while a hold covers rows of it.
    Held,
    /// Nothing: it is kept for ever.
    ForEver,
    /// Nothing: nothing is deleted at all.
    DeletingOff,
    /// Nothing.
    Nothing,
}

/// A leaf with its state.
#[derive(Clone, Debug)]
pub struct LeafView {
    /// The leaf.
    pub leaf: Leaf,
    /// How it stands.
    pub state: LeafState,
    /// How far its backup is.
    pub coverage: Coverage,
    /// Why it is in that state, when there is more to say.
    pub why: Option<String>,
    /// What happens next.
    pub next: Next,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// Segments that hold its rows; told for the leaves of a page only.
    pub segments: i64,
}

/// What leaves are judged by.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) now: DateTime<Utc>,
    pub(super) backups: Backups,
    /// Leaves that are on their way, or could not leave.
    pub(super) drops: Vec<LeafDrop>,
    /// Whether anything is deleted.
    pub(super) is_deleting: bool,
    pub(super) times: Times,
}

impl Judge {
    /// Judges one leaf.
    pub(super) fn view(&self, leaf: &Leaf) -> LeafView {
        let mut view = LeafView {
            leaf: leaf.clone(),
            state: LeafState::Ended,
            coverage: Coverage::Off,
            why: None,
            next: Next::Nothing,
            at: None,
            segments: 0,
        };
        match (leaf.kind, leaf.id()) {
            (LeafKind::Default, _) => self.settle_default(&mut view),
            (LeafKind::Day, Some(id)) => {
                let today = self.now.date_naive();
                if id.day <= today {
                    view.coverage = self.backups.coverage(part_of(id.table), id.day, id.keep_days);
                }
                (view.state, view.why) = self.state(leaf, &view.coverage);
                (view.next, view.at) = self.next(&view);
            }
            _ => {
                view.state = LeafState::Splitting;
                view.next = Next::Move;
            }
        }
        view
    }

    /// Judges a default leaf by its rows.
    pub(super) fn settle_default(&self, view: &mut LeafView) {
        (view.state, view.next, view.at) = if view.leaf.rows > 0 {
            (LeafState::Homeless, Next::Move, Some(self.times.next_reconcile))
        } else {
            (LeafState::Spare, Next::Nothing, None)
        };
    }

    fn state(&self, leaf: &Leaf, coverage: &Coverage) -> (LeafState, Option<String>) {
        let Some(id) = leaf.id() else {
            return (LeafState::Splitting, None);
        };
        let today = self.now.date_naive();
        let drop = self.drops.iter().find(|drop| drop.leaf == leaf.name);
        if leaf.is_leaving || drop.is_some_and(|drop| drop.state == "dropping") {
            return (LeafState::Leaving, None);
        }
        if let Some(drop) = drop {
            return (LeafState::Refused, drop.reason.clone());
        }
        if id.day > today {
            return (LeafState::Ahead, None);
        }
        if id.day == today {
            return (LeafState::Open, None);
        }
        if self.backups.is_held(id.day, id.keep_days) {
            return (LeafState::OnHold, None);
        }
        match coverage {
            // Nothing was ever written to it: there is nothing to back up.
            _ if is_empty(leaf) => (LeafState::Ended, None),
            Coverage::Off => (LeafState::Ended, None),
            Coverage::Covered => (LeafState::BackedUp, None),
            Coverage::Waiting(why) => (LeafState::Waiting, why.clone()),
            Coverage::Failed(_, why) => (LeafState::BackupFailed, Some(why.clone())),
        }
    }

    fn next(&self, view: &LeafView) -> (Next, Option<DateTime<Utc>>) {
        let Some(id) = view.leaf.id() else {
            return (Next::Move, None);
        };
        match view.state {
            LeafState::Refused | LeafState::Leaving => (Next::Drop, Some(self.times.next_deletion)),
            LeafState::Ahead => (Next::Open, Some(start_of(id.day))),
            LeafState::Open if view.coverage != Coverage::Off => {
                let at = next_day(id.day).and_time(self.times.backup_at).and_utc();
                (Next::BackUp, Some(at))
            }
            LeafState::Waiting | LeafState::BackupFailed => (Next::BackUp, Some(self.times.next_backup)),
            LeafState::OnHold => (Next::Held, None),
            _ => match expires_at(id.day, id.keep_days) {
                None => (Next::ForEver, None),
                Some(_) if !self.is_deleting => (Next::DeletingOff, None),
                Some(end) => (Next::Drop, Some(self.dropped_at(end))),
            },
        }
    }

    /// When the deletion takes a leaf whose period ends at midnight `end`.
    fn dropped_at(&self, end: DateTime<Utc>) -> DateTime<Utc> {
        let first = end.date_naive().and_time(self.times.deletion_at).and_utc();
        if first > self.now {
            first
        } else {
            self.times.next_deletion
        }
    }
}

/// Whether a leaf is known to hold nothing. An estimate of nothing is no proof.
pub(super) fn is_empty(leaf: &Leaf) -> bool {
    leaf.counted && leaf.rows == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{NaiveDate, NaiveTime};
    use db::partition_view::Keeper;
    use domain::id::ProjectId;
    use domain::lifecycle::{KeepDays, leaf_name};
    use uuid::Uuid;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-{text}:00Z").parse().expect("an instant")
    }

    fn date(month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, month, day).expect("a day")
    }

    fn leaf(day: NaiveDate, class: i16) -> Leaf {
        Leaf {
            table: "events",
            name: leaf_name("events", day, KeepDays(class)),
            day: Some(day),
            keep_days: Some(KeepDays(class)),
            rows: 10,
            counted: true,
            bytes: 8192,
            kind: LeafKind::Day,
            is_leaving: false,
        }
    }

    fn judge(drops: Vec<LeafDrop>) -> Judge {
        let clock = |h, m| NaiveTime::from_hms_opt(h, m, 0).expect("a time");
        let keeper = Keeper {
            id: ProjectId(Uuid::from_u128(1)),
            keep_days: KeepDays(30),
            backup_on: true,
            through: [Some(date(11, 18)), Some(date(11, 18))],
        };
        Judge {
            now: at("11-20T10:42"),
            backups: Backups::new(vec![keeper], Vec::new(), Vec::new()),
            drops,
            is_deleting: true,
            times: Times {
                backup_at: clock(0, 15),
                deletion_at: clock(2, 15),
                next_backup: at("11-20T11:00"),
                next_deletion: at("11-21T02:15"),
                next_reconcile: at("11-20T10:50"),
            },
        }
    }

    #[test]
    fn a_leaf_is_opened_backed_up_and_dropped_in_its_time() {
        let judge = judge(Vec::new());
        let told = |month, day| {
            let view = judge.view(&leaf(date(month, day), 30));
            (view.state, view.next, view.at)
        };
        assert_eq!(
            told(11, 21),
            (LeafState::Ahead, Next::Open, Some(at("11-21T00:00")))
        );
        assert_eq!(
            told(11, 20),
            (LeafState::Open, Next::BackUp, Some(at("11-21T00:15")))
        );
        assert_eq!(
            told(11, 19),
            (LeafState::Waiting, Next::BackUp, Some(at("11-20T11:00")))
        );
        assert_eq!(
            told(11, 18),
            (LeafState::BackedUp, Next::Drop, Some(at("12-19T02:15")))
        );
        assert_eq!(
            told(10, 21),
            (LeafState::BackedUp, Next::Drop, Some(at("11-21T02:15")))
        );
        let late = (LeafState::BackedUp, Next::Drop, Some(at("11-21T02:15")));
        assert_eq!(told(10, 2), late, "what is late goes with the next run");
    }

    #[test]
    fn what_is_kept_for_ever_or_could_not_leave_says_so() {
        let kept = judge(Vec::new()).view(&leaf(date(11, 1), 0));
        assert_eq!((kept.next, kept.at), (Next::ForEver, None));
        let name = leaf_name("events", date(10, 10), KeepDays(30));
        let refused = LeafDrop {
            leaf: name,
            state: "refused".to_owned(),
            rows: 1,
            bytes: 1,
            reason: Some("rows of Checkout are on hold".to_owned()),
            since: at("11-20T02:15"),
            ended_at: None,
            locked_ms: None,
        };
        let view = judge(vec![refused]).view(&leaf(date(10, 10), 30));
        assert_eq!((view.state, view.next), (LeafState::Refused, Next::Drop));
        assert_eq!(view.why.as_deref(), Some("rows of Checkout are on hold"));
        let mut off = judge(Vec::new());
        off.is_deleting = false;
        let view = off.view(&leaf(date(10, 10), 30));
        assert_eq!((view.next, view.at), (Next::DeletingOff, None));
    }

    #[test]
    fn a_leaf_that_was_never_written_waits_for_no_backup() {
        let mut empty = leaf(date(11, 19), 30);
        empty.rows = 0;
        let view = judge(Vec::new()).view(&empty);
        assert_eq!((view.state, view.next), (LeafState::Ended, Next::Drop));
        empty.counted = false;
        let view = judge(Vec::new()).view(&empty);
        assert_eq!(
            view.state,
            LeafState::Waiting,
            "an estimate of nothing is no proof"
        );
    }

    #[test]
    fn a_default_leaf_with_rows_wants_them_moved() {
        let mut of_default = leaf(date(11, 20), 30);
        (of_default.kind, of_default.day, of_default.keep_days) = (LeafKind::Default, None, None);
        let view = judge(Vec::new()).view(&of_default);
        assert_eq!((view.state, view.next), (LeafState::Homeless, Next::Move));
        assert_eq!(view.at, Some(at("11-20T10:50")));
        of_default.rows = 0;
        assert_eq!(judge(Vec::new()).view(&of_default).state, LeafState::Spare);
    }

    #[test]
    fn states_read_back_from_addresses() {
        for state in LeafState::ALL {
            assert_eq!(LeafState::parse(state.as_str()), Some(state));
        }
    }
}
