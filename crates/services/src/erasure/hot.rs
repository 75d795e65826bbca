//! Erasing rows in PostgreSQL.

use chrono::{DateTime, NaiveDate, Utc};
use db::DbError;
use db::erasures::hot::{self, Candidate, Change, Search};
use domain::erasure::{Edit, erased_by, mark};
use domain::id::{EventId, ProjectId};

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
    let (db, whole) = (&services.db, open.target.is_whole());
    let meaning = open.clone();
    let mut events = 0;
    each(services, &meaning, async |candidates: Vec<Candidate>| {
        let (changes, held) = decide(&meaning, holds, &candidates);
        events += again(async || hot::change(db, meaning.id, meaning.project, &changes, &held).await).await?;
        Ok(())
    })
    .await?;
    open.progress.events += events;
    open.progress.held_events = hot::hold(db, open.id, &holds.0).await?;
    let mut after = None;
    loop {
        let meant = hot::meant(db, open.id, after, BATCH).await?;
        let Some((last, _)) = meant.last() else {
            break;
        };
        after = Some(*last);
        let now = services.clock.now();
        let followed = again(async || hot::follow(db, open.project, &meant, whole, now).await).await?;
        open.progress.deliveries += followed.deliveries;
        open.progress.attempts += followed.attempts;
        open.progress.settled_at = open.progress.settled_at.max(followed.under_way);
    }
    Ok(())
}

/// Tries again what met rows that were moving.
async fn again<T>(mut act: impl AsyncFnMut() -> Result<T, DbError>) -> Result<T> {
    let mut tries = 1;
    loop {
        match act().await {
            Err(DbError::Moved) if tries < TRIES => tries += 1,
            done => return Ok(done?),
        }
    }
}

/// Shows `each` every event that may be meant.
pub(super) async fn each(
    services: &Services,
    open: &Open,
    mut each: impl AsyncFnMut(Vec<Candidate>) -> Result<()>,
) -> Result<()> {
    if let Some(ids) = open.target.ids() {
        for ids in ids.chunks(usize::try_from(BATCH).unwrap_or(1)) {
            each(hot::named(&services.db, open.project, ids).await?).await?;
        }
        return Ok(());
    }
    let Some((first, last)) = db::partitions::reclass_span(&services.db, open.project).await? else {
        return Ok(());
    };
    let last = last.min(open.requested_at).date_naive();
    for day in first.date_naive().iter_days().take_while(|day| *day <= last) {
        each_of_day(services, open, day, &mut each).await?;
    }
    Ok(())
}

async fn each_of_day(
    services: &Services,
    open: &Open,
    day: NaiveDate,
    each: &mut impl AsyncFnMut(Vec<Candidate>) -> Result<()>,
) -> Result<()> {
    let mut after: Option<EventId> = None;
    loop {
        let search = Search {
            project: open.project,
            day,
            until: open.requested_at,
            value: open.target.value().unwrap_or_default(),
            after,
            limit: BATCH,
        };
        let candidates = hot::search(&services.db, &search).await?;
        let Some(last) = candidates.last() else {
            return Ok(());
        };
        after = Some(last.id);
        each(candidates).await?;
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
                    payload: if marked { candidate.payload.clone() } else { mark(open.id) },
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
