//! Reads rows that somebody else wrote, for import: a JSON array or JSON lines, plain or as gzip of
//! any number of members. A segment is such a file too.
//!
//! Rows are JSON objects of any form. Only one row and one buffer are in memory, whatever the file says;
//! limits end what would go on for ever.

use std::io::{BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use serde_json::value::RawValue;

use super::MAX_ROW_BYTES;
use super::error::SegmentError;

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;
/// What a gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What a file may cost.
#[derive(Clone, Copy, Debug)]
pub struct ForeignLimits {
    /// Longest row in bytes.
    pub row_bytes: usize,
    /// Most bytes of text in all, so that a small file cannot become endless.
    pub raw_bytes: u64,
}

impl Default for ForeignLimits {
    fn default() -> Self {
        Self {
            row_bytes: MAX_ROW_BYTES,
            raw_bytes: 64 << 30,
        }
    }
}

type Opened<R> = Chain<Cursor<Vec<u8>>, R>;

enum Source<R> {
    Plain(Opened<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Opened<R>>>>),
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
        }
    }
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// The first byte, which tells array from lines.
    Beginning,
    /// A row or the end of the array.
    FirstOfArray,
    /// A comma or the end of the array.
    MoreOfArray,
    /// Nothing but space.
    EndOfFile,
    /// Another line or the end of the file.
    Line,
    /// The file was read, or an error was given.
    Nothing,
}

/// The rows of a file, one by one. Ends after its first error.
pub struct ForeignRows<R> {
    source: Source<R>,
    limits: ForeignLimits,
    /// Text that was read and not yet given, from `at` on.
    text: Vec<u8>,
    at: usize,
    read: u64,
    rows: u64,
    expect: Expect,
}

impl<R: Read> ForeignRows<R> {
    /// Begins to read `file`, plain or gzip.
    pub fn new(mut file: R, limits: ForeignLimits) -> Result<Self, SegmentError> {
        let mut opening = Vec::with_capacity(GZIP.len());
        file.by_ref().take(GZIP.len() as u64).read_to_end(&mut opening)?;
        let gzip = opening == GZIP;
        let opened = Cursor::new(opening).chain(file);
        let source = if gzip {
            Source::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(
                PIECE, opened,
            ))))
        } else {
            Source::Plain(opened)
        };
        Ok(Self {
            source,
            limits,
            text: Vec::new(),
            at: 0,
            read: 0,
            rows: 0,
            expect: Expect::Beginning,
        })
    }

    /// The next row; `None` at the end of the file.
    fn advance(&mut self) -> Result<Option<String>, SegmentError> {
        loop {
            let byte = self.peek()?;
            match (self.expect, byte) {
                (Expect::Nothing, _) | (Expect::Beginning | Expect::Line | Expect::EndOfFile, None) => {
                    return Ok(None);
                }
                (Expect::Beginning, Some(b'[')) => self.step(Expect::FirstOfArray),
                (Expect::FirstOfArray | Expect::MoreOfArray, Some(b']')) => self.step(Expect::EndOfFile),
                (Expect::MoreOfArray, Some(b',')) => {
                    self.at += 1;
                    self.peek()?;
                    return self.row(Expect::MoreOfArray).map(Some);
                }
                (Expect::FirstOfArray, Some(_)) => return self.row(Expect::MoreOfArray).map(Some),
                (Expect::Beginning | Expect::Line, Some(_)) => return self.row(Expect::Line).map(Some),
                (Expect::FirstOfArray | Expect::MoreOfArray, None) => {
                    return Err(self.refuse("the array does not end"));
                }
                (Expect::MoreOfArray, Some(_)) => return Err(self.refuse("a comma is missing")),
                (Expect::EndOfFile, Some(_)) => {
                    return Err(self.refuse("something stands behind the array"));
                }
            }
        }
    }

    fn step(&mut self, expect: Expect) {
        self.at += 1;
        self.expect = expect;
    }

    /// The next byte that is not space.
    fn peek(&mut self) -> Result<Option<u8>, SegmentError> {
        loop {
            while let Some(byte) = self.text.get(self.at) {
                if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                    return Ok(Some(*byte));
                }
                self.at += 1;
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// The row that begins at `at`.
    fn row(&mut self, then: Expect) -> Result<String, SegmentError> {
        if self.text.get(self.at) != Some(&b'{') {
            return Err(self.refuse("a row is not a JSON object"));
        }
        let (mut scan, mut length) = (Scan::default(), 0);
        loop {
            // `fill` moves the text to the front, so places are counted from `at`.
            if let Some(end) = scan.end(&self.text[self.at + length..]) {
                length += end;
                break;
            }
            length = self.text.len() - self.at;
            if length > self.limits.row_bytes {
                break;
            }
            if !self.fill()? {
                return Err(self.refuse("it ends within a row"));
            }
        }
        if length > self.limits.row_bytes {
            return Err(SegmentError::TooLarge {
                what: "a row",
                limit: self.limits.row_bytes as u64,
            });
        }
        let bytes = &self.text[self.at..self.at + length];
        let row = match serde_json::from_slice::<&RawValue>(bytes) {
            Ok(value) => value.get().to_owned(),
            Err(error) => return Err(self.refuse(&error.to_string())),
        };
        self.at += length;
        self.rows += 1;
        self.expect = then;
        Ok(row)
    }

    /// Reads more text; `false` at the end of the file.
    fn fill(&mut self) -> Result<bool, SegmentError> {
        self.text.drain(..self.at);
        self.at = 0;
        let length = self.text.len();
        self.text.resize(length + PIECE, 0);
        let result = loop {
            match self.source.read(&mut self.text[length..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.text.truncate(length + result.as_ref().copied().unwrap_or(0));
        let more = match result {
            Ok(more) => more,
            // A file that is cut off or not gzip is the file's fault.
            Err(error) if matches!(self.source, Source::Gzip(_)) => {
                return Err(self.refuse(&format!("it cannot be inflated: {error}")));
            }
            Err(error) => return Err(error.into()),
        };
        self.read += more as u64;
        if self.read > self.limits.raw_bytes {
            return Err(SegmentError::TooLarge {
                what: "the text of a file",
                limit: self.limits.raw_bytes,
            });
        }
        Ok(more > 0)
    }

    fn refuse(&self, reason: &str) -> SegmentError {
        SegmentError::Foreign {
            rows: self.rows,
            reason: reason.to_owned(),
        }
    }
}

impl<R: Read> Iterator for ForeignRows<R> {
    type Item = Result<String, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.expect == Expect::Nothing {
            return None;
        }
        let row = self.advance().transpose();
        if !matches!(row, Some(Ok(_))) {
            self.expect = Expect::Nothing;
        }
        row
    }
}

/// Finds where a JSON object ends, piece by piece. Whether it is JSON is for the parser to say.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    /// How many of `bytes` belong to the object, when it ends within them.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}
