//! How payload types become bytes and come back.

use bytes::Bytes;

/// Something that can travel through a queue.
pub trait Payload: Sized + Send + 'static {
    /// The bytes to store.
    fn encode(&self) -> Bytes;

    /// Reads what [`encode`](Self::encode) wrote, also by an older version of the program.
    ///
    /// Entries that cannot be read go to the dead entries with the error as their reason.
    fn decode(bytes: Bytes) -> Result<Self, PayloadError>;
}

/// Why bytes are not a payload of the expected type. The text is stored with the dead entry.
#[derive(Debug, Clone, thiserror::Error)]
#[error("undecodable payload: {0}")]
pub struct PayloadError(pub String);

impl Payload for Bytes {
    fn encode(&self) -> Bytes {
        self.clone()
    }

    fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
        Ok(bytes)
    }
}
