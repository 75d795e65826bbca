//! Runs: what one execution of a job was asked for, how far it is, and how it ended.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::id::ProjectId;
use crate::lifecycle::start_of;
use crate::state::Look;

/// How a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Somebody works on it, under a lease.
    #[default]
    Running,
    /// It came to its end.
    Done,
    /// It did not; its error says why.
    Failed,
}

impl RunState {
    /// All of them, in the order in which a run goes through them.
    pub const ALL: [Self; 3] = [Self::Running, Self::Done, Self::Failed];

    /// As tables and the wire name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Reads [`RunState::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// How it looks on a page.
    pub fn look(self) -> Look {
        let (state, icon, word) = match self {
            Self::Running => ("active", "running", "Running"),
            Self::Done => ("success", "success", "Done"),
            Self::Failed => ("failure", "failure", "Failed"),
        };
        Look { state, icon, word }
    }
}

/// Who started a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Its time came.
    #[default]
    Schedule,
    /// A person.
    Manual,
}

impl Trigger {
    /// As tables and the wire name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
        }
    }

    /// Reads [`Trigger::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Schedule, Self::Manual]
            .into_iter()
            .find(|trigger| trigger.as_str() == text)
    }
}

/// What a run is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobInput {
    /// Only find out what would be done.
    pub dry_run: bool,
    /// The moment to act for; without, the present one.
    pub as_of: Option<DateTime<Utc>>,
    /// The only project to act on; without, all of them.
    pub project: Option<ProjectId>,
}

/// Reads the moment that a run is to act for: a day (its midnight, UTC) or an instant.
pub fn parse_moment(text: &str) -> Option<DateTime<Utc>> {
    match text.parse::<NaiveDate>() {
        Ok(day) => Some(start_of(day)),
        Err(_) => text.parse().ok(),
    }
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps in all, as far as that is known; never less than `done`.
    pub total: u64,
    /// What it is about just now, such as `Checkout, 19 Nov`.
    pub at: String,
}

impl Progress {
    /// The share that is done, 0 to 100.
    pub fn percent(&self) -> u8 {
        let whole = self.total.max(self.done).max(1);
        u8::try_from(u128::from(self.done) * 100 / u128::from(whole)).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_triggers_read_back() {
        for state in RunState::ALL {
            assert_eq!(RunState::parse(state.as_str()), Some(state));
        }
        for trigger in [Trigger::Schedule, Trigger::Manual] {
            assert_eq!(Trigger::parse(trigger.as_str()), Some(trigger));
        }
        assert_eq!(RunState::parse("start"), None);
    }

    #[test]
    fn a_moment_is_a_day_or_an_instant() {
        let read = |text| parse_moment(text).map(|at| at.to_rfc3339());
        assert_eq!(read("2026-11-20").as_deref(), Some("2026-11-20T00:00:00+00:00"));
        assert_eq!(
            read("2026-11-20T03:15:00+01:00").as_deref(),
            Some("2026-11-20T02:15:00+00:00")
        );
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn progress_is_a_share_of_the_whole_even_when_the_whole_is_not_known() {
        let share = |done, total| {
            Progress {
                done,
                total,
                at: String::new(),
            }
            .percent()
        };
        assert_eq!(
            [share(0, 0), share(0, 9), share(1, 3), share(9, 9)],
            [0, 0, 33, 100]
        );
        assert_eq!([share(5, 0), share(u64::MAX, 3)], [100, 100]);
    }
}
