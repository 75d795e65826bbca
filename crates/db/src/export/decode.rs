//! The binary form of `COPY`: pieces in, rows out, without a copy of the texts.
//!
//! Format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format". Values are
//! those of the binary wire protocol: big-endian integers, timestamps as microseconds since 2000.

use bytes::{Buf as _, BytesMut};
use chrono::{DateTime, TimeDelta, Utc};
use domain::segment::Kind;
use uuid::Uuid;

/// Row digest of a table's row; the sum per keep class tells whether a leaf holds what was read.
/// Mirrored by `db::segments::digests`.
pub(crate) fn digest_sql(kind: Kind) -> &'static str {
    match kind {
        Kind::Events => "uuid_hash_extended(id, state)",
        Kind::Deliveries => "uuid_hash_extended(id, state + 8 * attempts)",
        Kind::Attempts => "uuid_hash_extended(id, 0)",
    }
}

pub(super) const EVENT_COLUMNS: &str = "project_id, id, keep_days, uuid_hash_extended(id, state), accepted_at, event_type, kind, state, \
     duplicate, endpoint_id, source_id, owner_id, idempotency_key, failure_reason, headers, payload";
pub(super) const DELIVERY_COLUMNS: &str = "project_id, id, keep_days, uuid_hash_extended(id, state + 8 * attempts), accepted_at, event_id, \
     endpoint_id, subscription_id, event_type, state, attempts, last_status, latency_ms, ended_at, description, retry";
pub(super) const ATTEMPT_COLUMNS: &str = "project_id, id, keep_days, uuid_hash_extended(id, 0), accepted_at, delivery_id, number, requested_at, \
     duration_us, http_status, url, request_headers, response_headers, response_body, address, error";

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Number of fields that says: no more rows.
const TRAILER: i16 = -1;

/// What every exported row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportRow {
    /// Its project.
    pub project: Uuid,
    /// Its id.
    pub id: Uuid,
    /// Its keep class.
    pub keep_days: i16,
    /// Its share of the class's digest.
    pub hash: i64,
    /// When its event was accepted.
    pub accepted_at: DateTime<Utc>,
}

/// A row of `events`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct EventRow<'a> {
    pub row: ExportRow,
    pub event_type: &'a str,
    pub kind: i16,
    pub state: i16,
    pub duplicate: bool,
    pub endpoint_id: Option<Uuid>,
    pub source_id: Option<Uuid>,
    pub owner_id: Option<&'a str>,
    pub idempotency_key: Option<&'a str>,
    pub failure_reason: Option<&'a str>,
    pub headers: Option<&'a str>,
    pub payload: &'a str,
}

/// A row of `event_deliveries`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct DeliveryRow<'a> {
    pub row: ExportRow,
    pub event_id: Uuid,
    pub endpoint_id: Uuid,
    pub subscription_id: Option<Uuid>,
    pub event_type: &'a str,
    pub state: i16,
    pub attempts: i16,
    pub last_status: Option<i16>,
    pub latency_ms: Option<i32>,
    pub ended_at: Option<DateTime<Utc>>,
    pub description: Option<&'a str>,
    pub retry: Option<&'a str>,
}

/// A row of `delivery_attempts`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct AttemptRow<'a> {
    pub row: ExportRow,
    pub delivery_id: Uuid,
    pub number: i16,
    pub requested_at: DateTime<Utc>,
    pub duration_us: i32,
    pub http_status: Option<i16>,
    pub url: &'a str,
    pub request_headers: &'a str,
    pub response_headers: Option<&'a str>,
    pub response_body: Option<&'a [u8]>,
    pub address: Option<&'a str>,
    pub error: Option<&'a str>,
}

/// The stream is not what was asked for: a bug, or a server that speaks differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreadable COPY stream: {0}")]
pub struct Fault(&'static str);

/// Turns pieces into rows.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    started: bool,
    ended: bool,
}

impl Decoder {
    /// Adds a piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// Whether the stream ended as it should: nothing was cut off.
    pub fn is_complete(&self) -> bool {
        self.ended && self.buffer.is_empty()
    }

