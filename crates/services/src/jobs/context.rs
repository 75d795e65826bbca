//! What a job is given, and what it tells.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::id::RunId;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{JobInput, Progress};
use crate::Services;
use crate::error::{Error, Result};

/// Shortest time between two rows of progress.
const PROGRESS_PAUSE: Duration = Duration::from_millis(500);

/// What a job works with.
#[derive(Debug)]
pub struct JobContext {
    /// The use cases.
    pub services: Arc<Services>,
    /// The run.
    pub run: RunId,
    /// The fencing number of the run's lease: grows with every run of the job.
    pub fence: i64,
    /// What is asked for.
    pub input: JobInput,
    /// The moment to act for.
    pub at: DateTime<Utc>,
    /// Tells how far the run is.
    pub progress: RunProgress,
}

/// Tells how far a run is.
#[derive(Clone, Debug)]
pub struct RunProgress {
    db: db::Db,
    run: RunId,
    told: Arc<Mutex<Option<Instant>>>,
}

impl RunProgress {
    pub(super) fn new(db: db::Db, run: RunId) -> Self {
        Self {
            db,
            run,
            told: Arc::default(),
        }
    }

    /// Writes down how far the run is, unless that was done a moment ago. That it could not be
    /// written is no reason for the job to stop.
    pub async fn tell(&self, done: u64, total: u64, at: &str) {
        if !self.is_time() {
            return;
        }
        let progress = Progress {
            done,
            total: total.max(done),
            at: at.to_owned(),
        };
        let Ok(progress) = serde_json::to_value(progress) else {
            return;
        };
        if let Err(error) = db::runs::progress(&self.db, self.run, progress).await {
            tracing::debug!(%error, "progress could not be written down");
        }
    }

    fn is_time(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.is_none_or(|at| at.elapsed() >= PROGRESS_PAUSE);
        if due {
            *told = Some(Instant::now());
        }
        due
    }
}

/// What a run did, by name: whole numbers, and texts or lists where a number does not tell enough.
///
/// Names say their unit where it is not a count: `size_bytes`, `took_ms`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts(Map<String, Value>);

impl Counts {
    /// The fields of `counts`, which must be a struct or a map.
    ///
    /// # Errors
    /// [`Error::Internal`] when it is something else.
    pub fn of(counts: &impl Serialize) -> Result<Self> {
        match serde_json::to_value(counts).map_err(Error::internal)? {
            Value::Object(counts) => Ok(Self(counts)),
            _ => Err(Error::internal("counts of a run have names")),
        }
    }

    /// Whether the run changed nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.0.values().all(|count| count.as_i64() == Some(0))
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_idle_when_everything_that_it_counts_is_zero() {
        let idle = |counts: Value| Counts::of(&counts).expect("an object").is_idle();
        assert!(idle(json!({})) && idle(json!({"leaves": 0, "days": 0})));
        assert!(!idle(json!({"leaves": 0, "days": 1})) && !idle(json!({"refused": ["events_20261120_k30"]})));
        assert!(Counts::of(&json!([1])).is_err());
    }
}
