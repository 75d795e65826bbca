//! Objects are looked at, and in turns read back as a whole.
//!
//! Every run asks the store for size and tag of each object, and reads those that were not read back for
//! the longest time. An object that has changed is taken over when it is the same segment in the same or
//! a later generation: the store was moved, or the database is older than the store. Anything else is
//! damage: the segment is quarantined, and its day covered anew from the rows that PostgreSQL still has.

use std::collections::BTreeSet;

use db::backups;
use db::erasures::objects::{self, Generation, Keys};
use db::segment_care;
use db::segments::Segment;
use domain::lifecycle::Part;
use domain::state::SegmentState;
use metrics::counter;
use serde::Serialize;
use storage::{ErrorKind, Meta, ObjectStore, StoreError};
use uuid::Uuid;

use super::{PAGE, contents, tell};
use crate::Services;
use crate::backup::copy::{self, CopyError};
use crate::backup::coverage::kinds;
use crate::error::{Error, Result};
use crate::jobs::JobContext;
use crate::storage_policies::store_for;

/// One of so many segments is read back by a run.
const SHARE: i64 = 30;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Segments whose objects were looked at.
    pub looked: u64,
    /// Segments that were read back and found whole.
    pub verified: u64,
    /// Bytes read for it.
    pub read_bytes: u64,
    /// Segments whose objects had changed and were taken over.
    pub renewed: u64,
    /// Segments whose objects are missing or damaged.
    pub damaged: u64,
    /// Of those found damaged before, the ones that are whole again.
    pub healed: u64,
    /// What was found to be damaged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<String>,
    /// What could not be looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// Looks at every object, and reads some.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away. A store that is away is told in the counts.
pub async fn run(context: &JobContext) -> Result<Counts> {
    let mut scrub = Scrub {
        services: &context.services,
        counts: Counts::default(),
        away: BTreeSet::new(),
    };
    scrub.look(context).await?;
    scrub.read_back(context).await?;
    scrub.heal().await?;
    counter!("longhaul_archive_verify_failures_total").increment(scrub.counts.damaged);
    Ok(scrub.counts)
}

struct Scrub<'a> {
    services: &'a Services,
    counts: Counts,
    /// Storage policies whose stores do not answer: asked no more in this run.
    away: BTreeSet<Uuid>,
}

/// What was found out about a segment.
enum Finding {
    Whole,
    /// It has changed; look what it is now.
    Changed,
    Damaged(String),
    /// Nothing: the store did not answer.
    Away(String),
}

impl From<CopyError> for Finding {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Store(error) => error.into(),
            error if error.is_damage() => Self::Damaged(error.to_string()),
            error => Self::Away(error.to_string()),
        }
    }
}

impl From<StoreError> for Finding {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::Precondition => Self::Changed,
            ErrorKind::Corrupt => Self::Damaged(error.to_string()),
            _ => Self::Away(error.to_string()),
        }
    }
}

