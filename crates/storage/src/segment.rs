//! Segments: many rows as one gzip file that any tool reads, of which single rows can be fetched.
//!
//! A segment holds rows of one tenant, one kind, one topic and one day, in the order of their ids. It
//! is a gzip file of several members; `gunzip` makes one JSON array of them:
//!
//! ```text
//! block 1   "[" and up to 1000 rows joined by ","       at most 1 MiB of text, unless one row is larger
//! block k   "," and the next rows
//! footer    "]"; extra field: "LI" the index of blocks, "LF" what the segment is
//! pointer   no text, always 38 bytes; extra field: "LP" offset (u64) and length (u32) of the footer
//! ```
//!
//! Two ranged reads (pointer, footer) tell everything about an object, and one more fetches any row.
//! Numbers are little-endian, ids stand in their network order.
//!
//! "LI" is one entry of 56 bytes per block:
//!
//! | bytes | is |
//! |---|---|
//! | 8 | offset in the object |
//! | 4 | length in the object |
//! | 4 | length of the text |
//! | 4 | rows |
//! | 16 + 16 | first and last id |
//! | 4 | CRC-32 of the bytes in the object |
//!
//! "LF" is:
//!
//! | bytes | is |
//! |---|---|
//! | 1 | version of the format, 1 |
//! | 1 | kind |
//! | 4 | generation: 1 at first, one more with every rewrite |
//! | 16 | archive id |
//! | 4 | rows |
//! | 8 + 8 | accepted_at of the oldest and the newest row, milliseconds |
//! | 32 | SHA-256 of the text |
//! | 2 + n | tenant |
//! | 2 + n | topic |
//! | 4 | CRC-32 of "LI" and of "LF" up to here |
//!
//! Every row is a JSON object whose first key is `uid`, its id: `{"uid":"…",…}`. The text behind it is
//! kept byte for byte.
//!
//! Every byte of an object is covered by a CRC-32 or can have one value only, so damage is told apart
//! from content wherever it is. Nothing here does network IO or trusts what it reads.
//!
//! - [`SegmentWriter`] makes an object, [`splice`] a new generation of one.
//! - [`read_pointer`], [`read_footer`], [`decode_block`] read parts, [`ObjectReader`] a whole one.
//! - [`ForeignRows`] reads rows that somebody else wrote.
//! - [`Bloom`] says of a segment which keys it cannot hold.

mod block;
mod error;
mod filter;
mod footer;
mod foreign;
mod index;
mod pool;
mod reader;
mod sink;
mod splice;
mod writer;

#[cfg(test)]
mod tests;

pub use block::{Block, Row, decode_block};
pub use error::SegmentError;
pub use filter::{Bloom, BloomBuilder};
pub use footer::{Footer, Identity, POINTER_BYTES, read_footer, read_pointer};
pub use foreign::{ForeignLimits, ForeignRows};
pub use index::{BlockIndex, Entry};
pub use reader::{ObjectReader, Whole, read_object};
pub use sink::Summary;
pub use splice::{Replacement, Spliced, splice};
pub use writer::{SegmentWriter, WriterOptions};

/// Version of the format.
pub const VERSION: u8 = 1;
/// Most rows of one block.
pub const BLOCK_ROWS: u32 = 1000;
/// Most bytes of text of one block that holds more than one row.
pub const BLOCK_BYTES: usize = 1 << 20;
/// Most blocks of one segment: what the extra field of the footer has room for.
pub const MAX_BLOCKS: usize = 1100;
/// Longest row in bytes.
pub const MAX_ROW_BYTES: usize = 64 << 20;
/// Most bytes of text of one block, also after a rewrite made rows longer. Nothing larger is inflated.
pub const MAX_BLOCK_BYTES: usize = 128 << 20;
/// Longest tenant and longest topic in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

const _: () = {
    // Both subfields of the footer with their heads.
    let index = 4 + MAX_BLOCKS * index::ENTRY_BYTES;
    let facts = 4 + footer::FIXED_BYTES + 2 * MAX_NAME_BYTES;
    assert!(
        index + facts <= u16::MAX as usize,
        "the footer fits into a gzip extra field"
    );
};
