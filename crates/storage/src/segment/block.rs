//! One block: the text of up to 1000 rows, inflated once and read in place.

use libdeflater::Decompressor;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::error::SegmentError;
use super::index::Entry;

/// How every row begins.
const ROW_OPENING: &[u8] = br#"{"uid":""#;
/// Letters of an id.
const ID_LETTERS: usize = 36;

/// One row of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its JSON object, byte for byte as it was written.
    pub json: &'a str,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    id: Uuid,
    start: u32,
    end: u32,
}

/// The rows of one block, in the order of their ids.
#[derive(Clone, Debug)]
pub struct Block {
    text: String,
    spans: Vec<Span>,
}

impl Block {
    /// Every row, in order.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = Row<'_>> + ExactSizeIterator {
        self.spans.iter().map(|span| self.row(*span))
    }

    /// How many rows it has; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a block is never empty")]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The row `id`, if it is here.
    pub fn get(&self, id: Uuid) -> Option<Row<'_>> {
        let at = self.spans.binary_search_by_key(&id, |span| span.id).ok()?;
        self.spans.get(at).map(|span| self.row(*span))
    }

    /// The text as it stands in the segment, with the bracket or comma before its first row.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.text.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    fn row(&self, span: Span) -> Row<'_> {
        Row {
            id: span.id,
            json: &self.text[span.start as usize..span.end as usize],
        }
    }
}

/// Inflates the block that `entry` describes, and checks that it is exactly that.
///
/// `bytes` are those of [`Entry::range`] in the object. Everything the entry says is checked: the
/// CRC-32, the length, every row's form, the order of ids, their number, the first and the last.
pub fn decode_block(bytes: &[u8], entry: &Entry) -> Result<Block, SegmentError> {
    // Entries can be made by hand; what follows trusts their numbers with memory.
    if !entry.is_sound() || bytes.len() != entry.length as usize {
        return Err(SegmentError::Damaged(
            "a block is shorter or longer than its entry says",
        ));
    }
    if libdeflater::crc32(bytes) != entry.crc32 {
        return Err(SegmentError::Damaged("a block's CRC-32 is wrong"));
    }
    let text = inflate(bytes, entry.raw_length as usize)?;
    let spans = split(&text, entry.opening(), entry.rows as usize)?;
    let ends = (
        spans.first().map(|span| span.id),
        spans.last().map(|span| span.id),
    );
    if spans.len() != entry.rows as usize || ends != (Some(entry.first), Some(entry.last)) {
        return Err(SegmentError::Damaged(
            "a block holds other rows than its entry says",
        ));
    }
    Ok(Block { text, spans })
}

/// The text of one gzip member, which has `length` bytes.
fn inflate(bytes: &[u8], length: usize) -> Result<String, SegmentError> {
    // Deflate makes at most 1032 bytes out of one; more is a lie that would cost memory.
    if length / 1040 > bytes.len() {
        return Err(SegmentError::Damaged(
            "a block cannot be as long as its entry says",
        ));
    }
    let mut text = vec![0; length];
    match Decompressor::new().gzip_decompress(bytes, &mut text) {
        Ok(written) if written == length => {
            String::from_utf8(text).map_err(|_| SegmentError::Damaged("a block is not UTF-8"))
        }
        _ => Err(SegmentError::Damaged("a block cannot be inflated")),
    }
}

/// Finds the rows of a block's text: `opening`, then JSON objects joined by commas.
fn split(text: &str, opening: u8, rows: usize) -> Result<Vec<Span>, SegmentError> {
    let mut spans: Vec<Span> = Vec::with_capacity(rows);
    let mut at = 0;
    while at < text.len() {
        let separator = if at == 0 { opening } else { b',' };
        let (start, end) = (at + 1, at + 1 + object_length(text, at, separator)?);
        let id =
            row_id(&text[start..end]).ok_or(SegmentError::Damaged("a row does not begin with its uid"))?;
        if spans.last().is_some_and(|last| last.id >= id) {
            return Err(SegmentError::Damaged("ids do not rise"));
        }
        // A block is far smaller than 4 GiB.
        spans.push(Span {
            id,
            start: start as u32,
            end: end as u32,
        });
        at = end;
    }
    Ok(spans)
}

/// Bytes of the JSON object behind the `separator` at `at`.
fn object_length(text: &str, at: usize, separator: u8) -> Result<usize, SegmentError> {
    const BROKEN: SegmentError = SegmentError::Damaged("a row is not a JSON object");
    let (found, rest) = text.as_bytes()[at..].split_first().ok_or(BROKEN)?;
    if *found != separator || rest.first() != Some(&b'{') {
        return Err(BROKEN);
    }
    let mut values = serde_json::Deserializer::from_str(&text[at + 1..]).into_iter::<&RawValue>();
    match values.next() {
        Some(Ok(value)) => Ok(value.get().len()),
        _ => Err(BROKEN),
    }
}

/// The id that a row begins with.
fn row_id(json: &str) -> Option<Uuid> {
    let rest = json.as_bytes().strip_prefix(ROW_OPENING)?;
    let (id, rest) = rest.split_at_checked(ID_LETTERS)?;
    let closed = rest.first() == Some(&b'"');
    Uuid::try_parse_ascii(id).ok().filter(|_| closed)
}

/// Whether `json` begins as the row `id` does, and ends as an object does.
pub(super) fn has_row_shape(id: Uuid, json: &[u8]) -> bool {
    let mut letters = [0; ID_LETTERS];
    let letters = id.hyphenated().encode_lower(&mut letters).as_bytes();
    json.strip_prefix(ROW_OPENING)
        .and_then(|rest| rest.strip_prefix(letters))
        .is_some_and(|rest| matches!(rest, [b'"', b',' | b'}', ..]))
        && json.ends_with(b"}")
}
