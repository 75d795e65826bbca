//! What entries say. Every payload starts with a version byte, so that workers of two releases can
//! share a queue while one replaces the other: a new form gets a new byte, and old ones stay
//! readable for one release.

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use domain::event::Target;
use domain::id::{DeliveryId, EventId, ProjectId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::codec::{Payload, PayloadError};

/// An accepted event on its way to a worker.
///
/// Version 1: version byte, length of the facts (u32, big-endian), the facts in postcard's form,
/// the payload as received. The payload stays a slice of the entry and is never copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedEvent {
    /// Everything but the payload.
    pub facts: Facts,
    /// JSON text as received.
    pub payload: ByteString,
}

/// What is known of an accepted event beside its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its id, stamped with the instant of acceptance.
    pub id: EventId,
    /// Its project.
    pub project: ProjectId,
    /// Version of the project that the accepting process knew.
    pub catalog_version: i64,
    /// Whom it is for.
    pub target: Target,
    /// Its type.
    pub event_type: String,
    /// Custom headers.
    pub headers: Vec<(String, String)>,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// PostgreSQL has the row already.
    pub stored: bool,
}

const EVENT_V1: u8 = 1;

impl Payload for AcceptedEvent {
    fn encode(&self) -> Bytes {
        let facts = postcard::to_stdvec(&self.facts).expect("facts are plain data");
        let mut bytes = BytesMut::with_capacity(5 + facts.len() + self.payload.len());
        bytes.put_u8(EVENT_V1);
        bytes.put_u32(facts.len() as u32);
        bytes.put_slice(&facts);
        bytes.put_slice(self.payload.as_bytes());
        bytes.freeze()
    }

    fn decode(mut bytes: Bytes) -> Result<Self, PayloadError> {
        let (version, length) = match bytes.get(..5) {
            Some([version, length @ ..]) => (
                *version,
                u32::from_be_bytes(length.try_into().unwrap_or_default()) as usize,
            ),
            _ => return Err(PayloadError("an event's entry is cut short".to_owned())),
        };
        if version != EVENT_V1 {
            return Err(PayloadError(format!(
                "unknown version {version} of an event's entry"
            )));
        }
        let _ = bytes.split_to(5);
        if length > bytes.len() {
            return Err(PayloadError("an event's entry is cut short".to_owned()));
        }
        let facts = bytes.split_to(length);
        let facts =
            postcard::from_bytes(&facts).map_err(|e| PayloadError(format!("an event's facts: {e}")))?;
        let payload =
            ByteString::try_from(bytes).map_err(|e| PayloadError(format!("an event's payload: {e}")))?;
        Ok(Self { facts, payload })
    }
}

/// A delivery that is to be looked at: retry, resend, release. Version byte and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueDelivery(pub DeliveryId);

const DELIVERY_V1: u8 = 1;

impl Payload for DueDelivery {
    fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(17);
        bytes.put_u8(DELIVERY_V1);
        bytes.put_slice(self.0.0.as_bytes());
        bytes.freeze()
    }

    fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
        match bytes.split_first() {
            Some((&DELIVERY_V1, id)) => Uuid::from_slice(id)
                .map(|id| Self(DeliveryId(id)))
                .map_err(|e| PayloadError(format!("a delivery's entry: {e}"))),
            _ => Err(PayloadError("unknown version of a delivery's entry".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> AcceptedEvent {
        AcceptedEvent {
            facts: Facts {
                id: EventId(Uuid::from_u128(7)),
                project: ProjectId(Uuid::from_u128(8)),
                catalog_version: 3,
                target: Target::Owner("harbour".to_owned()),
                event_type: "order.created".to_owned(),
                headers: vec![("x-a".to_owned(), "1".to_owned())],
                idempotency_key: None,
                stored: false,
            },
            payload: ByteString::from_static("{\"a\": 1}"),
        }
    }

    #[test]
    fn an_event_reads_back_with_its_payload_byte_for_byte() {
        assert_eq!(AcceptedEvent::decode(event().encode()).expect("decodes"), event());
    }

    #[test]
    fn cut_or_foreign_bytes_are_refused_and_never_panic() {
        let good = event().encode();
        for end in 0..good.len() - event().payload.len() {
            assert!(AcceptedEvent::decode(good.slice(..end)).is_err(), "cut at {end}");
        }
        assert!(AcceptedEvent::decode(Bytes::from_static(b"\x02\0\0\0\0{}")).is_err());
        assert!(DueDelivery::decode(Bytes::from_static(b"\x01abc")).is_err());
        assert!(DueDelivery::decode(Bytes::new()).is_err());
    }

    #[test]
    fn a_delivery_reads_back() {
        let due = DueDelivery(DeliveryId(Uuid::from_u128(9)));
        assert_eq!(DueDelivery::decode(due.encode()).expect("decodes"), due);
    }
}
