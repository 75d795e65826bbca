//! Reads a whole object from its first byte to its last, and checks all of it.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::block::{Block, decode_block};
use super::error::SegmentError;
use super::footer::Footer;

/// What is known of an object after it was read and found to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Bytes of the object.
    pub size_bytes: u64,
    /// SHA-256 of the object.
    pub object_sha256: [u8; 32],
}

/// Takes the bytes of an object in pieces of any size and gives its blocks.
///
/// Everything is compared with the footer it was made with, which may come from the object or from
/// the database: every block, the SHA-256 of the text, footer and pointer byte by byte. Only
/// [`Self::finish`] says that all was right.
///
/// Memory: the bytes that were pushed and not yet taken as blocks.
pub struct ObjectReader {
    footer: Footer,
    /// Footer and pointer as they have to be.
    ending: Vec<u8>,
    next: usize,
    bytes: Vec<u8>,
    taken: usize,
    received: u64,
    object: Sha256,
    content: Sha256,
}

impl ObjectReader {
    /// A reader of the object that ends in `footer`.
    pub fn new(footer: Footer) -> Self {
        let ending = footer.to_bytes();
        Self {
            footer,
            ending,
            next: 0,
            bytes: Vec::new(),
            taken: 0,
            received: 0,
            object: Sha256::new(),
            content: Sha256::new(),
        }
    }

    /// Takes the next bytes. Ask [`Self::next_block`] until it gives none before pushing more.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SegmentError> {
        self.received += bytes.len() as u64;
        if self.received > self.footer.index.end() + self.ending.len() as u64 {
            return Err(SegmentError::Damaged("it goes on behind its end"));
        }
        self.object.update(bytes);
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next block, if all of its bytes are here.
    pub fn next_block(&mut self) -> Result<Option<Block>, SegmentError> {
        let Some(entry) = self.footer.index.entries().get(self.next) else {
            return Ok(None);
        };
        let end = self.taken + entry.length as usize;
        let Some(bytes) = self.bytes.get(self.taken..end) else {
            return Ok(None);
        };
        let block = decode_block(bytes, entry)?;
        self.content.update(block.text());
        self.taken = end;
        self.next += 1;
        Ok(Some(block))
    }

    /// Says that nothing is missing, and nothing wrong.
    pub fn finish(mut self) -> Result<Whole, SegmentError> {
        if self.next < self.footer.index.entries().len() {
            return Err(SegmentError::Damaged(
                "it is cut off, or its blocks were not taken",
            ));
        }
        if self.bytes[self.taken..] != self.ending {
            return Err(SegmentError::Damaged("it does not end as expected"));
        }
        self.content.update(b"]");
        if <[u8; 32]>::from(self.content.finalize()) != self.footer.content_sha256 {
            return Err(SegmentError::Damaged("the SHA-256 of its text is wrong"));
        }
        Ok(Whole {
            size_bytes: self.received,
            object_sha256: self.object.finalize().into(),
        })
    }
}

/// Reads a whole object and shows every block to `each`, in order.
///
/// `each` sees blocks that are right, but only the end of this function says that nothing is missing.
pub fn read_object(
    footer: Footer,
    mut object: impl Read,
    mut each: impl FnMut(Block) -> Result<(), SegmentError>,
) -> Result<Whole, SegmentError> {
    let mut reader = ObjectReader::new(footer);
    let mut bytes = vec![0; 256 << 10];
    loop {
        let length = match object.read(&mut bytes) {
            Ok(0) => return reader.finish(),
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        reader.push(&bytes[..length])?;
        while let Some(block) = reader.next_block()? {
            each(block)?;
        }
    }
}
