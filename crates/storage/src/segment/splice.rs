//! The next generation of a segment: some rows replaced or left out, everything else byte for byte as
//! it was.

use std::io::Write;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::block::{Block, decode_block, has_row_shape};
use super::error::SegmentError;
use super::footer::Footer;
use super::index::Entry;
use super::pool::{compress, compressor};
use super::sink::{BlockFacts, Closing, Sink, Summary};
use super::{MAX_BLOCK_BYTES, MAX_ROW_BYTES};

/// A row as it will stand in the new generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The id of a row of the old block.
    pub id: Uuid,
    /// Its JSON object, beginning with its `uid`.
    pub json: String,
}

/// What a splice did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spliced {
    /// The new object.
    pub summary: Summary,
    /// Its generation.
    pub generation: u32,
    /// The blocks of the old object whose bytes are not in the new one.
    pub rewritten: Vec<usize>,
}

/// Writes the next generation of the segment that ends in `old`.
///
/// `fetch` gives the old bytes of a block ([`Entry::range`]). `rewrite` sees every block and gives all
/// rows that shall stand in its place, or `None` to keep it. Replacements are rows of the same block in
/// the same order; those that are not among them are left out. A block without any is left out, and when
/// it was the first, the next one is written anew, because it now begins the array.
///
/// Every old block is checked on the way, so damage is not carried over. `first_at` and `last_at` stay as
/// they were: bounds, even if the rows at them are gone. When no row is left the answer is
/// [`SegmentError::Empty`], and the segment as a whole may go.
pub fn splice<W: Write>(
    old: &Footer,
    mut fetch: impl FnMut(&Entry) -> std::io::Result<Vec<u8>>,
    mut rewrite: impl FnMut(usize, &Block) -> Option<Vec<Replacement>>,
    out: W,
) -> Result<Spliced, SegmentError> {
    let (mut old_content, mut content) = (Sha256::new(), Sha256::new());
    let (mut compressor, mut scratch) = (compressor(), Vec::new());
    let mut sink = Sink::new(out);
    let mut rewritten = Vec::new();
    for (number, entry) in old.index.entries().iter().enumerate() {
        let member = fetch(entry)?;
        let block = decode_block(&member, entry)?;
        old_content.update(block.text());
        let opens = sink.is_empty();
        let text = match rewrite(number, &block) {
            Some(rows) => new_text(opens, &block, &rows)?,
            None if opens == (number == 0) => {
                content.update(block.text());
                sink.block(&member, kept(entry))?;
                continue;
            }
            None => Some((format!("[{}", &block.text()[1..]), kept(entry))),
        };
        rewritten.push(number);
        if let Some((text, facts)) = text {
            content.update(&text);
            sink.block(&compress(&mut compressor, &mut scratch, text.as_bytes()), facts)?;
        }
    }
    old_content.update(b"]");
    if <[u8; 32]>::from(old_content.finalize()) != old.content_sha256 {
        return Err(SegmentError::Damaged("the SHA-256 of its text is wrong"));
    }
    content.update(b"]");
    let generation = old.generation.saturating_add(1);
    let summary = sink.finish(Closing {
        identity: old.identity.clone(),
        generation,
        first_at: old.first_at,
        last_at: old.last_at,
        content_sha256: content.finalize().into(),
    })?;
    Ok(Spliced {
        summary,
        generation,
        rewritten,
    })
}

/// What the entry of a block says that keeps its rows.
fn kept(entry: &Entry) -> BlockFacts {
    BlockFacts {
        raw_length: entry.raw_length,
        rows: entry.rows,
        first: entry.first,
        last: entry.last,
    }
}

/// The text of a block made of `rows`; `None` when there are none.
fn new_text(
    opens: bool,
    block: &Block,
    rows: &[Replacement],
) -> Result<Option<(String, BlockFacts)>, SegmentError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(None);
    };
    let mut text = String::with_capacity(block.text().len());
    let mut previous = None;
    for row in rows {
        check(block, row, previous)?;
        text.push(if opens && previous.is_none() { '[' } else { ',' });
        text.push_str(&row.json);
        previous = Some(row.id);
    }
    if text.len() > MAX_BLOCK_BYTES {
        return Err(SegmentError::TooLarge {
            what: "a block",
            limit: MAX_BLOCK_BYTES as u64,
        });
    }
    let raw_length = text.len() as u32;
    let facts = BlockFacts {
        raw_length,
        rows: rows.len() as u32,
        first: first.id,
        last: last.id,
    };
    Ok(Some((text, facts)))
}

fn check(block: &Block, row: &Replacement, previous: Option<Uuid>) -> Result<(), SegmentError> {
    if let Some(previous) = previous.filter(|previous| *previous >= row.id) {
        return Err(SegmentError::OutOfOrder { previous, id: row.id });
    }
    if row.json.len() > MAX_ROW_BYTES {
        return Err(SegmentError::TooLarge {
            what: "a row",
            limit: MAX_ROW_BYTES as u64,
        });
    }
    if block.get(row.id).is_none() || !has_row_shape(row.id, row.json.as_bytes()) {
        return Err(SegmentError::RowShape(row.id));
    }
    Ok(())
}
