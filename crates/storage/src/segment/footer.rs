//! Footer and pointer: the last two members, which tell where everything is and what it is.
//!
//! Both are read strictly: what is read is written again and must give the same bytes, so there is no
//! bit that could be wrong unseen.

use std::ops::Range;

use domain::segment::Kind;
use uuid::Uuid;

use super::error::SegmentError;
use super::index::{BlockIndex, array};
use super::{MAX_NAME_BYTES, VERSION};

/// Bytes of the pointer, always.
pub const POINTER_BYTES: usize = 38;
/// Bytes of "LF" without the names.
pub(super) const FIXED_BYTES: usize = 1 + 1 + 4 + 16 + 4 + 8 + 8 + 32 + 2 + 2 + 4;

/// gzip, deflate, a header with an extra field, no time, unknown system.
const MEMBER_OPENING: [u8; 10] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
/// The text "]" stored as it is.
const DEFLATED_BRACKET: [u8; 6] = [1, 1, 0, 0xfe, 0xff, b']'];
/// No text.
const DEFLATED_NOTHING: [u8; 2] = [3, 0];
/// More than any footer has.
const MOST_FOOTER_BYTES: u64 = 66_000;

/// Which segment it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id in the object's name.
    pub archive_id: Uuid,
    /// What the rows are.
    pub kind: Kind,
    /// Whose rows they are: the project's id.
    pub tenant: String,
    /// The event type, or the kind's own topic.
    pub topic: String,
}

impl Identity {
    /// Refuses a segment that is not `expected`, as when objects were swapped.
    pub fn check(&self, expected: &Self) -> Result<(), SegmentError> {
        match () {
            () if self.archive_id != expected.archive_id => Err(SegmentError::Other("archive id")),
            () if self.tenant != expected.tenant => Err(SegmentError::Other("tenant")),
            () if self.kind != expected.kind => Err(SegmentError::Other("kind")),
            () if self.topic != expected.topic => Err(SegmentError::Other("topic")),
            () => Ok(()),
        }
    }

    /// Refuses names that the footer has no room for.
    pub(super) fn check_length(&self) -> Result<(), SegmentError> {
        if self.tenant.len().max(self.topic.len()) > MAX_NAME_BYTES {
            return Err(SegmentError::TooLarge {
                what: "a tenant or topic",
                limit: MAX_NAME_BYTES as u64,
            });
        }
        Ok(())
    }
}

/// Everything about a segment but its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Which segment it is.
    pub identity: Identity,
    /// 1 at first, one more with every rewrite.
    pub generation: u32,
    /// accepted_at of the oldest row, in milliseconds since 1970.
    pub first_at: i64,
    /// accepted_at of the newest row.
    pub last_at: i64,
    /// SHA-256 of the whole text.
    pub content_sha256: [u8; 32],
    /// Its blocks.
    pub index: BlockIndex,
}

impl Footer {
    /// The last two members of the object: footer and pointer.
    pub fn to_bytes(&self) -> Vec<u8> {
        let index = self.index.to_bytes();
        let facts = self.facts(&index);
        let extra = [&subfield(*b"LI", &index)[..], &subfield(*b"LF", &facts)].concat();
        let mut bytes = member(&extra, &DEFLATED_BRACKET, b"]");
        let pointer = pointer(self.index.end(), bytes.len() as u32);
        bytes.extend_from_slice(&pointer);
        bytes
    }

    /// Bytes of the whole object.
    pub fn object_bytes(&self) -> u64 {
        self.index.end() + self.to_bytes().len() as u64
    }

    /// The subfield "LF".
    fn facts(&self, index: &[u8]) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.identity.kind.code() as u8];
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(self.identity.archive_id.as_bytes());
        bytes.extend_from_slice(&self.index.rows().to_le_bytes());
        bytes.extend_from_slice(&self.first_at.to_le_bytes());
        bytes.extend_from_slice(&self.last_at.to_le_bytes());
        bytes.extend_from_slice(&self.content_sha256);
        for name in [&self.identity.tenant, &self.identity.topic] {
            bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        let mut crc = libdeflater::Crc::new();
        crc.update(index);
        crc.update(&bytes);
        bytes.extend_from_slice(&crc.sum().to_le_bytes());
        bytes
    }
}

