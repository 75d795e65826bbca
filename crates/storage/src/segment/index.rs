//! The index of blocks: where each lies and which ids it holds.

use std::ops::Range;

use uuid::Uuid;

use super::error::SegmentError;
use super::{MAX_BLOCK_BYTES, MAX_BLOCKS};

/// Bytes of one entry in the footer and in the database.
pub(super) const ENTRY_BYTES: usize = 56;

/// One block of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it begins in the object.
    pub offset: u64,
    /// Its bytes in the object.
    pub length: u32,
    /// Bytes of its text.
    pub raw_length: u32,
    /// Its rows.
    pub rows: u32,
    /// Id of its first row.
    pub first: Uuid,
    /// Id of its last row.
    pub last: Uuid,
    /// CRC-32 of its bytes in the object.
    pub crc32: u32,
}

impl Entry {
    /// Its place in the object.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + u64::from(self.length)
    }

    /// What its text begins with.
    pub(super) fn opening(&self) -> u8 {
        if self.offset == 0 { b'[' } else { b',' }
    }

    fn push_to(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        for number in [self.length, self.raw_length, self.rows] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(self.first.as_bytes());
        bytes.extend_from_slice(self.last.as_bytes());
        bytes.extend_from_slice(&self.crc32.to_le_bytes());
    }

    fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        Self {
            offset: u64::from_le_bytes(array(bytes, 0)),
            length: u32::from_le_bytes(array(bytes, 8)),
            raw_length: u32::from_le_bytes(array(bytes, 12)),
            rows: u32::from_le_bytes(array(bytes, 16)),
            first: Uuid::from_bytes(array(bytes, 20)),
            last: Uuid::from_bytes(array(bytes, 36)),
            crc32: u32::from_le_bytes(array(bytes, 52)),
        }
    }

    /// Whether an entry can be what it says.
    pub(super) fn is_sound(&self) -> bool {
        let ordered = if self.rows == 1 {
            self.first == self.last
        } else {
            self.first < self.last
        };
        // An opening character and `{"uid":"…"}` per row.
        let least = u64::from(self.rows) * 47;
        let raw = u64::from(self.raw_length);
        self.rows > 0 && ordered && self.length > 0 && raw >= least && raw <= MAX_BLOCK_BYTES as u64
    }
}

/// `N` bytes of `bytes` from `at`; callers know that they are there.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

/// All blocks of a segment, in order. There is at least one.
///
/// An index is sound by construction: blocks lie side by side from the object's first byte on, and ids
/// rise from block to block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockIndex(Vec<Entry>);

impl BlockIndex {
    /// Checks that `entries` can be the blocks of one segment.
    pub(super) fn new(entries: Vec<Entry>) -> Result<Self, SegmentError> {
        let damaged = Err(SegmentError::Damaged("the index of blocks contradicts itself"));
        if entries.is_empty() || entries.len() > MAX_BLOCKS {
            return damaged;
        }
        let (mut end, mut rows, mut previous) = (0_u64, 0_u64, None);
        for entry in &entries {
            if !entry.is_sound() || entry.offset != end || previous >= Some(entry.first) {
                return damaged;
            }
            // At most 1100 blocks of 4 GiB: no sum overflows.
            end += u64::from(entry.length);
            rows += u64::from(entry.rows);
            previous = Some(entry.last);
        }
        if u32::try_from(rows).is_err() {
            damaged
        } else {
            Ok(Self(entries))
        }
    }

    /// Reads what [`Self::to_bytes`] made.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SegmentError> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Err(SegmentError::Damaged("the index of blocks is cut off"));
        }
        Self::new(entries.iter().map(Entry::from_bytes).collect())
    }

    /// As it stands in the footer and in the database: 56 bytes per block.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * ENTRY_BYTES);
        for entry in &self.0 {
            entry.push_to(&mut bytes);
        }
        bytes
    }

    /// Every block, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Rows of all blocks.
    pub fn rows(&self) -> u32 {
        self.0.iter().map(|entry| entry.rows).sum()
    }

    /// Bytes of the whole text, with the closing bracket that stands in the footer.
    pub fn raw_bytes(&self) -> u64 {
        self.0
            .iter()
            .map(|entry| u64::from(entry.raw_length))
            .sum::<u64>()
            + 1
    }

    /// Id of the first row.
    pub fn first_id(&self) -> Uuid {
        self.0.first().map_or(Uuid::nil(), |entry| entry.first)
    }

    /// Id of the last row.
    pub fn last_id(&self) -> Uuid {
        self.0.last().map_or(Uuid::nil(), |entry| entry.last)
    }

    /// Where the blocks end and the footer begins.
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |entry| entry.range().end)
    }

    /// The block that holds `id`, if the segment does.
    pub fn find(&self, id: Uuid) -> Option<usize> {
        let at = self.0.partition_point(|entry| entry.last < id);
        self.0.get(at).filter(|entry| entry.first <= id).map(|_| at)
    }

    /// The blocks that may hold ids from `first` to `last`, both included.
    pub fn find_range(&self, first: Uuid, last: Uuid) -> Range<usize> {
        let from = self.0.partition_point(|entry| entry.last < first);
        let to = self.0.partition_point(|entry| entry.first <= last);
        from..to.max(from)
    }

    /// Where `blocks` lie in the object: they can be fetched with one ranged read.
    pub fn bytes_of(&self, blocks: Range<usize>) -> Range<u64> {
        let entries = self.0.get(blocks).unwrap_or_default();
        match (entries.first(), entries.last()) {
            (Some(first), Some(last)) => first.offset..last.range().end,
            _ => 0..0,
        }
    }
}