    /// The fields of the next row, or `None` when another piece is needed or the stream has ended.
    /// Call `done` on what is returned once the row was used.
    ///
    /// # Errors
    /// [`Fault`] when the bytes are no `COPY` stream.
    pub fn next_row(&mut self) -> Result<Option<Fields<'_>>, Fault> {
        if !self.started && !self.start()? {
            return Ok(None);
        }
        if self.ended {
            return Ok(None);
        }
        let Some(length) = tuple_length(&self.buffer)? else {
            return Ok(None);
        };
        if length == 2 {
            self.ended = true;
            self.buffer.advance(2);
            return Ok(None);
        }
        Ok(Some(Fields {
            at: 2,
            length,
            buffer: &mut self.buffer,
        }))
    }

    fn start(&mut self) -> Result<bool, Fault> {
        let head = SIGNATURE.len() + 8;
        if self.buffer.len() < head {
            return Ok(false);
        }
        if !self.buffer.starts_with(SIGNATURE) {
            return Err(Fault("wrong signature"));
        }
        let extension = i32_at(&self.buffer, SIGNATURE.len() + 4).unwrap_or(0);
        if extension != 0 {
            return Err(Fault("unknown header extension"));
        }
        self.buffer.advance(head);
        self.started = true;
        Ok(true)
    }
}

/// Length of the tuple at the front in bytes; 2 for the trailer; `None` when it is not there yet.
fn tuple_length(buffer: &[u8]) -> Result<Option<usize>, Fault> {
    let Some(count) = buffer.first_chunk::<2>().map(|b| i16::from_be_bytes(*b)) else {
        return Ok(None);
    };
    if count == TRAILER {
        return Ok(Some(2));
    }
    let count = usize::try_from(count).map_err(|_| Fault("wrong number of fields"))?;
    let mut at = 2;
    for _ in 0..count {
        let Some(length) = i32_at(buffer, at) else {
            return Ok(None);
        };
        at += 4 + usize::try_from(length).unwrap_or(0);
    }
    Ok((at <= buffer.len()).then_some(at))
}

fn i32_at(buffer: &[u8], at: usize) -> Option<i32> {
    buffer
        .get(at..)?
        .first_chunk::<4>()
        .map(|b| i32::from_be_bytes(*b))
}

/// The fields of one row, from the first on. The row is consumed when this is dropped.
#[derive(Debug)]
pub struct Fields<'a> {
    buffer: &'a mut BytesMut,
    at: usize,
    length: usize,
}

impl Drop for Fields<'_> {
    fn drop(&mut self) {
        self.buffer.advance(self.length);
    }
}

impl Fields<'_> {
    /// Reads the row as one of `events`.
    ///
    /// # Errors
    /// [`Fault`] when it is none.
    pub fn event(&self) -> Result<EventRow<'_>, Fault> {
        let mut field = Reader::new(self);
        Ok(EventRow {
            row: field.row()?,
            event_type: field.text()?,
            kind: field.i16()?,
            state: field.i16()?,
            duplicate: field.bool()?,
            endpoint_id: field.id_or_null()?,
            source_id: field.id_or_null()?,
            owner_id: field.text_or_null()?,
            idempotency_key: field.text_or_null()?,
            failure_reason: field.text_or_null()?,
            headers: field.text_or_null()?,
            payload: field.text()?,
        })
    }

    /// Reads the row as one of `event_deliveries`.
    ///
    /// # Errors
    /// [`Fault`] when it is none.
    pub fn delivery(&self) -> Result<DeliveryRow<'_>, Fault> {
        let mut field = Reader::new(self);
        Ok(DeliveryRow {
            row: field.row()?,
            event_id: field.id()?,
            endpoint_id: field.id()?,
            subscription_id: field.id_or_null()?,
            event_type: field.text()?,
            state: field.i16()?,
            attempts: field.i16()?,
            last_status: field.i16_or_null()?,
            latency_ms: field.i32_or_null()?,
            ended_at: field.time_or_null()?,
            description: field.text_or_null()?,
            retry: field.text_or_null()?,
        })
    }

    /// Reads the row as one of `delivery_attempts`.
    ///
    /// # Errors
    /// [`Fault`] when it is none.
    pub fn attempt(&self) -> Result<AttemptRow<'_>, Fault> {
        let mut field = Reader::new(self);
        Ok(AttemptRow {
            row: field.row()?,
            delivery_id: field.id()?,
            number: field.i16()?,
            requested_at: field.time()?,
            duration_us: field.i32()?,
            http_status: field.i16_or_null()?,
            url: field.text()?,
            request_headers: field.text()?,
            response_headers: field.text_or_null()?,
            response_body: field.next()?,
            address: field.text_or_null()?,
            error: field.text_or_null()?,
        })
    }
}

