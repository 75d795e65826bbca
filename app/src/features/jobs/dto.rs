//! What the pages of jobs show and send.

use domain::run::RunState;
use serde::{Deserialize, Serialize};

use crate::{
    format::Stamp,
    ui::{filter::FilterDto, pager::Pager},
};

/// One job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// What it does.
    pub say: String,
    /// `Every 10 min`, `Daily at 00:15`.
    pub schedule: String,
    /// Its last run; none when it never ran.
    pub last: Option<RunRow>,
    /// When it runs next; empty when it does not, or runs just now.
    pub next: Stamp,
    /// Whether it can be asked what it would do.
    pub dry_run: bool,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// Id.
    pub id: String,
    /// The job's name for people.
    pub job: String,
    /// How it stands.
    pub state: RunState,
    /// What it did, or is about, or failed with.
    pub result: String,
    /// `Schedule`, `By hand`, `By hand, dry run`.
    pub trigger: String,
    /// Name of the only project that it was for; empty for all.
    pub project: String,
    /// How long it took, or has taken so far.
    pub took: String,
    /// When it started.
    pub started: Stamp,
}

/// What the page of all jobs shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobsDto {
    /// The jobs.
    pub jobs: Vec<JobRow>,
    /// Jobs that take a wish, each with its name for people.
    pub choices: Vec<(String, String)>,
    /// Projects, each with its name.
    pub projects: Vec<(String, String)>,
    /// The filters of the runs.
    pub filter: FilterDto,
    /// The runs, newest first.
    pub runs: Vec<RunRow>,
    /// Newer and older.
    pub pager: Pager,
}

/// One thing that a run counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRow {
    /// What: `Failed sign ins`.
    pub what: String,
    /// How many, or a text.
    pub value: String,
    /// One by one, when it is a list.
    pub items: Vec<String>,
}

/// What the page of one run shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDto {
    /// The run.
    pub run: RunRow,
    /// Name of the job.
    pub name: String,
    /// What the job does.
    pub say: String,
    /// Whether it only found out what would be done.
    pub dry_run: bool,
    /// The moment that it acted for; empty for the present one.
    pub as_of: String,
    /// When it ended; empty while it runs.
    pub ended: Stamp,
    /// Percent done; none when that is not known.
    pub percent: Option<u8>,
    /// `3 of 12`.
    pub progress: String,
    /// What it is about just now.
    pub at: String,
    /// Why it failed; empty when it did not.
    pub error: String,
    /// What it did.
    pub counts: Vec<CountRow>,
}

/// What somebody asks a job for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobForm {
    /// Name of the job.
    pub job: String,
    /// Only find out what would be done.
    pub dry_run: bool,
    /// A day or an instant; empty for the present one.
    pub as_of: String,
    /// Id of a project; empty for all.
    pub project: String,
}
