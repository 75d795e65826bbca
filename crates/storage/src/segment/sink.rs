//! The object on its way out: members one after the other, with the hash and the index that they give.

use std::io::Write;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::SegmentError;
use super::footer::{Footer, Identity};
use super::index::{BlockIndex, Entry};

/// What the caller keeps about an object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many rows it has.
    pub rows: u32,
    /// Id of the first row.
    pub first_id: Uuid,
    /// Id of the last row.
    pub last_id: Uuid,
    /// accepted_at of the oldest row, in milliseconds since 1970.
    pub first_at: i64,
    /// accepted_at of the newest row.
    pub last_at: i64,
    /// Bytes of the text.
    pub raw_bytes: u64,
    /// Bytes of the object.
    pub size_bytes: u64,
    /// SHA-256 of the object.
    pub object_sha256: [u8; 32],
    /// SHA-256 of the text.
    pub content_sha256: [u8; 32],
    /// Its blocks.
    pub index: BlockIndex,
}

/// What a block holds, besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockFacts {
    pub(super) raw_length: u32,
    pub(super) rows: u32,
    pub(super) first: Uuid,
    pub(super) last: Uuid,
}

/// What the footer says beyond the blocks.
pub(super) struct Closing {
    pub(super) identity: Identity,
    pub(super) generation: u32,
    pub(super) first_at: i64,
    pub(super) last_at: i64,
    pub(super) content_sha256: [u8; 32],
}

/// Writes the members of one object.
pub(super) struct Sink<W> {
    out: W,
    hash: Sha256,
    entries: Vec<Entry>,
    offset: u64,
}

impl<W: Write> Sink<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            hash: Sha256::new(),
            entries: Vec::new(),
            offset: 0,
        }
    }

    /// Whether no block was written yet, so that the next one opens the array.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes the next block.
    pub(super) fn block(&mut self, member: &[u8], facts: BlockFacts) -> Result<(), SegmentError> {
        let BlockFacts {
            raw_length,
            rows,
            first,
            last,
        } = facts;
        self.entries.push(Entry {
            offset: self.offset,
            // A block's text is far below 4 GiB, and deflate makes it hardly longer.
            length: member.len() as u32,
            raw_length,
            rows,
            first,
            last,
            crc32: libdeflater::crc32(member),
        });
        self.write(member)
    }

    /// Writes footer and pointer.
    pub(super) fn finish(mut self, closing: Closing) -> Result<Summary, SegmentError> {
        if self.entries.is_empty() {
            return Err(SegmentError::Empty);
        }
        let index = BlockIndex::new(std::mem::take(&mut self.entries))?;
        let Closing {
            identity,
            generation,
            first_at,
            last_at,
            content_sha256,
        } = closing;
        let footer = Footer {
            identity,
            generation,
            first_at,
            last_at,
            content_sha256,
            index,
        };
        self.write(&footer.to_bytes())?;
        self.out.flush()?;
        let index = footer.index;
        Ok(Summary {
            rows: index.rows(),
            first_id: index.first_id(),
            last_id: index.last_id(),
            first_at,
            last_at,
            raw_bytes: index.raw_bytes(),
            size_bytes: self.offset,
            object_sha256: self.hash.finalize().into(),
            content_sha256,
            index,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SegmentError> {
        self.hash.update(bytes);
        self.out.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}
