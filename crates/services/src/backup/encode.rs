//! From exported rows to finished segments: the part of a backup that costs CPU.
//!
//! Runs on a thread of its own, between two bounded channels: pieces of `COPY` come in, segments in
//! temporary files go out. Rows of older segments of the same day are merged in by id; a row that
//! PostgreSQL still has wins over its copy.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{BufWriter, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use db::DbError;
use db::export::{Decoder, ExportRow, Fault};
use db::segments::ClassDigests;
use domain::clock::Clock;
use domain::id::ProjectId;
use domain::segment::Kind;
use storage::segment::{
    Bloom, BloomBuilder, Identity, ObjectReader, SegmentError, SegmentWriter, Summary, WriterOptions,
};
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::copy::Fetched;
use crate::archive::rows;

/// Why a day could not be encoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    /// PostgreSQL broke off.
    #[error(transparent)]
    Db(#[from] DbError),
    /// PostgreSQL sent something else.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The disk for temporary files, or an older segment.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The disk for temporary files.
    #[error("temporary files: {0}")]
    Spool(#[from] std::io::Error),
    /// The rows end in the middle.
    #[error("PostgreSQL stopped sending rows before the end")]
    CutOff,
    /// Nobody takes the segments any more.
    #[error("the backup was stopped")]
    Stopped,
}

/// How segments are made.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Most rows of one segment.
    pub(super) segment_rows: u32,
    /// Most bytes of text of one segment, so that its temporary file stays small.
    pub(super) segment_bytes: u64,
    /// Threads that compress.
    pub(super) threads: usize,
    /// Folder of temporary files.
    pub(super) spool: PathBuf,
    /// Stamps archive ids.
    pub(super) clock: Arc<dyn Clock>,
}

/// A finished segment in a temporary file, which goes when this is dropped.
#[derive(Debug)]
pub(super) struct Made {
    /// The archive id, also in the object's footer.
    pub(super) archive_id: Uuid,
    /// Its project.
    pub(super) project: ProjectId,
    /// Its topic.
    pub(super) topic: String,
    /// Rows of PostgreSQL in it, per keep class.
    pub(super) classes: ClassDigests,
    /// What the writer knows.
    pub(super) summary: Summary,
    /// Filter of ids.
    pub(super) ids: Bloom,
    /// Filter of idempotency keys, when there are any.
    pub(super) keys: Option<Bloom>,
    /// Where it lies.
    pub(super) file: TempPath,
}

/// Older segments of each group, in the order of their ids.
pub(super) type Older = HashMap<(ProjectId, String), Vec<Fetched>>;

/// What was read, per project.
pub(super) type Read = BTreeMap<ProjectId, ClassDigests>;

/// What came of it all.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// What was read.
    pub(super) read: Read,
    /// How long the thread waited for PostgreSQL.
    pub(super) reading: Duration,
    /// How long it worked.
    pub(super) encoding: Duration,
}

/// Encodes everything that comes out of `pieces`. Blocks; call it on a thread for blocking work.
///
/// # Errors
/// [`EncodeError`]: nothing that was made counts then.
pub(super) fn encode(
    kind: Kind,
    settings: &Settings,
    older: Older,
    mut pieces: mpsc::Receiver<Result<Bytes, DbError>>,
    made: mpsc::Sender<Made>,
) -> Result<Encoded, EncodeError> {
    let began = Instant::now();
    let mut waited = Duration::ZERO;
    let mut encoder = Encoder {
        kind,
        settings,
        older,
        made,
        group: None,
        read: Read::new(),
        json: Vec::with_capacity(4096),
        handing_over: Duration::ZERO,
    };
    let mut decoder = Decoder::default();
    loop {
        let asked = Instant::now();
        let piece = pieces.blocking_recv();
        waited += asked.elapsed();
        let Some(piece) = piece else {
            break;
        };
        decoder.push(&piece?);
        while let Some(fields) = decoder.next_row()? {
            encoder.json.clear();
            match kind {
                Kind::Events => {
                    let event = fields.event()?;
                    rows::write_event(&event, &mut encoder.json);
                    encoder.take(event.row, event.event_type, event.idempotency_key)?;
                }
                Kind::Deliveries => {
                    let delivery = fields.delivery()?;
                    rows::write_delivery(&delivery, &mut encoder.json);
                    encoder.take(delivery.row, "", None)?;
                }
                Kind::Attempts => {
                    let attempt = fields.attempt()?;
                    rows::write_attempt(&attempt, &mut encoder.json);
                    encoder.take(attempt.row, "", None)?;
                }
            }
        }
    }
    if !decoder.is_complete() {
        return Err(EncodeError::CutOff);
    }
    encoder.close_group()?;
    Ok(Encoded {
        read: encoder.read,
        reading: waited,
        encoding: began.elapsed().saturating_sub(waited + encoder.handing_over),
    })
}

