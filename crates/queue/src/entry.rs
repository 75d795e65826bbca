//! Entries as handlers see them, and how they are read from Redis answers.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use redis::Value;

use crate::error::QueueError;

/// Id of an entry: the millisecond in which Redis took it and a running number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Milliseconds since 1970 by the clock of Redis.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

impl fmt::Display for EntryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for EntryId {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('-')
            .and_then(|(ms, seq)| {
                Some(Self {
                    ms: ms.parse().ok()?,
                    seq: seq.parse().ok()?,
                })
            })
            .ok_or_else(|| {
                QueueError::Invalid(format!("{text:?} is not an entry id such as 1731000000000-0"))
            })
    }
}

/// One entry handed to a handler.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// Its id in the stream; a retried entry gets a new one.
    pub id: EntryId,
    /// What was pushed.
    pub payload: T,
    /// Failed attempts before this one.
    pub attempts: u32,
    /// How often this id was given out, this time included. More than 1 means that an earlier
    /// consumer vanished or was too slow, so the work may already be done in part or whole.
    pub deliveries: u32,
}

/// An entry before its payload is decoded.
#[derive(Debug)]
pub(crate) struct RawEntry {
    pub(crate) id: EntryId,
    /// `None` when the stream entry has no payload field: not written by this program.
    pub(crate) payload: Option<Bytes>,
    pub(crate) attempts: u32,
    pub(crate) deliveries: u32,
}

/// Reads the answer of `XREADGROUP` over one stream; nil means that nothing arrived in time.
pub(crate) fn from_read(answer: Value) -> Vec<RawEntry> {
    let entries = match answer {
        Value::Array(streams) => streams.into_iter().next().and_then(|stream| match stream {
            Value::Array(pair) => pair.into_iter().nth(1),
            _ => None,
        }),
        Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
        _ => None,
    };
    entries.map_or_else(Vec::new, |entries| from_entries(entries, 1))
}

/// Reads a list of pairs of id and fields, as `XCLAIM` answers it.
pub(crate) fn from_entries(entries: Value, deliveries: u32) -> Vec<RawEntry> {
    let Value::Array(entries) = entries else {
        return Vec::new();
    };
    entries
        .into_iter()
        .filter_map(|entry| from_pair(entry, deliveries))
        .collect()
}

/// Reads the answer of `claim.lua`: triples of id, deliveries and fields.
pub(crate) fn from_claim(answer: Value) -> Vec<RawEntry> {
    let Value::Array(entries) = answer else {
        return Vec::new();
    };
    entries.into_iter().filter_map(from_triple).collect()
}

fn from_triple(triple: Value) -> Option<RawEntry> {
    let Value::Array(parts) = triple else { return None };
    let [id, deliveries, fields] = <[Value; 3]>::try_from(parts).ok()?;
    Some(read_fields(id_of(&id)?, number_of(&deliveries)?, fields))
}

fn from_pair(pair: Value, deliveries: u32) -> Option<RawEntry> {
    let Value::Array(parts) = pair else { return None };
    let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
    Some(read_fields(id_of(&id)?, deliveries, fields))
}

fn read_fields(id: EntryId, deliveries: u32, fields: Value) -> RawEntry {
    let mut entry = RawEntry {
        id,
        payload: None,
        attempts: 0,
        deliveries,
    };
    for_each_field(fields, |name, value| match name {
        b"p" => entry.payload = Some(Bytes::from(value)),
        b"a" => entry.attempts = parse(&value).unwrap_or(0),
        _ => {}
    });
    entry
}

/// Calls `visit` with every field of a stream entry.
pub(crate) fn for_each_field(fields: Value, mut visit: impl FnMut(&[u8], Vec<u8>)) {
    let Value::Array(fields) = fields else { return };
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if let (Value::BulkString(name), Value::BulkString(value)) = (name, value) {
            visit(&name, value);
        }
    }
}

/// An entry id in an answer.
pub(crate) fn id_of(value: &Value) -> Option<EntryId> {
    match value {
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// A number in an answer, as integer or as text.
pub(crate) fn number_of<N: FromStr + TryFrom<i64>>(value: &Value) -> Option<N> {
    match value {
        Value::Int(number) => N::try_from(*number).ok(),
        Value::BulkString(text) => parse(text),
        _ => None,
    }
}

/// A number written as decimal text.
pub(crate) fn parse<N: FromStr>(text: &[u8]) -> Option<N> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_read_answer_gives_payload_and_attempts() {
        let fields = Value::Array(vec![text("p"), text("hello"), text("a"), text("3")]);
        let entry = Value::Array(vec![text("17-2"), fields]);
        let answer = Value::Array(vec![Value::Array(vec![text("key"), Value::Array(vec![entry])])]);
        let entries = from_read(answer);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].id, EntryId { ms: 17, seq: 2 });
        assert_eq!(entries[0].payload.as_deref(), Some(&b"hello"[..]));
        assert_eq!((entries[0].attempts, entries[0].deliveries), (3, 1));
    }

    #[test]
    fn answers_of_another_shape_give_nothing() {
        for answer in [
            Value::Nil,
            Value::Okay,
            Value::Array(vec![text("x")]),
            Value::Int(1),
        ] {
            assert!(from_read(answer).is_empty());
        }
        assert!(from_claim(Value::Array(vec![Value::Int(1)])).is_empty());
    }

    #[test]
    fn ids_read_back_as_written() {
        let id = EntryId {
            ms: 1_731_000_000_000,
            seq: 7,
        };
        assert_eq!(id.to_string().parse::<EntryId>().expect("reads"), id);
        assert!("17".parse::<EntryId>().is_err());
    }
}
