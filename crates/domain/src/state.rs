//! The states of events, deliveries and endpoints: codes in storage, names on the wire, words and
//! marks on pages. One map, used by every layer.

use serde::{Deserialize, Serialize};

/// How a state looks on a page: the value of `data-state` in the style sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// `success`, `retry`, `failure`, `paused`, `archived`, `dropped`, `active` or `neutral`.
    pub state: &'static str,
    /// Name of the icon without the `i-` prefix.
    pub icon: &'static str,
    /// The word a person reads.
    pub word: &'static str,
}

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $wire:literal, ($state:literal, $icon:literal, $word:literal);)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $wire)] $variant,)+
        }

        impl $name {
            /// Every value, in the order in which pages list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number in storage.
            pub fn code(self) -> i16 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The value stored as `code`; `None` for a number that was never written.
            pub fn from_code(code: i16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)+ }
            }

            /// The value called `name` on the wire, without regard to case.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.as_str().eq_ignore_ascii_case(name))
            }

            /// How it looks on a page.
            pub fn look(self) -> Look {
                match self { $(Self::$variant => Look { state: $state, icon: $icon, word: $word },)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// Where an event stands: stored, matched, or ended without a match.
    EventState {
        /// Stored, not yet matched. Owned by the sweeper until a worker has it.
        Pending = 0, "Pending", ("neutral", "clock", "Pending");
        /// A worker is matching it.
        Processing = 1, "Processing", ("active", "running", "Matching");
        /// Matched, or known as a duplicate.
        Success = 2, "Success", ("success", "success", "Matched");
        /// Ended without a delivery; the reason stands beside it.
        Failure = 3, "Failure", ("failure", "failure", "No match");
    }
}

states! {
    /// Where a delivery stands.
    DeliveryState {
        /// Waits for its first attempt, or for its endpoint to be activated.
        Scheduled = 0, "Scheduled", ("neutral", "clock", "Scheduled");
        /// Being sent under a lease.
        Processing = 1, "Processing", ("active", "running", "Sending");
        /// Failed and will be tried again.
        Retry = 2, "Retry", ("retry", "retry", "Retrying");
        /// The endpoint answered 2xx.
        Success = 3, "Success", ("success", "success", "Delivered");
        /// Attempts used up.
        Failure = 4, "Failure", ("failure", "failure", "Failed");
        /// Not sent: the endpoint was inactive or gone.
        Discarded = 5, "Discarded", ("dropped", "dropped", "Discarded");
    }
}

impl DeliveryState {
    /// Whether nothing will happen to the delivery any more unless a person asks.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Discarded)
    }
}

states! {
    /// Where a segment of the archive stands. Only committed and rewriting ones are read.
    SegmentState {
        /// The intent was written; the object may or may not exist.
        Planned = 0, "planned", ("active", "running", "Planned");
        /// The object lies in the store and was not read back yet.
        Uploaded = 1, "uploaded", ("active", "running", "Uploaded");
        /// Read back and found whole: it counts.
        Committed = 2, "committed", ("success", "shield", "Verified");
        /// It counts, and its object is being replaced by one without erased values.
        Rewriting = 3, "rewriting", ("active", "running", "Rewriting");
        /// Its writer gave up; its object goes with the next sweep.
        Abandoned = 4, "abandoned", ("dropped", "dropped", "Abandoned");
        /// A later segment holds its rows; its object goes with the next sweep.
        Replaced = 5, "replaced", ("dropped", "dropped", "Replaced");
        /// Its object was removed.
        Deleted = 6, "deleted", ("dropped", "dropped", "Deleted");
        /// Its object is damaged or unknown: a person has to look.
        Quarantined = 7, "quarantined", ("failure", "failure", "Quarantined");
    }
}

states! {
    /// Whether an endpoint takes deliveries.
    EndpointState {
        /// Takes deliveries.
        Active = 0, "active", ("success", "success", "Active");
        /// Off: new deliveries to it are discarded.
        Inactive = 1, "inactive", ("dropped", "dropped", "Inactive");
        /// Held by a person: deliveries wait until it is activated.
        Paused = 2, "paused", ("paused", "paused", "Paused");
    }
}
