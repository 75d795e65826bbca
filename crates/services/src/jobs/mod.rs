//! Jobs: what the product does by itself, each execution a run.
//!
//! A run has an owner: its process holds the lease `job:NAME` while it works, so a job never runs
//! twice at once. When the process dies the lease ends, and [`fail_dead`] ends the run.
//!
//! Leases go by the clock of the database, schedules by the clock of the product.

mod context;
mod lease;
mod read;
mod registry;
mod run;
mod schedule;

use futures::future::BoxFuture;

pub use context::{Counts, JobContext, RunProgress};
pub use domain::run::{JobInput, Progress, RunState, Trigger};
pub use lease::Leader;
pub use read::{JobView, Run, RunQuery, list, run, runs};
pub use registry::ALL;
pub use run::{RunningJobs, fail_dead, run_now, start, start_due};
pub use schedule::Schedule;

use crate::error::{Error, Result};
use crate::options::Options;

/// What a job does, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Its name in runs, logs and commands.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, in one sentence.
    pub say: &'static str,
    /// When it runs.
    pub schedule: fn(&Options) -> Schedule,
    /// Of runs in a row that changed nothing only the last one is kept.
    pub quiet: bool,
    /// What a person may ask it for.
    pub takes: Takes,
    /// Does it once. It may be dropped at any await, as if the process had died there.
    pub work: fn(JobContext) -> BoxFuture<'static, Result<Counts>>,
}

impl Job {
    /// The job called `name`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn called(name: &str) -> Result<&'static Self> {
        ALL.iter()
            .find(|job| job.name == name)
            .ok_or(Error::NotFound("job"))
    }
}

/// What a person may ask a job for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// To find out only what it would do.
    pub dry_run: bool,
    /// To act for another moment than the present one.
    pub as_of: bool,
    /// To act on one project alone.
    pub project: bool,
}

impl Takes {
    /// Just to run.
    pub const NOTHING: Self = Self {
        dry_run: false,
        as_of: false,
        project: false,
    };
    /// Every wish there is.
    pub const EVERYTHING: Self = Self {
        dry_run: true,
        as_of: true,
        project: true,
    };
}
