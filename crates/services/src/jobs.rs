//! Jobs: what the product does by itself, each execution a run.

use std::pin::Pin;

use chrono::TimeDelta;
use domain::id::RunId;
use serde_json::{Value, json};

use crate::error::Result;
use crate::{Services, partitions};

/// Who started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Its time came.
    Schedule,
    /// A person.
    Manual,
}

impl Trigger {
    fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
        }
    }
}

/// What a job does, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Its name in runs, logs and commands.
    pub name: &'static str,
    /// Time between two runs.
    pub every: TimeDelta,
    /// Runs that changed nothing are not worth a row.
    quiet: bool,
    work: Work,
}

/// Does a job once and tells its typed counts.
type Work = fn(&Services) -> Pin<Box<dyn Future<Output = Result<Value>> + Send + '_>>;

/// Every job.
pub const ALL: &[Job] = &[
    Job {
        name: "keep_partitions_ahead",
        every: TimeDelta::minutes(10),
        quiet: true,
        work: |services| Box::pin(keep_partitions_ahead(services)),
    },
    Job {
        name: "forget_expired_sign_ins",
        every: TimeDelta::hours(1),
        quiet: true,
        work: |services| Box::pin(forget_expired_sign_ins(services)),
    },
];

/// Does a job once and records the run. Failures are recorded and logged, not returned: the next
/// run tries again.
pub async fn run(services: &Services, job: &Job, trigger: Trigger) {
    let started = services.clock.now();
    let outcome = (job.work)(services).await;
    let (counts, error) = match outcome {
        Ok(counts) => (counts, None),
        Err(error) => {
            tracing::warn!(job = job.name, %error, "job failed");
            (json!({}), Some(error.to_string()))
        }
    };
    let idle = counts
        .as_object()
        .is_some_and(|counts| counts.values().all(|n| n.as_i64() == Some(0)));
    if job.quiet && idle && error.is_none() && trigger == Trigger::Schedule {
        return;
    }
    let id = RunId::at(started);
    let recorded = async {
        db::runs::start(&services.db, id, job.name, trigger.as_str(), json!({}), started).await?;
        db::runs::finish(&services.db, id, counts, error.as_deref(), services.clock.now()).await
    };
    if let Err(error) = recorded.await {
        tracing::warn!(job = job.name, %error, "run could not be recorded");
    }
}

async fn keep_partitions_ahead(services: &Services) -> Result<Value> {
    let made = partitions::keep_ahead(services).await?;
    Ok(serde_json::to_value(made).unwrap_or_default())
}

async fn forget_expired_sign_ins(services: &Services) -> Result<Value> {
    let sessions = crate::sessions::delete_expired(services).await?;
    let sign_ins = crate::sign_in::forget_expired(services).await?;
    Ok(json!({ "sessions": sessions, "failed_sign_ins": sign_ins }))
}

/// Name of the lease.
const LEADER: &str = "scheduler";
/// How long a leader that died keeps others waiting.
const TERM: TimeDelta = TimeDelta::seconds(15);

/// A candidate for the leadership of all schedulers.
#[derive(Debug)]
pub struct Leader<'a> {
    services: &'a Services,
    holder: String,
}

impl<'a> Leader<'a> {
    /// A candidate with a name of its own.
    pub fn new(services: &'a Services) -> Self {
        Self {
            services,
            holder: format!("{}-{:08x}", std::process::id(), rand::random::<u32>()),
        }
    }

    /// Takes or renews the lease; whether this candidate leads now.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] while PostgreSQL is away: nobody leads then.
    pub async fn lead(&self) -> Result<bool> {
        let now = self.services.clock.now();
        let fence = db::leases::acquire(&self.services.db, LEADER, &self.holder, now, now + TERM).await?;
        Ok(fence.is_some())
    }

    /// Gives the lease back, so that the next leader need not wait for its end.
    pub async fn resign(&self) {
        let now = self.services.clock.now();
        if let Err(error) = db::leases::release(&self.services.db, LEADER, &self.holder, now).await {
            tracing::debug!(%error, "the lease ends by itself");
        }
    }
}
