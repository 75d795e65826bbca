//! What can go wrong with a store, said so that somebody can put it right.

use std::fmt;

/// Which kind of trouble it is; decides what a caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The store does not answer, or not as a working store does. The call may nevertheless have had its effect.
    Unreachable,
    /// It asks to be called more slowly, or two writers met. Nothing happened.
    Throttled,
    /// The credentials are unknown, wrong or have expired.
    Credentials,
    /// The credentials are right but do not allow this, or the object is protected.
    Denied,
    /// The bucket or the folder does not exist.
    NoBucket,
    /// The bucket is in another region.
    WrongRegion,
    /// The clocks of this machine and the store are too far apart.
    WrongClock,
    /// The object is not in the state that the call asked for: it exists, is gone or has changed.
    Precondition,
    /// There is no such object.
    NotFound,
    /// The folder cannot be written.
    NotWritable,
    /// The store has no room.
    Full,
    /// What was read is not what was written.
    Corrupt,
    /// The store does not know this call.
    Unsupported,
    /// Anything else; trying again will not help.
    Other,
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub struct StoreError {
    kind: ErrorKind,
    say: String,
    detail: String,
}

impl StoreError {
    /// An error with what to change.
    pub fn new(kind: ErrorKind, say: impl Into<String>) -> Self {
        Self {
            kind,
            say: say.into(),
            detail: String::new(),
        }
    }

    /// The same with the words of the store.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Which kind of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to change, without the words of the store.
    pub fn say(&self) -> &str {
        &self.say
    }

    /// The words of the store; may be empty.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Unreachable | ErrorKind::Throttled)
    }

    /// Whether the call may have had its effect although it failed: look before trying anything else.
    pub fn is_unsure(&self) -> bool {
        self.kind == ErrorKind::Unreachable
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}
