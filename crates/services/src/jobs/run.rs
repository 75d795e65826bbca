//! Running jobs: lease, row, work, end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::id::RunId;
use futures::FutureExt as _;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lease::RunLease;
use super::read::{self, Run};
use super::{Counts, Job, JobContext, JobInput, RunProgress, Trigger};
use crate::Services;
use crate::access::Actor;
use crate::audit::{self, Change};
use crate::error::{Error, Result};
use crate::fields::Fields;

/// Pause between two tries to write down the end of a run while PostgreSQL is away.
const END_PAUSE: Duration = Duration::from_secs(1);
/// What stands in a run whose process died.
const DIED: &str = "the process died before the run had ended";

/// The runs of this process.
#[derive(Debug, Default)]
pub struct RunningJobs {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl RunningJobs {
    /// Stops the runs of this process and waits until each is written down.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A run that holds its lease and has its row, and has not begun to work.
struct Ready {
    services: Arc<Services>,
    job: &'static Job,
    trigger: Trigger,
    id: RunId,
    input: JobInput,
    started: DateTime<Utc>,
    lease: RunLease,
}

/// Starts a job because somebody asks for it; it goes on by itself.
///
/// # Errors
/// [`Error::Forbidden`] for anybody but an instance admin; [`Error::Invalid`] for what the job does
/// not take; [`Error::Conflict`] while it runs.
pub async fn start(
    services: &Arc<Services>,
    actor: &Actor,
    job: &'static Job,
    input: JobInput,
) -> Result<RunId> {
    Ok(begin_for(services, actor, job, input).await?.spawn().0)
}

/// As [`start`], but waits for the end and tells what came of it.
///
/// # Errors
/// As [`start`]. That the run itself failed is no error here: it says so.
pub async fn run_now(
    services: &Arc<Services>,
    actor: &Actor,
    job: &'static Job,
    input: JobInput,
) -> Result<Run> {
    let (id, task) = begin_for(services, actor, job, input).await?.spawn();
    task.await.map_err(Error::internal)?;
    read::run(services, actor, id).await
}

/// Starts each of `jobs` that is due and that nobody runs; returns their names.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away.
pub async fn start_due(services: &Arc<Services>, jobs: &'static [Job]) -> Result<Vec<&'static str>> {
    let now = services.clock.now();
    let last = read::last_scheduled(services, jobs).await?;
    let mut started = Vec::new();
    for job in jobs {
        let due = (job.schedule)(&services.options).next(last.get(job.name).copied(), now);
        if due.is_some_and(|due| due <= now)
            && let Some(ready) = begin(services, job, Trigger::Schedule, JobInput::default()).await?
        {
            ready.spawn();
            started.push(job.name);
        }
    }
    Ok(started)
}

/// Ends the runs of processes that died; returns how many there were.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away.
pub async fn fail_dead(services: &Services) -> Result<u64> {
    let dead = db::runs::fail_dead(&services.db, None, DIED, services.clock.now()).await?;
    if dead > 0 {
        tracing::warn!(dead, "runs of dead processes ended");
    }
    Ok(dead)
}

async fn begin_for(
    services: &Arc<Services>,
    actor: &Actor,
    job: &'static Job,
    input: JobInput,
) -> Result<Ready> {
    actor.require_instance()?;
    check(services, job, &input).await?;
    let Some(ready) = begin(services, job, Trigger::Manual, input).await? else {
        return Err(Error::Conflict(format!(
            "{} is running already; wait until it has ended",
            job.name
        )));
    };
    match ready.note(actor).await {
        Ok(()) => Ok(ready),
        Err(error) => {
            ready
                .end(Err("it could not be written down who asked for it".to_owned()))
                .await;
            Err(error)
        }
    }
}

/// Refuses what the job does not take, and what would make it act too early.
async fn check(services: &Services, job: &Job, input: &JobInput) -> Result<()> {
    let mut fields = Fields::new();
    let takes = job.takes;
    fields.check(
        takes.dry_run || !input.dry_run,
        "dry_run",
        "is not something that this job can do",
    );
    if let Some(as_of) = input.as_of {
        fields.check(takes.as_of, "as_of", "is not something that this job looks at");
        fields.check(
            input.dry_run || as_of <= services.clock.now(),
            "as_of",
            "may lie in the future only for a dry run",
        );
    }
    if let Some(project) = input.project {
        fields.check(
            takes.project,
            "project",
            "is not something that this job looks at",
        );
        let known = db::projects::find(services.db.orm(), project.0).await?;
        fields.check(known.is_some(), "project", "does not exist");
    }
    fields.finish()
}

/// Takes the lease and makes the row; `None` while somebody runs the job.
async fn begin(
    services: &Arc<Services>,
    job: &'static Job,
    trigger: Trigger,
    input: JobInput,
) -> Result<Option<Ready>> {
    let started = services.clock.now();
    let id = RunId::at(started);
    let Some(lease) = RunLease::take(&services.db, job.name, &id.to_string()).await? else {
        return Ok(None);
    };
    let ready = Ready {
        services: Arc::clone(services),
        job,
        trigger,
        id,
        input,
        started,
        lease,
    };
    match ready.record().await {
        Ok(()) => Ok(Some(ready)),
        Err(error) => {
            ready.lease.release(&services.db).await;
            Err(error)
        }
    }
}

impl Ready {
    async fn record(&self) -> Result<()> {
        let db = &self.services.db;
        // Whoever had the lease before has lost it.
        db::runs::fail_dead(db, Some(self.job.name), DIED, self.started).await?;
        let run = db::runs::NewRun {
            id: self.id,
            job: self.job.name,
            trigger: self.trigger.as_str(),
            input: serde_json::to_value(&self.input).map_err(Error::internal)?,
            project: self.input.project.map(|project| project.0),
            as_of: self.input.as_of,
            started_at: self.started,
        };
        Ok(db::runs::start(db, run).await?)
    }

    /// Writes down who asked for the run.
    async fn note(&self, actor: &Actor) -> Result<()> {
        let txn = self.services.db.begin().await?;
        let change = Change {
            action: "job.started",
            project: self.input.project,
            subject: self.job.name,
            subject_id: Some(self.id.0),
            detail: serde_json::to_value(&self.input).map_err(Error::internal)?,
        };
        audit::record(&txn, actor, self.started, change).await?;
        Ok(txn.commit().await?)
    }

    fn spawn(self) -> (RunId, JoinHandle<()>) {
        let services = Arc::clone(&self.services);
        (self.id, services.jobs.tasks.spawn(self.work()))
    }

    async fn work(mut self) {
        let services = Arc::clone(&self.services);
        let context = JobContext {
            services: Arc::clone(&services),
            run: self.id,
            fence: self.lease.fence,
            input: self.input.clone(),
            at: self.input.as_of.unwrap_or(self.started),
            progress: RunProgress::new(services.db.clone(), self.id),
        };
        let work = AssertUnwindSafe((self.job.work)(context)).catch_unwind();
        let outcome = tokio::select! {
            done = work => match done {
                Ok(Ok(counts)) => Ok(counts),
                Ok(Err(error)) => Err(explain(&error)),
                Err(_) => Err("it panicked; the log says where".to_owned()),
            },
            () = self.lease.keep(&services.db) => {
                Err("it lost its lease: PostgreSQL was away for too long".to_owned())
            }
            () = services.jobs.stop.cancelled() => Err("the process was stopped".to_owned()),
        };
        self.end(outcome).await;
    }

    /// Writes down what came of it, which gives the lease back.
    async fn end(self, outcome: std::result::Result<Counts, String>) {
        let services = &self.services;
        let idle = outcome.as_ref().is_ok_and(Counts::is_idle);
        let (counts, error) = match outcome {
            Ok(counts) => (counts.into_value(), None),
            Err(error) => {
                tracing::warn!(job = self.job.name, error, "job failed");
                (Counts::default().into_value(), Some(error))
            }
        };
        if self.job.quiet && idle && self.trigger == Trigger::Schedule {
            let forgotten = db::runs::forget_idle_before(&services.db, self.job.name, self.id).await;
            if let Err(error) = forgotten {
                tracing::debug!(%error, "an idle run stays in the history");
            }
        }
        while let Err(error) = self.write_end(counts.clone(), error.as_deref()).await {
            if services.jobs.stop.is_cancelled() {
                // The row says `running` until somebody finds that it has no lease.
                return tracing::warn!(job = self.job.name, %error, "the end of a run could not be written down");
            }
            tokio::time::sleep(END_PAUSE).await;
        }
    }

    async fn write_end(&self, counts: Value, error: Option<&str>) -> Result<()> {
        let now = self.services.clock.now();
        Ok(db::runs::finish(&self.services.db, self.id, counts, error, now).await?)
    }
}

/// An error with what stands behind it: runs are read by those who run the instance.
fn explain(error: &Error) -> String {
    match error {
        Error::Internal(cause) => format!("internal error: {cause}"),
        other => other.to_string(),
    }
}
