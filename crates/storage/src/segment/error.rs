//! What can be wrong with a segment, its rows, or what takes them.

use thiserror::Error;
use uuid::Uuid;

/// Why a segment could not be written or read.
#[derive(Debug, Error)]
pub enum SegmentError {
    /// The other side of a read or write failed.
    #[error("reading or writing failed: {0}")]
    Io(#[from] std::io::Error),
    /// A row whose id is not larger than that of the row before.
    #[error("row {id} comes after row {previous}, but ids must rise")]
    OutOfOrder {
        /// The last row that was taken.
        previous: Uuid,
        /// The refused row.
        id: Uuid,
    },
    /// A row that is not a JSON object beginning with its `uid`.
    #[error("row {0} is not a JSON object that begins with its uid")]
    RowShape(Uuid),
    /// A row, block, text or file is larger than is handled.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// The most bytes it may have.
        limit: u64,
    },
    /// The segment takes no further row; `is_full` tells before.
    #[error("the segment is full")]
    Full,
    /// A segment without rows is not an object.
    #[error("the segment has no rows")]
    Empty,
    /// An earlier error left the object incomplete.
    #[error("an earlier error left the segment incomplete")]
    Incomplete,
    /// The bytes are not what was written.
    #[error("the segment is damaged: {0}")]
    Damaged(&'static str),
    /// An intact segment, but another one than expected.
    #[error("the object is another segment than expected: its {0} differs")]
    Other(&'static str),
    /// Written by a later version.
    #[error("the segment has version {0} of the format, which is not known here")]
    Version(u8),
    /// A file from elsewhere cannot be read as rows.
    #[error("the file cannot be read as rows after row {rows}: {reason}")]
    Foreign {
        /// How many rows could be read.
        rows: u64,
        /// What is wrong.
        reason: String,
    },
}
