//! Erasing rows in PostgreSQL.

use chrono::{DateTime, NaiveDate, Utc};
use db::DbError;
use db::erasures::hot::{self, Candidate, Change, Search};
use domain::erasure::{Edit, erased_by, mark};
use domain::id::{EventId, ProjectId};
use domain::lifecycle::next_day;

use super::Open;
use crate::Services;
use crate::error::Result;

/// Events of one batch: payloads may be large.
const BATCH: i64 = 200;
/// How often a batch is tried again because rows moved to another class under it.
const TRIES: u32 = 5;

/// The holds of a project that are in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Holds(pub(super) Vec<(DateTime<Utc>, DateTime<Utc>)>);

impl Holds {
    pub(super) async fn load(services: &Services, project: ProjectId) -> Result<Self> {
        let holds = crate::holds::in_force(services, project).await?;
        Ok(Self(holds.into_iter().map(|hold| (hold.from, hold.to)).collect()))
    }

    /// Whether one of them keeps what was accepted then.
    pub(super) fn cover(&self, at: DateTime<Utc>) -> bool {
        self.0.iter().any(|(from, to)| *from <= at && at < *to)
    }
}

/// Looks through PostgreSQL and changes what is meant.
pub(super) async fn pass(services: &Services, open: &mut Open, holds: &Holds) -> Result<()> {
    let db = &services.db;
    let mut candidates = Candidates::new(services, open).await?;
    while let Some(batch) = candidates.next(services, open).await? {
        let (changes, held) = decide(open, holds, &batch);
        let mut tries = 1;
        open.progress.events += loop {
            match hot::change(db, open.id, open.project, &changes, &held).await {
                Err(DbError::Moved) if tries < TRIES => tries += 1,
                done => break done?,
            }
        };
    }
    follow(services, open, holds).await
}

/// What follows from the events that are known to be meant, also from those that are in the archive.
pub(super) async fn follow(services: &Services, open: &mut Open, holds: &Holds) -> Result<()> {
    let (db, whole) = (&services.db, open.target.is_whole());
    open.progress.held_events = hot::hold(db, open.id, &holds.0).await?;
    let mut after = None;
    loop {
        let meant = hot::meant(db, open.id, after, BATCH).await?;
        let Some((last, _)) = meant.last() else {
            return Ok(());
        };
        after = Some(*last);
        let mut tries = 1;
        let followed = loop {
            match hot::follow(db, open.project, &meant, whole, services.clock.now()).await {
                Err(DbError::Moved) if tries < TRIES => tries += 1,
                done => break done?,
            }
        };
        open.progress.deliveries += followed.deliveries;
        open.progress.attempts += followed.attempts;
        open.progress.settled_at = open.progress.settled_at.max(followed.under_way);
    }
}

/// Events that may be meant, batch by batch.
#[derive(Debug)]
pub(super) enum Candidates {
    /// Those that are named, from here on.
    Named(usize),
    /// Those of the days from the first to the second, behind an event.
    Days(NaiveDate, NaiveDate, Option<EventId>),
}

impl Candidates {
    pub(super) async fn new(services: &Services, open: &Open) -> Result<Self> {
        if open.target.ids().is_some() {
            return Ok(Self::Named(0));
        }
        let span = db::partitions::reclass_span(&services.db, open.project).await?;
        let (first, last) = span.unwrap_or((open.requested_at, open.requested_at));
        Ok(Self::Days(
            first.date_naive(),
            last.min(open.requested_at).date_naive(),
            None,
        ))
    }

    /// The next batch, which may be empty; `None` after the last one.
    pub(super) async fn next(&mut self, services: &Services, open: &Open) -> Result<Option<Vec<Candidate>>> {
        match self {
            Self::Named(from) => {
                let ids = open.target.ids().unwrap_or_default();
                let batch = ids.get(*from..).unwrap_or_default();
                let batch = &batch[..batch.len().min(BATCH as usize)];
                if batch.is_empty() {
                    return Ok(None);
                }
                *from += batch.len();
                Ok(Some(hot::named(&services.db, open.project, batch).await?))
            }
            Self::Days(day, last, after) => {
                if *day > *last {
                    return Ok(None);
                }
                let search = Search {
                    project: open.project,
                    day: *day,
                    until: open.requested_at,
                    value: open.target.value().unwrap_or_default(),
                    after: *after,
                    limit: BATCH,
                };
                let batch = hot::search(&services.db, &search).await?;
                *after = batch.last().map(|event| event.id);
                if batch.is_empty() {
                    *day = next_day(*day);
                }
                Ok(Some(batch))
            }
        }
    }
}

/// What becomes of events, and which of them have to wait for the end of a hold.
pub(super) fn decide(open: &Open, holds: &Holds, candidates: &[Candidate]) -> (Vec<Change>, Vec<EventId>) {
    let (mut changes, mut held) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let Some(edit) = open.target.edit(candidate.id, &candidate.payload) else {
            continue;
        };
        if holds.cover(candidate.id.instant()) {
            held.push(candidate.id);
            continue;
        }
        let change = match edit {
            Edit::Whole => {
                let marked = erased_by(&candidate.payload).is_some();
                if marked && !candidate.has_more {
                    continue;
                }
                Change {
                    id: candidate.id,
                    payload: if marked {
                        candidate.payload.clone()
                    } else {
                        mark(open.id)
                    },
                    whole: true,
                }
            }
            Edit::Payload(payload) => Change {
                id: candidate.id,
                payload,
                whole: false,
            },
        };
        changes.push(change);
    }
    (changes, held)
}
