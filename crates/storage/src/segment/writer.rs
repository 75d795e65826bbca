//! Writes a segment: rows in, an object out, with bounded memory.

use std::collections::VecDeque;
use std::io::Write;

use uuid::Uuid;

use super::block::has_row_shape;
use super::error::SegmentError;
use super::footer::Identity;
use super::pool::{Pending, Pool};
use super::sink::{BlockFacts, Closing, Sink, Summary};
use super::{BLOCK_BYTES, BLOCK_ROWS, MAX_BLOCKS, MAX_ROW_BYTES};

/// How a segment is written.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Threads that compress: as many as there are cores to spare.
    pub threads: usize,
    /// Most rows of one segment.
    pub max_rows: u32,
}

/// Writes one segment. Blocks the calling thread while its threads are behind.
///
/// Memory: at most `2 * threads` blocks wait for a thread or for their turn, holding at most
/// `2 * threads` MiB of text between them (a block beyond that waits alone), and as many again for the
/// hash; with the open block and about 3 MiB per thread that is below `10 * threads + 2` MiB,
/// unless single rows are larger than a block.
///
/// A refused row leaves the writer as it was. After a failed write the object is useless and so is the
/// writer.
pub struct SegmentWriter<W> {
    sink: Sink<W>,
    pool: Pool,
    identity: Identity,
    options: WriterOptions,
    /// The open block.
    text: Vec<u8>,
    facts: BlockFacts,
    /// Blocks that are not written yet, in order.
    waiting: VecDeque<(Pending, BlockFacts)>,
    waiting_bytes: usize,
    /// Blocks that were closed, written or not.
    closed: usize,
    rows: u32,
    last: Option<Uuid>,
    at: (i64, i64),
    incomplete: bool,
}

const NO_ROWS: BlockFacts = BlockFacts {
    raw_length: 0,
    rows: 0,
    first: Uuid::nil(),
    last: Uuid::nil(),
};

impl<W: Write> SegmentWriter<W> {
    /// A writer of generation 1 of the segment `identity`, whose bytes go to `out`.
    pub fn new(out: W, identity: Identity, options: WriterOptions) -> Result<Self, SegmentError> {
        identity.check_length()?;
        let options = WriterOptions {
            threads: options.threads.max(1),
            ..options
        };
        Ok(Self {
            sink: Sink::new(out),
            pool: Pool::new(options.threads, 2 * options.threads)?,
            identity,
            options,
            text: Vec::with_capacity(BLOCK_BYTES),
            facts: NO_ROWS,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            closed: 0,
            rows: 0,
            last: None,
            at: (i64::MAX, i64::MIN),
            incomplete: false,
        })
    }

    /// Whether no further row is taken: finish this segment and begin the next one.
    pub fn is_full(&self) -> bool {
        self.rows >= self.options.max_rows || self.closed == MAX_BLOCKS
    }

    /// How many rows were taken.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Adds the row `id`, accepted at `at_ms` (milliseconds since 1970).
    ///
    /// Ids must rise. `json` must be one JSON object that begins with `{"uid":"<id>"`. Only its beginning
    /// and end are looked at here; reading the object back checks the rest.
    pub fn push(&mut self, id: Uuid, at_ms: i64, json: &[u8]) -> Result<(), SegmentError> {
        self.check_row(id, json)?;
        // The last block takes a row of any length, so that `is_full` can tell before.
        let may_cut = self.facts.rows > 0 && self.closed + 1 < MAX_BLOCKS;
        if may_cut && self.text.len() + 1 + json.len() > BLOCK_BYTES {
            self.close_block()?;
        }
        if self.facts.rows == 0 {
            self.facts.first = id;
        }
        let joint = if self.closed == 0 && self.text.is_empty() {
            b'['
        } else {
            b','
        };
        self.text.push(joint);
        self.text.extend_from_slice(json);
        self.facts.rows += 1;
        self.facts.last = id;
        self.rows += 1;
        self.last = Some(id);
        self.at = (self.at.0.min(at_ms), self.at.1.max(at_ms));
        if self.facts.rows == BLOCK_ROWS || self.text.len() >= BLOCK_BYTES {
            self.close_block()?;
        }
        Ok(())
    }

    /// Writes what is left, footer and pointer, and flushes `out`.
    pub fn finish(mut self) -> Result<Summary, SegmentError> {
        if self.incomplete {
            return Err(SegmentError::Incomplete);
        }
        if self.rows == 0 {
            return Err(SegmentError::Empty);
        }
        if self.facts.rows > 0 {
            self.close_block()?;
        }
        while !self.waiting.is_empty() {
            self.write_oldest()?;
        }
        let content_sha256 = self.pool.finish(b"]")?;
        self.sink.finish(Closing {
            identity: self.identity,
            generation: 1,
            first_at: self.at.0,
            last_at: self.at.1,
            content_sha256,
        })
    }

    fn check_row(&self, id: Uuid, json: &[u8]) -> Result<(), SegmentError> {
        if self.incomplete {
            return Err(SegmentError::Incomplete);
        }
        if self.is_full() {
            return Err(SegmentError::Full);
        }
        if let Some(previous) = self.last.filter(|last| *last >= id) {
            return Err(SegmentError::OutOfOrder { previous, id });
        }
        if json.len() > MAX_ROW_BYTES {
            return Err(SegmentError::TooLarge {
                what: "a row",
                limit: MAX_ROW_BYTES as u64,
            });
        }
        if has_row_shape(id, json) {
            Ok(())
        } else {
            Err(SegmentError::RowShape(id))
        }
    }

    /// Hands the open block to the threads, and writes what they have finished.
    fn close_block(&mut self) -> Result<(), SegmentError> {
        // Until everything went well.
        self.incomplete = true;
        let text = std::mem::replace(&mut self.text, Vec::with_capacity(BLOCK_BYTES));
        let facts = BlockFacts {
            raw_length: text.len() as u32,
            ..self.facts
        };
        let places = 2 * self.options.threads;
        while !self.waiting.is_empty()
            && (self.waiting.len() >= places || self.waiting_bytes + text.len() > places * BLOCK_BYTES)
        {
            self.write_oldest()?;
        }
        self.waiting_bytes += text.len();
        self.waiting.push_back((self.pool.submit(text)?, facts));
        self.facts = NO_ROWS;
        self.closed += 1;
        while let Some(member) = self.waiting.front().and_then(|(pending, _)| pending.poll()) {
            self.write_member(&member)?;
        }
        self.incomplete = false;
        Ok(())
    }

    fn write_oldest(&mut self) -> Result<(), SegmentError> {
        match self.waiting.front().map(|(pending, _)| pending.wait()) {
            Some(member) => self.write_member(&member?),
            None => Ok(()),
        }
    }

    /// Writes the member of the oldest block that waits.
    fn write_member(&mut self, member: &[u8]) -> Result<(), SegmentError> {
        let Some((_, facts)) = self.waiting.pop_front() else {
            return Ok(());
        };
        self.waiting_bytes -= facts.raw_length as usize;
        self.sink.block(member, facts)
    }
}
