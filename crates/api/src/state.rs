//! What handlers share.

use std::sync::Arc;

use services::Services;

/// Room in a request body for everything that is not the payload, in bytes.
const ENVELOPE_ROOM: usize = 64 * 1024;

/// What handlers share. Cloned per request: one reference count.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// The use cases.
    pub services: Arc<Services>,
}

impl ApiState {
    /// Most bytes of a request body.
    pub fn body_limit(&self) -> usize {
        self.services.options.ingest.max_payload_bytes as usize + ENVELOPE_ROOM
    }
}
