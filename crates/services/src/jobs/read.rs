//! What pages and commands show of jobs and runs.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::id::{ProjectId, RunId};
use domain::role::Role;
use serde::Serialize;
use serde_json::Value;

use super::{ALL, Job, JobInput, Progress, RunState, Schedule, Trigger};
use crate::Services;
use crate::access::Actor;
use crate::error::{Error, Result};
use crate::page::{Page, PageRequest};

/// One execution of a job.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Name of the job.
    pub job: String,
    /// Who started it.
    pub trigger: Trigger,
    /// How it stands.
    pub state: RunState,
    /// What it was asked for.
    pub input: JobInput,
    /// What it did, by name.
    pub counts: Value,
    /// How far it is, or was when it ended.
    pub progress: Option<Progress>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Run {
    /// How long it took, or has taken until `now`, in milliseconds.
    pub fn took_ms(&self, now: DateTime<Utc>) -> u64 {
        let took = self.ended_at.unwrap_or(now) - self.started_at;
        u64::try_from(took.num_milliseconds()).unwrap_or(0)
    }
}

/// A job with its schedule and its last run.
#[derive(Clone, Debug)]
pub struct JobView {
    /// The job.
    pub job: &'static Job,
    /// When it runs.
    pub schedule: Schedule,
    /// Its last run, whoever started it.
    pub last: Option<Run>,
    /// When it runs next by its schedule; never before now. `None` when it does not, or runs now.
    pub next: Option<DateTime<Utc>>,
}

/// Which runs to list; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct RunQuery {
    /// Of this job.
    pub job: Option<String>,
    /// In this state.
    pub state: Option<RunState>,
    /// For this project alone. Without: everything, only for instance admins.
    pub project: Option<ProjectId>,
    /// Which page.
    pub page: PageRequest,
}

/// Every job.
///
/// # Errors
/// [`Error::Forbidden`] for anybody but an instance admin.
pub async fn list(services: &Services, actor: &Actor) -> Result<Vec<JobView>> {
    actor.require_instance()?;
    let now = services.clock.now();
    let scheduled = last_scheduled(services, ALL).await?;
    let mut last = HashMap::new();
    for row in db::runs::last(&services.db, &names(ALL), None).await? {
        last.insert(row.job.clone(), read(row));
    }
    let view = |job: &'static Job| {
        let schedule = (job.schedule)(&services.options);
        let next = schedule.next(scheduled.get(job.name).copied(), now);
        JobView {
            job,
            schedule,
            last: last.remove(job.name),
            next: next.map(|next| next.max(now)),
        }
    };
    Ok(ALL.iter().map(view).collect())
}

/// Runs, newest first unless asked otherwise.
///
/// # Errors
/// [`Error::Forbidden`] for whoever is no admin of the project, or, without a project, of the
/// instance.
pub async fn runs(services: &Services, actor: &Actor, query: RunQuery) -> Result<Page<Run>> {
    match query.project {
        Some(project) => actor.require(project, Role::ProjectAdmin)?,
        None => actor.require_instance()?,
    }
    let filter = db::runs::RunFilter {
        job: query.job,
        state: query.state.map(|state| state.as_str().to_owned()),
        project: query.project.map(|project| project.0),
    };
    let page = db::runs::page(services.db.orm(), &filter, query.page).await?;
    Ok(page.map(read))
}

/// One run.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] for anybody but an instance admin.
pub async fn run(services: &Services, actor: &Actor, id: RunId) -> Result<Run> {
    actor.require_instance()?;
    let row = db::runs::find(services.db.orm(), id.0).await?;
    row.map(read).ok_or(Error::NotFound("run"))
}

/// When the last scheduled run of each of `jobs` started, and how it stands.
pub(super) async fn last_scheduled(
    services: &Services,
    jobs: &[Job],
) -> Result<HashMap<String, (DateTime<Utc>, RunState)>> {
    let rows = db::runs::last(&services.db, &names(jobs), Some(Trigger::Schedule.as_str())).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let run = read(row);
            (run.job, (run.started_at, run.state))
        })
        .collect())
}

fn names(jobs: &[Job]) -> Vec<&'static str> {
    jobs.iter().map(|job| job.name).collect()
}

/// Older releases may have written what this one does not know; such parts are left out.
fn read(row: db::runs::Run) -> Run {
    Run {
        id: RunId(row.id),
        job: row.job,
        trigger: Trigger::parse(&row.trigger).unwrap_or_default(),
        state: RunState::parse(&row.state).unwrap_or_default(),
        input: serde_json::from_value(row.input).unwrap_or_default(),
        counts: row.counts,
        progress: row
            .progress
            .and_then(|progress| serde_json::from_value(progress).ok()),
        error: row.error,
        started_at: row.started_at,
        ended_at: row.ended_at,
    }
}
