//! Covers one day and part of some projects: read, encode, upload, read back, commit.
//!
//! The rules behind the order of steps: the intent is written before the object; every attempt has a
//! fresh key, so a writer that woke up late spoils only its own file; what counts was read back; one
//! transaction switches; after an unknown outcome the row is looked at before anything else.
//! Whatever breaks off leaves planned or uploaded rows, which the next run abandons and the sweeper
//! removes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use db::backups::Subject;
use db::segments::{self, ClassDigests, Commit, Intent, Segment, Verdict, Written};
use domain::id::{ProjectId, StoragePolicyId};
use domain::lifecycle::Part;
use domain::segment::{Kind, object_key};
use storage::{Body, ObjectStore, PutCondition};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::copy;
use super::coverage::kinds;
use super::encode::{self, Made, Older, Read, Settings};
use crate::Services;
use crate::error::{Error, Result};
use crate::storage_policies;

/// How often rows may change between reading and committing before the run gives up.
const TRIES: u32 = 3;
/// Finished segments that wait for their upload.
const SEGMENTS_AHEAD: usize = 4;
/// Most bytes of text of one segment.
const SEGMENT_BYTES: u64 = 512 << 20;

/// One day and part, and under which lease.
pub(super) struct Cover<'a> {
    /// The use cases.
    pub(super) services: &'a Services,
    /// Name and fence of the lease.
    pub(super) lease: (&'static str, i64),
    /// What of the day.
    pub(super) part: Part,
    /// The day.
    pub(super) day: NaiveDate,
    /// Adds up where time goes.
    pub(super) spent: &'a Spent,
}

/// Where the time of a backup goes, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// Waiting for PostgreSQL.
    pub(super) reading: AtomicU64,
    /// Encoding and compressing.
    pub(super) encoding: AtomicU64,
    /// Waiting for the store to take objects.
    pub(super) uploading: AtomicU64,
    /// Reading objects back.
    pub(super) verifying: AtomicU64,
}

fn note(sum: &AtomicU64, time: Duration) {
    sum.fetch_add(
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
        Ordering::Relaxed,
    );
}

/// What covering a project's day took, and what is covered now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Covered {
    /// Rows in new segments.
    pub(super) rows: u64,
    /// New segments.
    pub(super) segments: u64,
    /// Bytes of new segments.
    pub(super) size_bytes: u64,
    /// Bytes of their text.
    pub(super) raw_bytes: u64,
    /// Rows in all segments of the day.
    pub(super) held_rows: i64,
    /// Bytes of all segments of the day.
    pub(super) held_bytes: i64,
}

/// What was done for one project, or why it could not be, in words for a person.
type Told<T> = std::result::Result<T, Why>;
/// Why a project's day is not covered.
type Why = String;

/// Where segments are written.
struct Place {
    policy: StoragePolicyId,
    store: Arc<dyn ObjectStore>,
}

/// One project on its way through the steps.
struct Passage {
    subject: Subject,
    /// Where it goes; `None` only of those that failed.
    place: Option<Place>,
    /// Segments that count so far.
    old: Vec<Segment>,
    /// Written by this attempt.
    new: Vec<Written>,
    topics: Vec<(Kind, String)>,
    /// What was read, per kind.
    read: Vec<(Kind, ClassDigests)>,
    failed: Option<Why>,
}

