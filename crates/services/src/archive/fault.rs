//! Why a segment could not be read, sorted by what the reader does about it.

use db::DbError;

use crate::error::Error;

/// What readers of the archive call the store when it is away.
const ARCHIVE: &str = "the archive";
/// Seconds until a new try makes sense while an object is being replaced.
const MOMENT: u64 = 1;
/// Seconds until a new try makes sense while a store is away.
const WHILE: u64 = 10;

/// Why a read did not happen.
#[derive(Debug)]
pub(super) enum Fault {
    /// The segment changed since its row was read: read again.
    Stale,
    /// The read may fetch no more.
    Spent,
    /// Anything else.
    Failed(Error),
}

impl Fault {
    /// The store cannot be used now, for whatever reason.
    pub(super) fn away() -> Self {
        Self::Failed(Error::Unavailable {
            what: ARCHIVE,
            retry_after: WHILE,
        })
    }

    pub(super) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(Error::internal(cause))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Stale => Self::Unavailable {
                what: ARCHIVE,
                retry_after: MOMENT,
            },
            Fault::Spent => Self::TooSlow,
            Fault::Failed(error) => error,
        }
    }
}
