//! Backup: every ended day of every project that asked for it, in segments that were read back.
//!
//! The job goes through the days oldest first. A project whose store fails is left at that day until
//! the next run, so that its watermark never has a gap; other projects go on. Deletion is another
//! job and asks [`coverage`] before it drops anything.

pub(crate) mod copy;
mod cover;
pub mod coverage;
mod encode;
mod plan;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use db::backups::{self, Subject};
use domain::id::ProjectId;
use domain::lifecycle::Part;
use serde::Serialize;

use crate::error::Result;
use crate::jobs::JobContext;
use crate::storage_policies;
use cover::{Cover, Covered, Spent};
use plan::Step;

/// Name of the lease under which the job works.
const LEASE: &str = "job:backup";

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Days of projects that are covered now and were not before, both parts counted.
    pub days: u64,
    /// Rows in new segments.
    pub rows: u64,
    /// New segments.
    pub segments: u64,
    /// Bytes of new segments.
    pub size_bytes: u64,
    /// Bytes of their text.
    pub raw_bytes: u64,
    /// How long the run waited for PostgreSQL, in milliseconds.
    pub reading_ms: u64,
    /// How long it encoded and compressed.
    pub encoding_ms: u64,
    /// How long it waited for the store to take objects.
    pub uploading_ms: u64,
    /// How long it read objects back.
    pub verifying_ms: u64,
    /// Days that could not be covered, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// Days that wait for deliveries that are still live.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
}

impl Counts {
    fn add(&mut self, covered: &Covered) {
        self.days += 1;
        self.rows += covered.rows;
        self.segments += covered.segments;
        self.size_bytes += covered.size_bytes;
        self.raw_bytes += covered.raw_bytes;
    }

    fn add_times(&mut self, spent: &Spent) {
        let ms = |micros: &AtomicU64| micros.load(Ordering::Relaxed) / 1000;
        self.reading_ms += ms(&spent.reading);
        self.encoding_ms += ms(&spent.encoding);
        self.uploading_ms += ms(&spent.uploading);
        self.verifying_ms += ms(&spent.verifying);
    }
}

/// Covers every ended day that is not covered yet.
///
/// # Errors
/// [`crate::Error::Unavailable`] while PostgreSQL is away. What could not be covered for another
/// reason is told in the counts and tried again by the next run.
pub async fn run(context: &JobContext) -> Result<Counts> {
    let services = &context.services;
    // A run by hand has no process that did so when it started.
    storage_policies::sync_configuration(services).await?;
    db::segments::abandon_before(&services.db, LEASE, context.fence).await?;
    let subjects = subjects(context).await?;
    let steps = plan::steps(services, &subjects, context.at).await?;
    let total = steps.len() as u64;
    let mut counts = Counts::default();
    let mut stopped = BTreeSet::new();
    for (done, step) in steps.into_iter().enumerate() {
        let step = Step {
            subjects: step
                .subjects
                .into_iter()
                .filter(|one| !stopped.contains(&one.id))
                .collect(),
            ..step
        };
        context.progress.tell(done as u64, total, &step.to_string()).await;
        if context.input.dry_run {
            counts.days += step.subjects.len() as u64;
            continue;
        }
        take_step(context, step, &mut counts, &mut stopped).await?;
    }
    Ok(counts)
}

async fn subjects(context: &JobContext) -> Result<Vec<Subject>> {
    let mut subjects = backups::subjects(&context.services.db).await?;
    if let Some(only) = context.input.project {
        subjects.retain(|subject| subject.id == only);
    }
    Ok(subjects)
}

/// Covers one day and part; projects that fail are put into `stopped`.
async fn take_step(
    context: &JobContext,
    step: Step,
    counts: &mut Counts,
    stopped: &mut BTreeSet<ProjectId>,
) -> Result<()> {
    let db = &context.services.db;
    let (part, day, now) = (step.part, step.day, context.at);
    let ids: Vec<ProjectId> = step.subjects.iter().map(|subject| subject.id).collect();
    let live = backups::unsettled(db, &ids, part, day).await?;
    let (waiting, ready): (Vec<Subject>, Vec<Subject>) = step
        .subjects
        .into_iter()
        .partition(|subject| live.contains(&subject.id));
    for subject in waiting {
        backups::leave_open(db, (subject.id, part, day), false, why_waiting(part), now).await?;
        counts
            .waiting
            .push(format!("{}, {day}, {}", subject.name, part.as_str()));
    }
    let spent = Spent::default();
    let cover = Cover {
        services: &context.services,
        lease: (LEASE, context.fence),
        part,
        day,
        spent: &spent,
    };
    let outcomes = cover.run(ready).await?;
    counts.add_times(&spent);
    for (subject, outcome) in outcomes {
        match outcome {
            Ok(covered) => {
                let (rows, bytes) = (covered.held_rows, covered.held_bytes);
                backups::cover(db, (subject.id, part, day), rows, bytes, now).await?;
                counts.add(&covered);
            }
            Err(why) => {
                tracing::warn!(project = %subject.id, %day, part = part.as_str(), %why, "a day could not be backed up");
                backups::leave_open(db, (subject.id, part, day), true, &why, now).await?;
                counts
                    .failed
                    .push(format!("{}, {day}, {}: {why}", subject.name, part.as_str()));
                stopped.insert(subject.id);
            }
        }
    }
    Ok(())
}

fn why_waiting(part: Part) -> &'static str {
    match part {
        Part::Events => "events of the day wait to be matched",
        Part::Deliveries => "deliveries of the day are still live",
    }
}
