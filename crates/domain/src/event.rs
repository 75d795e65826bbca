//! What an event is asked to do.

use serde::{Deserialize, Serialize};

use crate::id::EndpointId;

/// How an event came and whom it is for, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// For the subscriptions of one endpoint.
    Single = 0,
    /// For the endpoints of one owner.
    Fanout = 1,
    /// For every subscription of the project.
    Broadcast = 2,
    /// Received from a provider for a source.
    Ingest = 3,
}

impl EventKind {
    /// The number in storage.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// The kind stored as `code`.
    pub fn from_code(code: i16) -> Option<Self> {
        match code {
            0 => Some(Self::Single),
            1 => Some(Self::Fanout),
            2 => Some(Self::Broadcast),
            3 => Some(Self::Ingest),
            _ => None,
        }
    }
}

/// Whom an event is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The subscriptions of one endpoint.
    Endpoint(EndpointId),
    /// The endpoints that carry this owner id.
    Owner(String),
    /// Every subscription of the project.
    Broadcast,
}

impl Target {
    /// How the event is stored.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Endpoint(_) => EventKind::Single,
            Self::Owner(_) => EventKind::Fanout,
            Self::Broadcast => EventKind::Broadcast,
        }
    }
}
