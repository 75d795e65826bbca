//! Where an answer came from: headers of everything that may lie in the archive.

use axum::response::{IntoResponseParts, ResponseParts};
use http::{HeaderName, HeaderValue};
use services::archive::{Cost, Read, Tier};

use crate::envelope::Reply;

/// `hot`, `archive` or `mixed`.
pub const TIER: HeaderName = HeaderName::from_static("x-longhaul-tier");
/// Requests to object stores that the answer took; only when the archive was looked into.
pub const REQUESTS: HeaderName = HeaderName::from_static("x-longhaul-archive-requests");
/// Bytes that came from object stores; only when the archive was looked into.
pub const BYTES: HeaderName = HeaderName::from_static("x-longhaul-archive-bytes");

/// Where an answer came from, and what that took.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    tier: Tier,
    cost: Cost,
}

/// An answer that says where it came from.
pub type Sourced<T> = (Source, Reply<T>);

impl Source {
    /// Of what was read.
    pub fn of<T>(read: &Read<T>) -> Self {
        Self {
            tier: read.tier(),
            cost: read.cost,
        }
    }
}

impl IntoResponseParts for Source {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        let headers = parts.headers_mut();
        headers.insert(TIER, HeaderValue::from_static(self.tier.as_str()));
        if self.cost.is_archive() {
            headers.insert(REQUESTS, HeaderValue::from(self.cost.requests));
            headers.insert(BYTES, HeaderValue::from(self.cost.bytes));
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    #[test]
    fn what_came_from_the_archive_says_what_it_took() {
        let cost = Cost {
            requests: 2,
            bytes: 5_000,
            ..Cost::default()
        };
        let source = Source {
            tier: Tier::Mixed,
            cost,
        };
        let response = (source, Reply::ok("read", 1)).into_response();
        let headers = response.headers();
        assert_eq!(headers[TIER], "mixed");
        assert_eq!(
            (&headers[REQUESTS], &headers[BYTES]),
            (&HeaderValue::from(2), &HeaderValue::from(5_000))
        );
    }
}
