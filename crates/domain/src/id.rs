//! Ids: UUIDv7, one type per noun.
//!
//! An id starts with the millisecond at which its thing was made. An event's deliveries and
//! attempts are stamped with the event's `accepted_at`, so any of their ids tells the day that
//! holds them, and a look-up by id touches one day only.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The instant that a UUIDv7 carries, or `None` when `id` is of another version.
pub fn instant_of(id: Uuid) -> Option<DateTime<Utc>> {
    if id.get_version_num() != 7 {
        return None;
    }
    let millis = id.as_u128() >> 80;
    DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)
}

/// The smallest and the largest id stamped with the millisecond of `at`.
///
/// Everything that belongs to an event lies between the two, which makes one index on the id
/// serve both listing and "what belongs to this event".
pub fn bounds_of_millisecond(at: DateTime<Utc>) -> (Uuid, Uuid) {
    (
        first_of_millisecond(at),
        Uuid::from_u128(first_of_millisecond(at).as_u128() | ((1 << 80) - 1)),
    )
}

/// The smallest value that sorts at or after every id of the milliseconds before `at`.
pub fn first_of_millisecond(at: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(at.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

/// A fresh UUIDv7 stamped with the millisecond of `at`.
///
/// The twelve bits behind the millisecond count on within the process, so that ids made one after
/// the other for the same instant sort in that order (RFC 9562, section 6.2, method 1); the other
/// 62 bits are random.
#[cfg(feature = "generate")]
pub fn uuid_at(at: DateTime<Utc>) -> Uuid {
    use std::sync::atomic::{AtomicU16, Ordering};

    static COUNT: AtomicU16 = AtomicU16::new(0);
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    let mut random: [u8; 10] = rand::random();
    random[..2].copy_from_slice(&(COUNT.fetch_add(1, Ordering::Relaxed) & 0xfff).to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id stamped with the millisecond of `at`.
            #[cfg(feature = "generate")]
            pub fn at(at: DateTime<Utc>) -> Self {
                Self(uuid_at(at))
            }

            /// The instant this id was stamped with; the epoch for foreign ids.
            pub fn instant(self) -> DateTime<Utc> {
                instant_of(self.0).unwrap_or(DateTime::UNIX_EPOCH)
            }

            /// The UTC day this id was stamped with.
            pub fn day(self) -> NaiveDate {
                self.instant().date_naive()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    /// Of an API key.
    ApiKeyId,
    /// Of one attempt to deliver; stamped with its event's `accepted_at`.
    AttemptId,
    /// Of an audit row.
    AuditId,
    /// Of a batch of retries or replays.
    BatchId,
    /// Of a delivery; stamped with its event's `accepted_at`.
    DeliveryId,
    /// Of an endpoint.
    EndpointId,
    /// Of an erasure.
    ErasureId,
    /// Of an event; stamped with `accepted_at`.
    EventId,
    /// Of an event type.
    EventTypeId,
    /// Of a subscription's filter.
    FilterId,
    /// Of a legal hold.
    HoldId,
    /// Of an organisation.
    OrganisationId,
    /// Of a project.
    ProjectId,
    /// Of one execution of a job.
    RunId,
    /// Of an endpoint's secret.
    SecretId,
    /// Of a source.
    SourceId,
    /// Of a version of a storage policy.
    StoragePolicyId,
    /// Of a subscription.
    SubscriptionId,
    /// Of a user.
    UserId,
}

#[cfg(all(test, feature = "generate"))]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_the_millisecond_it_was_stamped_with() {
        let at = DateTime::from_timestamp_millis(1_763_640_000_123).expect("valid");
        let id = EventId::at(at);
        assert_eq!(id.instant(), at);
        assert_eq!(id.0.get_version_num(), 7);
    }

    #[test]
    fn ids_made_one_after_the_other_for_one_instant_sort_in_that_order() {
        let at = DateTime::from_timestamp_millis(1_763_640_000_123).expect("valid");
        let ids: Vec<Uuid> = (0..100).map(|_| uuid_at(at)).collect();
        // The count starts anew after 4096 ids; within a hundred that happens once at most.
        let falls = ids.windows(2).filter(|pair| pair[0] >= pair[1]).count();
        assert!(falls <= 1, "{falls}");
    }

    #[test]
    fn ids_of_one_millisecond_lie_between_its_bounds() {
        let at = DateTime::from_timestamp_millis(1_763_640_000_123).expect("valid");
        let (low, high) = bounds_of_millisecond(at);
        let id = uuid_at(at);
        assert!(low < id && id < high);
        let next = uuid_at(at + chrono::TimeDelta::milliseconds(1));
        assert!(next > high);
    }
}