/// Where the footer lies, out of the last [`POINTER_BYTES`] of an object of `object_bytes` (more
/// bytes before them do no harm).
pub fn read_pointer(tail: &[u8], object_bytes: u64) -> Result<Range<u64>, SegmentError> {
    const NOT_ONE: SegmentError =
        SegmentError::Damaged("it does not end as a segment does, so it is cut off or something else");
    let bytes = tail.last_chunk::<POINTER_BYTES>().ok_or(NOT_ONE)?;
    let (offset, length) = (
        u64::from_le_bytes(array(bytes, 16)),
        u32::from_le_bytes(array(bytes, 24)),
    );
    if pointer(offset, length) != bytes {
        return Err(NOT_ONE);
    }
    let end = offset.checked_add(u64::from(length));
    if end.and_then(|end| end.checked_add(POINTER_BYTES as u64)) != Some(object_bytes) {
        return Err(SegmentError::Damaged(
            "its pointer does not fit its size, so something is missing",
        ));
    }
    if u64::from(length) > MOST_FOOTER_BYTES {
        return Err(SegmentError::Damaged(
            "its footer cannot be as long as the pointer says",
        ));
    }
    Ok(offset..offset + u64::from(length))
}

/// Reads the footer out of `bytes`, which lie at the range that [`read_pointer`] told, or reach from
/// its beginning to the end of the object. `offset` is where that range begins.
pub fn read_footer(bytes: &[u8], offset: u64) -> Result<Footer, SegmentError> {
    const BROKEN: SegmentError = SegmentError::Damaged("its footer is not one");
    let mut rest = Fields(bytes.strip_prefix(&MEMBER_OPENING).ok_or(BROKEN)?);
    let extra = rest.sized().ok_or(BROKEN)?;
    let mut fields = Fields(extra);
    let index = fields.subfield(*b"LI").ok_or(BROKEN)?;
    let facts = fields.subfield(*b"LF").ok_or(BROKEN)?;
    // Before anything else, so that a later version is told apart from damage.
    if let Some(version) = facts.first().filter(|version| **version != VERSION) {
        return Err(SegmentError::Version(*version));
    }
    let footer = read_facts(Fields(facts), BlockIndex::from_bytes(index)?).ok_or(BROKEN)?;
    let written = footer.to_bytes();
    let alone = &written[..written.len() - POINTER_BYTES];
    if bytes != alone && bytes != written {
        return Err(SegmentError::Damaged("its footer's CRC-32 is wrong"));
    }
    if footer.index.end() != offset {
        return Err(SegmentError::Damaged(
            "its footer does not begin where its blocks end",
        ));
    }
    Ok(footer)
}

/// The fields of "LF". Rows and the CRC-32 are not looked at: they follow from the rest, and the
/// caller compares every byte.
fn read_facts(mut fields: Fields<'_>, index: BlockIndex) -> Option<Footer> {
    let [_, kind] = fields.array()?;
    let generation = u32::from_le_bytes(fields.array()?);
    let archive_id = Uuid::from_bytes(fields.array()?);
    let _rows: [u8; 4] = fields.array()?;
    let first_at = i64::from_le_bytes(fields.array()?);
    let last_at = i64::from_le_bytes(fields.array()?);
    let content_sha256 = fields.array()?;
    let tenant = String::from_utf8(fields.sized()?.to_vec()).ok()?;
    let topic = String::from_utf8(fields.sized()?.to_vec()).ok()?;
    let identity = Identity {
        archive_id,
        kind: Kind::from_code(i16::from(kind))?,
        tenant,
        topic,
    };
    identity.check_length().ok()?;
    Some(Footer {
        identity,
        generation,
        first_at,
        last_at,
        content_sha256,
        index,
    })
}

/// Reads fields off the front of bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Bytes behind their length of two bytes.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_le_bytes(self.array()?);
        self.take(usize::from(length))
    }

    fn subfield(&mut self, name: [u8; 2]) -> Option<&'a [u8]> {
        (self.array()? == name).then_some(())?;
        self.sized()
    }
}

/// A subfield of an extra field. That it fits is known from `MAX_BLOCKS` and `MAX_NAME_BYTES`.
fn subfield(name: [u8; 2], bytes: &[u8]) -> Vec<u8> {
    [&name[..], &(bytes.len() as u16).to_le_bytes(), bytes].concat()
}

/// A gzip member of `text` with an extra field.
fn member(extra: &[u8], deflated: &[u8], text: &[u8]) -> Vec<u8> {
    [
        &MEMBER_OPENING[..],
        &(extra.len() as u16).to_le_bytes(),
        extra,
        deflated,
        &libdeflater::crc32(text).to_le_bytes(),
        &(text.len() as u32).to_le_bytes(),
    ]
    .concat()
}

fn pointer(offset: u64, length: u32) -> Vec<u8> {
    let place = [&offset.to_le_bytes()[..], &length.to_le_bytes()].concat();
    member(&subfield(*b"LP", &place), &DEFLATED_NOTHING, b"")
}
