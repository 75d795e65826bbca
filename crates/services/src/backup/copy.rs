//! Objects on the way between a store and this machine: fetched into temporary files, and read back
//! to see that they hold what was written.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use bytes::Bytes;
use db::segments::Segment;
use futures::StreamExt as _;
use storage::segment::{BlockIndex, Footer, Identity, ObjectReader, SegmentError};
use storage::{ObjectStore, StoreError};
use tempfile::{NamedTempFile, TempPath};
use tokio::sync::mpsc;

/// Pieces of an object that wait to be looked at.
const PIECES: usize = 4;

/// Why an object could not be had as it was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk for temporary files.
    #[error("temporary files: {0}")]
    Spool(#[from] std::io::Error),
    /// The object is not what was written.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The object is not what was written, as a whole.
    #[error("{0} differs from what was written")]
    Differs(&'static str),
}

impl CopyError {
    /// Whether the object itself is bad, not the way to it.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Segment(SegmentError::Io(_)) | Self::Store(_) | Self::Spool(_) => false,
            Self::Segment(_) | Self::Differs(_) => true,
        }
    }
}

/// A segment's object in a temporary file, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// What it has to be.
    pub(crate) footer: Footer,
    /// Where it lies.
    pub(crate) file: TempPath,
}

/// Folder of temporary files.
pub(crate) fn spool() -> PathBuf {
    std::env::temp_dir().join("longhaul-spool")
}

/// What the object of `segment` has to end with, by the index.
///
/// # Errors
/// [`CopyError::Differs`] when the segment was never written.
pub(crate) fn footer_of(segment: &Segment) -> Result<Footer, CopyError> {
    let missing = CopyError::Differs("a segment without an index");
    let (Some(index), Some(content), Some(at)) = (&segment.block_index, &segment.content_sha256, segment.at)
    else {
        return Err(missing);
    };
    Ok(Footer {
        identity: Identity {
            archive_id: segment.id,
            kind: segment.kind,
            tenant: segment.project_id.to_string(),
            topic: segment.topic.clone(),
        },
        generation: u32::try_from(segment.generation).unwrap_or(0),
        first_at: at.0.timestamp_millis(),
        last_at: at.1.timestamp_millis(),
        content_sha256: content.as_slice().try_into().map_err(|_| missing)?,
        index: BlockIndex::from_bytes(index)?,
    })
}

/// Fetches a segment's object into a temporary file.
///
/// # Errors
/// [`CopyError`]. What is in the file is checked by whoever reads it.
pub(crate) async fn fetch(store: &dyn ObjectStore, segment: &Segment) -> Result<Fetched, CopyError> {
    let footer = footer_of(segment)?;
    let (file, path) = tokio::task::spawn_blocking(|| {
        std::fs::create_dir_all(spool())?;
        NamedTempFile::with_prefix_in("fetched-", spool()).map(NamedTempFile::into_parts)
    })
    .await
    .map_err(std::io::Error::other)??;
    on_thread(store, segment, move |mut pieces| write_all(file, &mut pieces)).await?;
    Ok(Fetched { footer, file: path })
}

fn write_all(mut file: File, pieces: &mut mpsc::Receiver<Bytes>) -> Result<(), CopyError> {
    while let Some(piece) = pieces.blocking_recv() {
        file.write_all(&piece)?;
    }
    Ok(())
}

/// Reads a segment's object from the store and compares everything with what was written: size,
/// hashes, every block and row, index and identity.
///
/// # Errors
/// [`CopyError`]; [`CopyError::is_damage`] when the object is not what it has to be.
pub(crate) async fn verify(store: &dyn ObjectStore, segment: &Segment) -> Result<(), CopyError> {
    let mut reader = ObjectReader::new(footer_of(segment)?);
    let object_sha256 = segment.object_sha256.clone().unwrap_or_default();
    on_thread(store, segment, move |mut pieces| {
        while let Some(piece) = pieces.blocking_recv() {
            reader.push(&piece)?;
            while reader.next_block()?.is_some() {}
        }
        let whole = reader.finish()?;
        if whole.object_sha256[..] != object_sha256[..] {
            return Err(CopyError::Differs("the SHA-256 of the object"));
        }
        Ok(())
    })
    .await
}

/// Reads the object and gives its pieces to `work` on a thread for blocking work.
async fn on_thread(
    store: &dyn ObjectStore,
    segment: &Segment,
    work: impl FnOnce(mpsc::Receiver<Bytes>) -> Result<(), CopyError> + Send + 'static,
) -> Result<(), CopyError> {
    let mut object = store.get(&segment.object_key, segment.etag.as_deref()).await?;
    let (pieces, receiver) = mpsc::channel(PIECES);
    let working = tokio::task::spawn_blocking(move || work(receiver));
    let mut broken = None;
    while let Some(piece) = object.body.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        if pieces.send(piece).await.is_err() {
            // The thread has ended with an error of its own, told below.
            break;
        }
    }
    drop(pieces);
    let worked = working.await.map_err(std::io::Error::other)?;
    match broken {
        Some(error) => Err(error.into()),
        None => worked,
    }
}