/// Walks over the fields of a row.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(fields: &'a Fields<'_>) -> Self {
        Self {
            bytes: &fields.buffer[fields.at..fields.length],
        }
    }

    /// The next field; `None` for null.
    fn next(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        let length = i32_at(self.bytes, 0).ok_or(Fault("too few fields"))?;
        self.bytes = &self.bytes[4..];
        let Ok(length) = usize::try_from(length) else {
            return Ok(None);
        };
        let (field, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or(Fault("a field is cut off"))?;
        self.bytes = rest;
        Ok(Some(field))
    }

    fn array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Fault> {
        self.next()?
            .map(|bytes| {
                bytes
                    .try_into()
                    .map_err(|_| Fault("a field has the wrong length"))
            })
            .transpose()
    }

    fn row(&mut self) -> Result<ExportRow, Fault> {
        Ok(ExportRow {
            project: self.id()?,
            id: self.id()?,
            keep_days: self.i16()?,
            hash: some(self.array()?.map(i64::from_be_bytes))?,
            accepted_at: self.time()?,
        })
    }

    fn id(&mut self) -> Result<Uuid, Fault> {
        some(self.id_or_null()?)
    }

    fn id_or_null(&mut self) -> Result<Option<Uuid>, Fault> {
        Ok(self.array()?.map(Uuid::from_bytes))
    }

    fn i16(&mut self) -> Result<i16, Fault> {
        some(self.i16_or_null()?)
    }

    fn i16_or_null(&mut self) -> Result<Option<i16>, Fault> {
        Ok(self.array()?.map(i16::from_be_bytes))
    }

    fn i32(&mut self) -> Result<i32, Fault> {
        some(self.i32_or_null()?)
    }

    fn i32_or_null(&mut self) -> Result<Option<i32>, Fault> {
        Ok(self.array()?.map(i32::from_be_bytes))
    }

    fn bool(&mut self) -> Result<bool, Fault> {
        Ok(some(self.array::<1>()?)? != [0])
    }

    fn time(&mut self) -> Result<DateTime<Utc>, Fault> {
        some(self.time_or_null()?)
    }

    fn time_or_null(&mut self) -> Result<Option<DateTime<Utc>>, Fault> {
        let Some(micros) = self.array()?.map(i64::from_be_bytes) else {
            return Ok(None);
        };
        let epoch = DateTime::from_timestamp(946_684_800, 0).ok_or(Fault("no epoch"))?;
        epoch
            .checked_add_signed(TimeDelta::microseconds(micros))
            .map(Some)
            .ok_or(Fault("a time out of range"))
    }

    fn text(&mut self) -> Result<&'a str, Fault> {
        some(self.text_or_null()?)
    }

    fn text_or_null(&mut self) -> Result<Option<&'a str>, Fault> {
        self.next()?
            .map(|bytes| std::str::from_utf8(bytes).map_err(|_| Fault("a text is not UTF-8")))
            .transpose()
    }
}

fn some<T>(value: Option<T>) -> Result<T, Fault> {
    value.ok_or(Fault("a field is null that never is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(rows: &[&[Option<&[u8]>]]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0; 8]);
        for row in rows {
            bytes.extend(i16::try_from(row.len()).expect("few").to_be_bytes());
            for field in *row {
                match field {
                    Some(field) => {
                        bytes.extend(i32::try_from(field.len()).expect("short").to_be_bytes());
                        bytes.extend_from_slice(field);
                    }
                    None => bytes.extend((-1_i32).to_be_bytes()),
                }
            }
        }
        bytes.extend(TRAILER.to_be_bytes());
        bytes
    }

    #[test]
    fn rows_come_out_whole_however_the_stream_is_cut() {
        let bytes = stream(&[&[Some(b"abc"), None], &[Some(b""), Some(b"xyz")]]);
        for cut in 1..bytes.len() {
            let mut decoder = Decoder::default();
            let mut fields = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                while let Some(row) = decoder.next_row().expect("a stream") {
                    let mut reader = Reader::new(&row);
                    for _ in 0..2 {
                        fields.push(reader.next().expect("a field").map(<[u8]>::to_vec));
                    }
                }
            }
            assert!(decoder.is_complete());
            assert_eq!(
                fields,
                [
                    Some(b"abc".to_vec()),
                    None,
                    Some(b"".to_vec()),
                    Some(b"xyz".to_vec())
                ]
            );
        }
    }

    #[test]
    fn a_stream_that_breaks_off_is_not_complete() {
        let bytes = stream(&[&[Some(b"abc")]]);
        let mut decoder = Decoder::default();
        decoder.push(&bytes[..bytes.len() - 2]);
        while decoder.next_row().expect("a stream").is_some() {}
        assert!(!decoder.is_complete());
    }

    #[test]
    fn something_else_is_refused() {
        let mut decoder = Decoder::default();
        decoder.push(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        assert_eq!(decoder.next_row().err(), Some(Fault("wrong signature")));
    }
}