impl Scrub<'_> {
    /// The cheap pass: size and tag of every object.
    async fn look(&mut self, context: &JobContext) -> Result<()> {
        let mut after = Uuid::nil();
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        loop {
            let page = segment_care::committed(&self.services.db, after, limit).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.id;
            for segment in &page {
                if self.away.contains(&segment.policy_id) {
                    continue;
                }
                let looked = self.counts.looked;
                context.progress.tell(looked, looked, &segment.object_key).await;
                let store = store_for(self.services, segment.policy_id.into()).await?;
                let finding = match store.head(&segment.object_key).await {
                    Ok(Some(meta)) if is_same(segment, &meta) => Finding::Whole,
                    Ok(_) => Finding::Changed,
                    Err(error) => error.into(),
                };
                self.counts.looked += 1;
                self.act(store.as_ref(), segment, finding).await?;
            }
        }
    }

    /// The deep pass: some objects as a whole.
    async fn read_back(&mut self, context: &JobContext) -> Result<()> {
        let ids = segment_care::longest_unverified(&self.services.db, SHARE).await?;
        let total = ids.len() as u64;
        for (done, id) in ids.into_iter().enumerate() {
            let found = db::segments::find(&self.services.db, id).await?;
            let Some(segment) = found.filter(|one| one.state == SegmentState::Committed) else {
                continue;
            };
            if self.away.contains(&segment.policy_id) {
                continue;
            }
            context
                .progress
                .tell(done as u64, total, &segment.object_key)
                .await;
            let store = store_for(self.services, segment.policy_id.into()).await?;
            let finding = match copy::verify(store.as_ref(), &segment).await {
                Ok(()) => Finding::Whole,
                Err(error) => error.into(),
            };
            if matches!(finding, Finding::Whole) {
                let now = self.services.clock.now();
                segment_care::verified(&self.services.db, segment.id, segment.generation, now).await?;
                self.counts.verified += 1;
                self.counts.read_bytes += u64::try_from(segment.size_bytes).unwrap_or(0);
            }
            self.act(store.as_ref(), &segment, finding).await?;
        }
        Ok(())
    }

    async fn act(&mut self, store: &dyn ObjectStore, segment: &Segment, finding: Finding) -> Result<()> {
        let finding = match finding {
            Finding::Changed => {
                // Meanwhile it may have been rewritten, or superseded and removed.
                let now = db::segments::find(&self.services.db, segment.id).await?;
                let is_as_before = |now: &Segment| {
                    now.state == SegmentState::Committed
                        && now.generation == segment.generation
                        && now.etag == segment.etag
                };
                if !now.as_ref().is_some_and(is_as_before) {
                    return Ok(());
                }
                self.renew(store, segment).await?
            }
            finding => finding,
        };
        match finding {
            Finding::Whole => Ok(()),
            Finding::Damaged(why) => self.quarantine(segment, &why).await,
            Finding::Changed => {
                self.quarantine(segment, "its object is missing in the store")
                    .await
            }
            Finding::Away(why) => {
                self.away.insert(segment.policy_id);
                tell(
                    &mut self.counts.failed,
                    format!("storage policy {}: {why}", segment.policy_id),
                );
                Ok(())
            }
        }
    }

    /// Takes the object that is there for the segment's, when it is the same segment and not older.
    async fn renew(&mut self, store: &dyn ObjectStore, segment: &Segment) -> Result<Finding> {
        let there = match contents::describe(store, segment.policy_id, &segment.object_key).await {
            Ok(there) => there,
            Err(error) => return Ok(error.into()),
        };
        let same_text =
            there.generation != segment.generation || there.content_sha256 == segment.content_sha256;
        let fits = there.id == segment.id
            && there.project_id == segment.project_id
            && (there.kind, &there.topic) == (segment.kind, &segment.topic)
            && (there.row_count, there.ids) == (segment.row_count, segment.ids);
        if !fits || !same_text || there.generation < segment.generation {
            return Ok(Finding::Damaged(
                "its object is not the one that was written".to_owned(),
            ));
        }
        let read = match contents::read(store, &there).await {
            Ok(read) => read,
            Err(error) => return Ok(error.into()),
        };
        let new = Generation {
            number: there.generation,
            etag: there.etag.unwrap_or_default(),
            version_id: there.version_id,
            size_bytes: there.size_bytes,
            raw_bytes: there.raw_bytes,
            object_sha256: read.object_sha256,
            content_sha256: there.content_sha256.unwrap_or_default(),
            block_index: there.block_index.unwrap_or_default(),
            keys: Keys::AsBefore,
        };
        let renewed = objects::swap(&self.services.db, segment, &new, self.services.clock.now()).await?;
        self.services.archive.forget(segment.id);
        self.counts.renewed += u64::from(renewed);
        tracing::info!(segment = %segment.id, generation = new.number, "a changed object was taken over");
        Ok(Finding::Whole)
    }

    async fn quarantine(&mut self, segment: &Segment, why: &str) -> Result<()> {
        let db = &self.services.db;
        let (id, generation) = (segment.id, segment.generation);
        if !db::segment_reads::quarantine(db, id, generation, SegmentState::Committed, why).await? {
            return Ok(());
        }
        self.services.archive.forget(id);
        tracing::error!(segment = %id, key = segment.object_key, why, "a segment is damaged");
        self.counts.damaged += 1;
        tell(
            &mut self.counts.quarantined,
            format!("{}: {why}", segment.object_key),
        );
        if segment_care::is_hot(db, segment.project_id, segment.kind, segment.day).await? {
            let part = Part::ALL
                .into_iter()
                .find(|part| kinds(*part).contains(&segment.kind));
            let day = (segment.project_id, part.unwrap_or(Part::Events), segment.day);
            backups::reopen(db, day, &format!("a segment of the day is damaged: {why}")).await?;
        }
        Ok(())
    }

    /// Segments found damaged before, of which the object was put back.
    async fn heal(&mut self) -> Result<()> {
        for segment in segment_care::damaged(&self.services.db).await? {
            if self.away.contains(&segment.policy_id) {
                continue;
            }
            let store = match store_for(self.services, segment.policy_id.into()).await {
                Ok(store) => store,
                Err(error @ Error::Unavailable { .. }) => return Err(error),
                Err(_) => continue,
            };
            if copy::verify(store.as_ref(), &segment).await.is_ok() {
                let (db, now) = (&self.services.db, self.services.clock.now());
                let healed = segment_care::heal(db, segment.id, segment.generation, now).await?;
                self.counts.healed += u64::from(healed);
            }
        }
        Ok(())
    }
}

fn is_same(segment: &Segment, meta: &Meta) -> bool {
    segment.etag.as_ref() == Some(&meta.etag) && i64::try_from(meta.size) == Ok(segment.size_bytes)
}