impl Cover<'_> {
    /// Covers the day for each of `subjects`; the failure of one is no other's.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while PostgreSQL is away.
    pub(super) async fn run(&self, subjects: Vec<Subject>) -> Result<Vec<(Subject, Told<Covered>)>> {
        let mut outcomes = Vec::with_capacity(subjects.len());
        let mut left = subjects;
        for attempt in 1..=TRIES {
            let mut again = Vec::new();
            for passage in self.attempt(std::mem::take(&mut left)).await? {
                match self.conclude(passage).await? {
                    (subject, Outcome::Changed) if attempt < TRIES => again.push(subject),
                    (subject, Outcome::Changed) => {
                        outcomes.push((subject, Err("rows kept changing while they were read".to_owned())));
                    }
                    (subject, Outcome::Covered(covered)) => outcomes.push((subject, Ok(covered))),
                    (subject, Outcome::Failed(why)) => outcomes.push((subject, Err(why))),
                }
            }
            if again.is_empty() {
                break;
            }
            left = self.with_erasures(again).await?;
        }
        Ok(outcomes)
    }

    /// Subjects with what is known of their erasures now.
    async fn with_erasures(&self, subjects: Vec<Subject>) -> Result<Vec<Subject>> {
        let fresh = db::backups::subjects(&self.services.db).await?;
        let versions: HashMap<ProjectId, i64> = fresh
            .into_iter()
            .map(|one| (one.id, one.erasure_version))
            .collect();
        let renewed = subjects.into_iter().map(|subject| Subject {
            erasure_version: versions
                .get(&subject.id)
                .copied()
                .unwrap_or(subject.erasure_version),
            ..subject
        });
        Ok(renewed.collect())
    }

    /// Reads, encodes and uploads.
    async fn attempt(&self, subjects: Vec<Subject>) -> Result<Vec<Passage>> {
        let mut passages = BTreeMap::new();
        let mut failed = Vec::new();
        for subject in subjects {
            let passage = self.begin(subject).await?;
            if passage.failed.is_some() {
                failed.push(passage);
            } else {
                passages.insert(passage.subject.id, passage);
            }
        }
        for kind in kinds(self.part) {
            if passages.values().any(|passage| passage.failed.is_none()) {
                self.copy_kind(*kind, &mut passages).await?;
            }
        }
        failed.extend(passages.into_values());
        Ok(failed)
    }

    async fn begin(&self, subject: Subject) -> Result<Passage> {
        let mut old = Vec::new();
        for kind in kinds(self.part) {
            old.extend(segments::of_day(&self.services.db, subject.id, *kind, self.day).await?);
        }
        let (place, failed) = match self.place(subject.id).await? {
            Ok(place) => (Some(place), None),
            Err(why) => (None, Some(why)),
        };
        Ok(Passage {
            subject,
            place,
            old,
            new: Vec::new(),
            topics: Vec::new(),
            read: Vec::new(),
            failed,
        })
    }

    /// Where the project's segments are written.
    async fn place(&self, project: ProjectId) -> Result<Told<Place>> {
        let Some(policy) = storage_policies::effective(self.services, project).await? else {
            return Ok(Err("there is no storage policy: set one under Storage".to_owned()));
        };
        let store = match storage_policies::store_for(self.services, policy.id).await {
            Ok(store) => store,
            Err(error @ Error::Unavailable { .. }) => return Err(error),
            Err(error) => return Ok(Err(error.to_string())),
        };
        // Only before the first segment: a bucket that was lost must not be replaced by an empty one.
        if !segments::any_under(&self.services.db, policy.id.0).await?
            && let Err(error) = store.ensure_bucket().await
        {
            return Ok(Err(error.to_string()));
        }
        Ok(Ok(Place {
            policy: policy.id,
            store,
        }))
    }

    /// Exports rows of one kind and uploads segments as they become ready.
    async fn copy_kind(&self, kind: Kind, passages: &mut BTreeMap<ProjectId, Passage>) -> Result<()> {
        let older = self.fetch_older(kind, passages).await?;
        let ids: Vec<ProjectId> = passages
            .values()
            .filter(|one| one.failed.is_none())
            .map(|one| one.subject.id)
            .collect();
        let pieces = db::export::open(&self.services.db, kind, &ids, self.day).await?;
        let (sender, mut made) = mpsc::channel(SEGMENTS_AHEAD);
        let settings = self.settings();
        let encoding =
            tokio::task::spawn_blocking(move || encode::encode(kind, &settings, older, pieces, sender));
        while let Some(segment) = made.recv().await {
            if let Some(passage) = passages.get_mut(&segment.project)
                && passage.failed.is_none()
                && let Err(why) = self.upload(passage, kind, segment).await?
            {
                passage.failed = Some(why);
            }
        }
        match encoding.await.map_err(Error::internal)? {
            Ok(encoded) => {
                note(&self.spent.reading, encoded.reading);
                note(&self.spent.encoding, encoded.encoding);
                note_read(kind, passages, &encoded.read);
            }
            Err(encode::EncodeError::Db(error)) => return Err(error.into()),
            Err(error) => {
                for passage in passages.values_mut() {
                    passage.failed.get_or_insert_with(|| error.to_string());
                }
            }
        }
        Ok(())
    }

    fn settings(&self) -> Settings {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            segment_rows: self.services.options.archive.segment_rows,
            segment_bytes: SEGMENT_BYTES,
            threads: cores,
            spool: copy::spool(),
            clock: Arc::clone(&self.services.clock),
        }
    }

    /// Segments of the day that count already, for merging.
    async fn fetch_older(&self, kind: Kind, passages: &mut BTreeMap<ProjectId, Passage>) -> Result<Older> {
        let mut older = Older::new();
        for passage in passages.values_mut().filter(|passage| passage.failed.is_none()) {
            for segment in passage.old.iter().filter(|segment| segment.kind == kind) {
                let store =
                    storage_policies::store_for(self.services, StoragePolicyId(segment.policy_id)).await?;
                match copy::fetch(store.as_ref(), segment).await {
                    Ok(file) => older
                        .entry((passage.subject.id, segment.topic.clone()))
                        .or_default()
                        .push(file),
                    Err(error) => {
                        passage.failed = Some(format!("an older segment of the day: {error}"));
                        break;
                    }
                }
            }
        }
        Ok(older)
    }

    /// Intent, object, record.
    async fn upload(&self, passage: &mut Passage, kind: Kind, made: Made) -> Result<Told<()>> {
        let Some(place) = &passage.place else {
            return Ok(Ok(()));
        };
        let intent = Intent {
            id: made.archive_id,
            project_id: passage.subject.id,
            policy_id: place.policy.0,
            kind,
            topic: made.topic.clone(),
            day: self.day,
            object_key: object_key(
                &passage.subject.id.to_string(),
                kind,
                &made.topic,
                made.archive_id,
            ),
            lease: self.lease,
        };
        segments::plan(&self.services.db, &intent, self.services.clock.now()).await?;
        let body = Body::File {
            path: made.file.to_path_buf(),
            len: made.summary.size_bytes,
        };
        let began = Instant::now();
        let put = place
            .store
            .put(&intent.object_key, body, PutCondition::IfAbsent)
            .await;
        note(&self.spent.uploading, began.elapsed());
        let stored = match put {
            Ok(stored) => stored,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let written = written(&made, stored);
        segments::uploaded(&self.services.db, &written).await?;
        passage.topics.push((kind, made.topic));
        passage.new.push(written);
        Ok(Ok(()))
    }

    /// Reads back and commits.
    async fn conclude(&self, passage: Passage) -> Result<(Subject, Outcome)> {
        let new: Vec<Uuid> = passage.new.iter().map(|written| written.id).collect();
        let failed = match &passage.failed {
            Some(why) => Some(why.clone()),
            None => self.read_back(&passage, &new).await?,
        };
        if let Some(why) = failed {
            segments::abandon(&self.services.db, &new, &why).await?;
            return Ok((passage.subject, Outcome::Failed(why)));
        }
        let replaced = |old: &&Segment| passage.topics.contains(&(old.kind, old.topic.clone()));
        let old: Vec<Uuid> = passage.old.iter().filter(replaced).map(|old| old.id).collect();
        let commit = Commit {
            project_id: passage.subject.id,
            day: self.day,
            new: &new,
            old: &old,
            lease: self.lease,
            erasure_version: passage.subject.erasure_version,
            read: &passage.read,
        };
        let outcome = match self.commit(&commit).await? {
            Verdict::Committed => Outcome::Covered(self.covered(&passage).await?),
            Verdict::Changed => {
                segments::abandon(&self.services.db, &new, "rows changed while they were read").await?;
                Outcome::Changed
            }
            Verdict::LeaseLost => Outcome::Failed("another process took over the backup".to_owned()),
        };
        Ok((passage.subject, outcome))
    }

    async fn read_back(&self, passage: &Passage, new: &[Uuid]) -> Result<Option<Why>> {
        let Some(place) = &passage.place else {
            return Ok(None);
        };
        for id in new {
            let Some(segment) = segments::find(&self.services.db, *id).await? else {
                return Ok(Some("a new segment is not known any more".to_owned()));
            };
            let began = Instant::now();
            let verified = copy::verify(place.store.as_ref(), &segment).await;
            note(&self.spent.verifying, began.elapsed());
            if let Err(error) = verified {
                return Ok(Some(format!("reading back {}: {error}", segment.object_key)));
            }
        }
        Ok(None)
    }

    /// Commits; when the answer got lost, looks whether it happened.
    async fn commit(&self, commit: &Commit<'_>) -> Result<Verdict> {
        let now: DateTime<Utc> = self.services.clock.now();
        match segments::commit(&self.services.db, commit, now).await {
            Err(error) if error.is_transient() && !commit.new.is_empty() => {
                tracing::warn!(%error, day = %self.day, "the outcome of a commit is unknown; looking");
                if segments::all_committed(&self.services.db, commit.new).await? {
                    return Ok(Verdict::Committed);
                }
                Ok(segments::commit(&self.services.db, commit, now).await?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn covered(&self, passage: &Passage) -> Result<Covered> {
        let mut covered = Covered {
            segments: passage.new.len() as u64,
            ..Covered::default()
        };
        for written in &passage.new {
            covered.rows += u64::try_from(written.row_count).unwrap_or(0);
            covered.size_bytes += u64::try_from(written.size_bytes).unwrap_or(0);
            covered.raw_bytes += u64::try_from(written.raw_bytes).unwrap_or(0);
        }
        for kind in kinds(self.part) {
            for segment in segments::of_day(&self.services.db, passage.subject.id, *kind, self.day).await? {
                covered.held_rows += i64::from(segment.row_count);
                covered.held_bytes += segment.size_bytes;
            }
        }
        Ok(covered)
    }
}

enum Outcome {
    Covered(Covered),
    Changed,
    Failed(Why),
}

/// Projects without a row were read, too: they have none.
fn note_read(kind: Kind, passages: &mut BTreeMap<ProjectId, Passage>, read: &Read) {
    for passage in passages.values_mut() {
        let of_project = read.get(&passage.subject.id).cloned().unwrap_or_default();
        passage.read.push((kind, of_project));
    }
}

fn written(made: &Made, stored: storage::Stored) -> Written {
    let summary = &made.summary;
    let at = |ms| DateTime::from_timestamp_millis(ms).unwrap_or_default();
    let mut filters = vec![("id", made.ids.to_bytes())];
    filters.extend(made.keys.as_ref().map(|keys| ("key", keys.to_bytes())));
    Written {
        id: made.archive_id,
        row_count: i32::try_from(summary.rows).unwrap_or(i32::MAX),
        ids: (summary.first_id, summary.last_id),
        at: (at(summary.first_at), at(summary.last_at)),
        classes: made.classes.clone(),
        etag: stored.etag,
        version_id: stored.version_id,
        size_bytes: i64::try_from(summary.size_bytes).unwrap_or(i64::MAX),
        raw_bytes: i64::try_from(summary.raw_bytes).unwrap_or(i64::MAX),
        object_sha256: summary.object_sha256.to_vec(),
        content_sha256: summary.content_sha256.to_vec(),
        block_index: summary.index.to_bytes(),
        filters,
    }
}
