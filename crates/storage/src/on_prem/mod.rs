//! A folder as an object store.
//!
//! ```text
//! {root}/#store             says that this folder is the store, and not the empty place where a disk was mounted
//! {root}/#locks/{00..3f}    writers of one key hold its lock
//! {root}/a/b/c.json.gz      the object `a/b/c.json.gz`
//! {root}/a/b/#tmp-{uuid}    a write on its way
//! ```
//!
//! A write goes to a temporary file in the same folder, which is flushed, renamed and made durable by
//! flushing the folder. A part of a key that is too long for a file name is cut into several folders, all
//! but the last ending in `#`.
//!
//! The etag is the size of the file and its time of change in nanoseconds. Every write sets that time by
//! hand, under the lock of its key and later than the one before, so it is a generation that no two writes
//! of a key share, whatever the file system rounds to. It needs no second file and no reading of the whole
//! object, and it outlives a copy of the folder that keeps times (`cp -a`, `rsync -a`).

mod names;
mod walk;
mod write;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::storage::OnPremPolicy;
use futures::StreamExt as _;
use futures::stream::try_unfold;

use crate::error::{ErrorKind, StoreError};
use crate::store::{Body, Meta, Object, ObjectStore, Page, PutCondition, Stored, Version};

/// How much of a file is read at once.
const CHUNK: u64 = 256 << 10;
/// The file that makes a folder a store.
const MARKER: &str = "#store";

/// A folder as an object store.
#[derive(Clone, Debug)]
pub struct OnPremStore {
    root: PathBuf,
}

impl OnPremStore {
    /// The store in a folder. Nothing is looked at yet.
    pub fn new(policy: &OnPremPolicy) -> Self {
        Self {
            root: PathBuf::from(policy.path.trim()),
        }
    }

    /// Bytes that are free for the process, and whether the folder can be looked at.
    pub(crate) async fn free_bytes(&self) -> Result<u64, StoreError> {
        self.blocking(|store| {
            let space = rustix::fs::statvfs(&store.root).map_err(|error| store.failed(&error.into()))?;
            Ok(space.f_bavail.saturating_mul(space.f_frsize))
        })
        .await
    }

    /// Does `work` where waiting for a disk holds nobody up.
    async fn blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(done) => done,
            Err(stopped) => Err(StoreError::new(ErrorKind::Unreachable, "the process is ending")
                .with_detail(stopped.to_string())),
        }
    }

    /// What an error of the file system means, and what to change.
    fn failed(&self, error: &io::Error) -> StoreError {
        use io::ErrorKind as Io;
        let root = self.root.display();
        let (kind, say) = match error.kind() {
            Io::NotFound => return self.missing(),
            Io::AlreadyExists => (ErrorKind::Precondition, "the object exists already".to_owned()),
            Io::PermissionDenied | Io::ReadOnlyFilesystem => (
                ErrorKind::NotWritable,
                format!(
                    "{root} cannot be written: give the user of this process (number {}) the right to write there",
                    rustix::process::geteuid().as_raw()
                ),
            ),
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => {
                (ErrorKind::Full, format!("the disk of {root} is full: make room"))
            }
            Io::NotADirectory => (
                ErrorKind::NotWritable,
                format!(
                    "something in the way of {root} is a file and no folder: move it, or choose another path"
                ),
            ),
            Io::StaleNetworkFileHandle
            | Io::TimedOut
            | Io::HostUnreachable
            | Io::NetworkUnreachable
            | Io::NotConnected => (
                ErrorKind::Unreachable,
                format!("the disk of {root} is away: see whether it is mounted"),
            ),
            _ => (
                ErrorKind::Other,
                format!("{root} gave an error: see the log of the machine"),
            ),
        };
        StoreError::new(kind, say).with_detail(error.to_string())
    }

    /// An object is not there, or the whole store is gone.
    fn missing(&self) -> StoreError {
        if self.root.join(MARKER).exists() {
            return StoreError::new(ErrorKind::NotFound, "there is no such object");
        }
        let root = self.root.display();
        if self.root.exists() {
            let say = format!(
                "{root} is not the folder that segments were written to: see whether its disk is mounted"
            );
            StoreError::new(ErrorKind::Unreachable, say)
        } else {
            StoreError::new(
                ErrorKind::NoBucket,
                format!("there is no folder {root}: create it, or check the path"),
            )
        }
    }

    fn open(&self, key: &str, if_match: Option<&str>) -> Result<(File, Meta), StoreError> {
        let path = self.path_of(key)?;
        let file = File::open(path).map_err(|error| self.failed(&error))?;
        let facts = file.metadata().map_err(|error| self.failed(&error))?;
        if !facts.is_file() {
            return Err(self.missing());
        }
        let meta = meta(key, &facts);
        if if_match.is_some_and(|etag| etag != meta.etag) {
            return Err(StoreError::new(
                ErrorKind::Precondition,
                "the object is not in the expected state any more",
            ));
        }
        Ok((file, meta))
    }

    fn make(&self) -> Result<bool, StoreError> {
        let made = !self.root.is_dir();
        self.make_folders(&self.root)?;
        let marker = self.root.join(MARKER);
        if !marker.exists() {
            let written = File::create(&marker).and_then(|file| {
                write_note(&file)?;
                file.sync_all()
            });
            written
                .and_then(|()| sync_folder(&self.root))
                .map_err(|error| self.failed(&error))?;
        }
        Ok(made)
    }
}

