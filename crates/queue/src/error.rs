//! What can go wrong: towards Redis ([`QueueError`]) and inside a handler ([`Failure`]).

use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerError};

/// Why the queue could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// Redis is away, starting, failing over or too slow. The write may nevertheless have happened.
    #[error("Redis is not available: {0}")]
    Unavailable(Arc<str>),
    /// Redis is out of memory, or the queue has reached its maximum length.
    #[error("the queue is full: {0}")]
    Full(Arc<str>),
    /// The entry is in Redis, but too few replicas confirmed it in time.
    #[error("{reached} of {wanted} replicas confirmed in time")]
    NotReplicated {
        /// Replicas asked for.
        wanted: u32,
        /// Replicas that confirmed.
        reached: u32,
    },
    /// Redis refused the command or gave an unexpected answer; trying again will not help.
    #[error("Redis refused: {code}: {message}")]
    Rejected {
        /// First word of the answer, for example `WRONGTYPE`.
        code: Arc<str>,
        /// The rest of it.
        message: Arc<str>,
    },
    /// An address, name or option that cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The queue of this process has been shut down.
    #[error("the queue is closed")]
    Closed,
}

impl QueueError {
    pub(crate) fn unexpected(message: &str) -> Self {
        Self::Rejected {
            code: Arc::from("ANSWER"),
            message: Arc::from(message),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Full(_) | Self::NotReplicated { .. }
        )
    }

    /// Whether stream or consumer group are gone, as after Redis was emptied.
    pub(crate) fn is_missing_group(&self) -> bool {
        matches!(self, Self::Rejected { code, .. } if matches!(&**code, "NOGROUP" | "UNBLOCKED"))
    }

    fn from_code(code: &str, text: &str) -> Self {
        match code {
            "OOM" => Self::Full(Arc::from(text)),
            "LOADING" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "MISCONF" | "BUSY"
            | "NOREPLICAS" | "NOAUTH" | "WRONGPASS" | "MOVED" | "ASK" => {
                Self::Unavailable(Arc::from(format!("{code} {text}")))
            }
            _ => Self::Rejected {
                code: Arc::from(code),
                message: Arc::from(text),
            },
        }
    }
}

impl From<&ServerError> for QueueError {
    fn from(error: &ServerError) -> Self {
        Self::from_code(error.code(), error.details().unwrap_or_default())
    }
}

impl From<RedisError> for QueueError {
    fn from(error: RedisError) -> Self {
        if let Some(code) = error.code() {
            return Self::from_code(code, error.detail().unwrap_or_default());
        }
        match error.kind() {
            ErrorKind::InvalidClientConfig => Self::Invalid(error.to_string()),
            ErrorKind::UnexpectedReturnType => Self::unexpected(&error.to_string()),
            _ => Self::Unavailable(Arc::from(error.to_string())),
        }
    }
}

/// Why a handler did not finish its entry, and what shall become of it.
///
/// Any other error of a handler counts as [`Failure::retry`]. The reason is kept with a dead entry
/// and logged: it must not hold secrets or payloads.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    pub(crate) reason: String,
    pub(crate) fate: Fate,
}

/// What a [`Failure`] asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    Retry,
    RetryAfter(Duration),
    Bury,
}

impl Failure {
    /// Try again after the queue's back-off, until the attempts are used up.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            fate: Fate::Retry,
        }
    }

    /// Try again after `delay`, until the attempts are used up.
    pub fn retry_after(reason: impl Into<String>, delay: Duration) -> Self {
        Self {
            reason: reason.into(),
            fate: Fate::RetryAfter(delay),
        }
    }

    /// Trying again is pointless: the entry goes to the dead entries at once.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            fate: Fate::Bury,
        }
    }
}