struct Encoder<'a> {
    kind: Kind,
    settings: &'a Settings,
    older: Older,
    made: mpsc::Sender<Made>,
    group: Option<Group>,
    read: Read,
    /// The row at hand.
    json: Vec<u8>,
    /// How long finished segments waited for those before them to be uploaded.
    handing_over: Duration,
}

/// Rows of one project and topic.
struct Group {
    project: ProjectId,
    topic: String,
    older: OlderRows,
    open: Option<Open>,
}

/// The segment that is being written.
struct Open {
    archive_id: Uuid,
    writer: SegmentWriter<BufWriter<File>>,
    path: TempPath,
    bytes: u64,
    classes: ClassDigests,
    ids: BloomBuilder,
    keys: Option<BloomBuilder>,
}

impl Encoder<'_> {
    /// Adds the row whose JSON is at hand.
    fn take(&mut self, row: ExportRow, topic: &str, key: Option<&str>) -> Result<(), EncodeError> {
        let project = ProjectId(row.project);
        let topic = self.kind.own_topic().unwrap_or(topic);
        let same = self
            .group
            .as_ref()
            .is_some_and(|group| group.project == project && group.topic == topic);
        if !same {
            self.close_group()?;
            let older = self
                .older
                .remove(&(project, topic.to_owned()))
                .unwrap_or_default();
            self.group = Some(Group {
                project,
                topic: topic.to_owned(),
                older: OlderRows::new(older),
                open: None,
            });
        }
        self.merge_older(Some(row.id))?;
        self.read
            .entry(project)
            .or_default()
            .entry(row.keep_days)
            .or_default()
            .add(row.hash);
        let json = std::mem::take(&mut self.json);
        self.push(row.id, &json, key, Some((row.keep_days, row.hash)))?;
        self.json = json;
        Ok(())
    }

    /// Adds rows of older segments that come before `before` (all of them without), and skips the
    /// one with that id.
    fn merge_older(&mut self, before: Option<Uuid>) -> Result<(), EncodeError> {
        while let Some(group) = self.group.as_mut() {
            let Some((id, json)) = group.older.next_before(before)? else {
                break;
            };
            if Some(id) != before {
                let key = idempotency_key(self.kind, &json);
                self.push(id, json.as_bytes(), key.as_deref(), None)?;
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        id: Uuid,
        json: &[u8],
        key: Option<&str>,
        hot: Option<(i16, i64)>,
    ) -> Result<(), EncodeError> {
        let full = self
            .group
            .as_ref()
            .and_then(|group| group.open.as_ref())
            .is_some_and(|open| {
                open.writer.is_full() || open.bytes + json.len() as u64 > self.settings.segment_bytes
            });
        if full {
            self.close_segment()?;
        }
        if let Err(SegmentError::Full) = self.try_push(id, json, key, hot)? {
            self.close_segment()?;
            self.try_push(id, json, key, hot)??;
        }
        Ok(())
    }

    /// The inner error is [`SegmentError::Full`] when the row belongs into the next segment.
    fn try_push(
        &mut self,
        id: Uuid,
        json: &[u8],
        key: Option<&str>,
        hot: Option<(i16, i64)>,
    ) -> Result<Result<(), SegmentError>, EncodeError> {
        let Some(group) = self.group.as_mut() else {
            return Ok(Ok(()));
        };
        if group.open.is_none() {
            group.open = Some(Open::new(self.kind, self.settings, group.project, &group.topic)?);
        }
        let Some(open) = group.open.as_mut() else {
            return Ok(Ok(()));
        };
        let at = domain::id::instant_of(id).unwrap_or_default().timestamp_millis();
        match open.writer.push(id, at, json) {
            Err(SegmentError::Full) => return Ok(Err(SegmentError::Full)),
            pushed => pushed?,
        }
        open.bytes += json.len() as u64;
        open.ids.add_id(id);
        if let Some(key) = key {
            open.keys.get_or_insert_default().add_text(key);
        }
        if let Some((keep_days, hash)) = hot {
            open.classes.entry(keep_days).or_default().add(hash);
        }
        Ok(Ok(()))
    }

    fn close_group(&mut self) -> Result<(), EncodeError> {
        self.merge_older(None)?;
        self.close_segment()?;
        self.group = None;
        Ok(())
    }

    fn close_segment(&mut self) -> Result<(), EncodeError> {
        let Some(group) = self.group.as_mut() else {
            return Ok(());
        };
        let Some(open) = group.open.take() else {
            return Ok(());
        };
        let summary = open.writer.finish()?;
        let made = Made {
            archive_id: open.archive_id,
            project: group.project,
            topic: group.topic.clone(),
            classes: open.classes,
            summary,
            ids: open.ids.build(),
            keys: open.keys.map(BloomBuilder::build),
            file: open.path,
        };
        let finished = Instant::now();
        let sent = self.made.blocking_send(made).map_err(|_| EncodeError::Stopped);
        self.handing_over += finished.elapsed();
        sent
    }
}

impl Open {
    fn new(kind: Kind, settings: &Settings, project: ProjectId, topic: &str) -> Result<Self, EncodeError> {
        std::fs::create_dir_all(&settings.spool)?;
        let file = NamedTempFile::with_prefix_in("segment-", &settings.spool)?;
        let (file, path) = file.into_parts();
        let archive_id = domain::id::uuid_at(settings.clock.now());
        let identity = Identity {
            archive_id,
            kind,
            tenant: project.to_string(),
            topic: topic.to_owned(),
        };
        let options = WriterOptions {
            threads: settings.threads,
            max_rows: settings.segment_rows,
        };
        Ok(Self {
            archive_id,
            writer: SegmentWriter::new(BufWriter::with_capacity(1 << 18, file), identity, options)?,
            path,
            bytes: 0,
            classes: ClassDigests::new(),
            ids: BloomBuilder::default(),
            keys: None,
        })
    }
}

/// The idempotency key of an older event, for the filter.
fn idempotency_key(kind: Kind, json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Key {
        idempotency_key: Option<String>,
    }
    (kind == Kind::Events)
        .then(|| serde_json::from_str::<Key>(json).ok())
        .flatten()
        .and_then(|key| key.idempotency_key)
}

/// Rows of older segments, one after the other.
struct OlderRows {
    segments: std::vec::IntoIter<Fetched>,
    open: Option<(ObjectReader, File)>,
    rows: VecDeque<(Uuid, String)>,
}

impl OlderRows {
    fn new(segments: Vec<Fetched>) -> Self {
        Self {
            segments: segments.into_iter(),
            open: None,
            rows: VecDeque::new(),
        }
    }

    /// The next row with an id of at most `before`.
    fn next_before(&mut self, before: Option<Uuid>) -> Result<Option<(Uuid, String)>, EncodeError> {
        while self.rows.is_empty() {
            if !self.read_block()? {
                return Ok(None);
            }
        }
        let due = self
            .rows
            .front()
            .is_some_and(|(id, _)| before.is_none_or(|before| *id <= before));
        Ok(if due { self.rows.pop_front() } else { None })
    }

    /// Reads the next block; `false` when there is none.
    fn read_block(&mut self) -> Result<bool, EncodeError> {
        let mut piece = vec![0; 256 << 10];
        loop {
            let Some((reader, file)) = self.open.as_mut() else {
                let Some(segment) = self.segments.next() else {
                    return Ok(false);
                };
                // The open file stays readable when its name goes.
                self.open = Some((ObjectReader::new(segment.footer), File::open(&segment.file)?));
                continue;
            };
            if let Some(block) = reader.next_block()? {
                self.rows
                    .extend(block.rows().map(|row| (row.id, row.json.to_owned())));
                return Ok(true);
            }
            let length = file.read(&mut piece)?;
            if length > 0 {
                reader.push(&piece[..length])?;
            } else if let Some((reader, _)) = self.open.take() {
                reader.finish()?;
            }
        }
    }
}