/// For somebody who finds the file.
fn write_note(mut file: &File) -> io::Result<()> {
    use io::Write as _;
    file.write_all(b"Longhaul keeps archive segments in this folder. Keep this file beside them.\n")
}

/// Names of files are durable only when their folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn etag(facts: &fs::Metadata) -> String {
    let generation = i128::from(facts.mtime()) * 1_000_000_000 + i128::from(facts.mtime_nsec());
    format!("{:x}-{generation:x}", facts.len())
}

fn meta(key: &str, facts: &fs::Metadata) -> Meta {
    Meta {
        key: key.to_owned(),
        size: facts.len(),
        etag: etag(facts),
        version_id: None,
        modified: DateTime::from_timestamp(facts.mtime(), facts.mtime_nsec() as u32).unwrap_or_default(),
    }
}

fn read_at(file: &File, at: u64, len: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes.into())
}

fn shortened(error: &io::Error) -> StoreError {
    StoreError::new(
        ErrorKind::Corrupt,
        "the object is shorter than it was when it was written, or its disk cannot read it",
    )
    .with_detail(error.to_string())
}

#[async_trait]
impl ObjectStore for OnPremStore {
    async fn put(&self, key: &str, body: Body, condition: PutCondition) -> Result<Stored, StoreError> {
        let key = key.to_owned();
        self.blocking(move |store| store.write(&key, &body, &condition))
            .await
    }

    async fn get(&self, key: &str, if_match: Option<&str>) -> Result<Object, StoreError> {
        let (key, if_match) = (key.to_owned(), if_match.map(str::to_owned));
        let (file, meta) = self
            .blocking(move |store| store.open(&key, if_match.as_deref()))
            .await?;
        let size = meta.size;
        let store = self.clone();
        let body = try_unfold((store, file, 0), move |(store, file, at)| async move {
            if at == size {
                return Ok(None);
            }
            let len = CHUNK.min(size - at);
            let (part, file) = store
                .blocking(move |_| {
                    let part = read_at(&file, at, len).map_err(|error| shortened(&error))?;
                    Ok((part, file))
                })
                .await?;
            Ok(Some((part, (store, file, at + len))))
        });
        Ok(Object {
            meta,
            body: body.boxed(),
        })
    }

    async fn get_range(
        &self,
        key: &str,
        range: Range<u64>,
        if_match: Option<&str>,
    ) -> Result<Bytes, StoreError> {
        let (key, if_match) = (key.to_owned(), if_match.map(str::to_owned));
        self.blocking(move |store| {
            let (file, meta) = store.open(&key, if_match.as_deref())?;
            if range.is_empty() {
                return Ok(Bytes::new());
            }
            if range.end > meta.size {
                return Err(shortened(&io::ErrorKind::UnexpectedEof.into()));
            }
            read_at(&file, range.start, range.end - range.start).map_err(|error| shortened(&error))
        })
        .await
    }

    async fn head(&self, key: &str) -> Result<Option<Meta>, StoreError> {
        let key = key.to_owned();
        let found = self
            .blocking(move |store| store.open(&key, None).map(|(_, meta)| meta))
            .await;
        match found {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.blocking(move |store| store.walk(&prefix, after.as_deref(), limit))
            .await
    }

    async fn versions(&self, key: &str) -> Result<Vec<Version>, StoreError> {
        let version = self.head(key).await?.map(|meta| Version {
            version_id: None,
            is_latest: true,
            is_deletion: false,
            size: meta.size,
            modified: meta.modified,
        });
        Ok(version.into_iter().collect())
    }

    async fn delete(&self, key: &str, _version: Option<&str>) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.blocking(move |store| store.remove(&key)).await
    }

    async fn ensure_bucket(&self) -> Result<bool, StoreError> {
        self.blocking(Self::make).await
    }

    async fn clear_unfinished(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let since = Duration::from_millis(u64::try_from(before.timestamp_millis()).unwrap_or(0));
        let before = SystemTime::UNIX_EPOCH + since;
        self.blocking(move |store| store.remove_temporaries(before)).await
    }
}
