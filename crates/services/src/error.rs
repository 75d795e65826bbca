//! The one error of all use cases. Three places map it outwards: the REST envelope (`api`), the
//! page error (`app`) and retry-or-fail (`worker`).

use db::DbError;

/// Result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// A field that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Name on the wire, dotted for nested fields: `config.strategy.retry_count`.
    pub field: String,
    /// What is wrong and what to do, as a sentence part: `must be between 1 and 3650`.
    pub reason: String,
}

/// Why a use case did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing does not exist, or the actor must not know that it does.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// One or more fields were refused.
    #[error("{}", describe(.0))]
    Invalid(Vec<FieldError>),
    /// The state of things forbids it; says which.
    #[error("{0}")]
    Conflict(String),
    /// The actor is known but may not.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Nobody is signed in, or the credential is wrong.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// Too many calls; try again after so many seconds.
    #[error("exceeded rate limit")]
    RateLimited {
        /// Seconds until the next call may succeed.
        retry_after: u64,
    },
    /// A store is away; try again after so many seconds.
    #[error("{what} is away, try again")]
    Unavailable {
        /// The store.
        what: &'static str,
        /// Seconds until a new try makes sense.
        retry_after: u64,
    },
    /// The query ran into its time limit.
    #[error("the query took too long; narrow the time range or the filters")]
    TooSlow,
    /// A bug. The text stays inside; outside only its existence is told.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// One refused field.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.into(),
            reason: reason.into(),
        }])
    }

    /// A bug, told with its cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

/// `field:reason, field2:reason`, the form that SDKs of the replaced gateway show.
fn describe(fields: &[FieldError]) -> String {
    fields
        .iter()
        .map(|f| format!("{}:{}", f.field, f.reason))
        .collect::<Vec<_>>()
        .join(", ")
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) => Self::Unavailable {
                what: "PostgreSQL",
                retry_after: 5,
            },
            DbError::Moved => Self::Unavailable {
                what: "PostgreSQL",
                retry_after: 1,
            },
            DbError::Timeout => Self::TooSlow,
            DbError::Duplicate { constraint } => Self::Conflict(format!("already exists ({constraint})")),
            DbError::NoLeaf | DbError::Internal(_) => Self::Internal(Box::new(error)),
        }
    }
}

impl From<queue::QueueError> for Error {
    fn from(error: queue::QueueError) -> Self {
        tracing::warn!(%error, "queue write failed");
        Self::Unavailable {
            what: "Redis",
            retry_after: 5,
        }
    }
}
