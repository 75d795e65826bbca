//! The outermost layer: headers that every answer carries (the request's id, the version of the
//! API, CORS), and panics turned into answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::response::Response;
use domain::clock::Clock;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tower_http::cors::CorsLayer;

use crate::error::{Fault, panic_response};
use crate::tier;

/// Names one request, in the answer and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The version of the API, under the name that SDKs know.
pub const VERSION: HeaderName = HeaderName::from_static("x-convoy-version");
/// The newest version of the API.
pub const NEWEST_VERSION: &str = "2025-11-24";
/// Longest request id that is taken over from a caller.
const LONGEST_REQUEST_ID: usize = 128;

/// Which pages may call the API from a browser: those of the instance itself.
pub fn cors(public_url: &str) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, REQUEST_ID, VERSION])
        .expose_headers([
            REQUEST_ID,
            VERSION,
            header::RETRY_AFTER,
            tier::TIER,
            tier::REQUESTS,
            tier::BYTES,
        ]);
    match origin_of(public_url) {
        Some(origin) => layer.allow_origin(origin),
        None => layer,
    }
}

/// `https://host:port` of an address.
fn origin_of(url: &str) -> Option<HeaderValue> {
    let uri: Uri = url.parse().ok()?;
    HeaderValue::from_str(&format!("{}://{}", uri.scheme_str()?, uri.authority()?)).ok()
}

/// Adds the request's id and the API version to every answer, answers for handlers that panicked,
/// and logs the cause of a 500.
#[derive(Clone, Debug)]
pub struct EdgeLayer {
    clock: Arc<dyn Clock>,
}

impl EdgeLayer {
    /// Ids are stamped with the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge {
            inner,
            clock: Arc::clone(&self.clock),
        }
    }
}

/// See [`EdgeLayer`].
#[derive(Clone, Debug)]
pub struct Edge<S> {
    inner: S,
    clock: Arc<dyn Clock>,
}

impl<S, B> Service<Request<B>> for Edge<S>
where
    S: Service<Request<B>, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = EdgeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> EdgeFuture<S::Future> {
        let id = request_id(&request, self.clock.as_ref());
        EdgeFuture {
            inner: self.inner.call(request),
            id: Some(id),
        }
    }
}

/// The caller's id when it is fit to be repeated, else a fresh one.
fn request_id<B>(request: &Request<B>, clock: &dyn Clock) -> HeaderValue {
    let fit = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        !bytes.is_empty() && bytes.len() <= LONGEST_REQUEST_ID && bytes.iter().all(u8::is_ascii_graphic)
    };
    if let Some(id) = request.headers().get(REQUEST_ID).filter(fit) {
        return id.clone();
    }
    let mut text = uuid::Uuid::encode_buffer();
    let text = domain::id::uuid_at(clock.now())
        .hyphenated()
        .encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"))
}

pin_project! {
    /// The answer, then its headers.
    pub struct EdgeFuture<F> {
        #[pin]
        inner: F,
        id: Option<HeaderValue>,
    }
}

impl<F, E> Future for EdgeFuture<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inner = this.inner;
        // A panicked future is dropped and never polled again, so no broken state is seen.
        let mut response = match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(answer) => ready!(answer)?,
            Err(panic) => panic_response(panic),
        };
        let id = this.id.take().unwrap_or(HeaderValue::from_static("unknown"));
        if let Some(Fault(cause)) = response.extensions_mut().remove::<Fault>() {
            tracing::error!(request_id = ?id, %cause, "request failed");
        }
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id);
        headers.insert(VERSION, HeaderValue::from_static(NEWEST_VERSION));
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use domain::clock::SystemClock;

    use super::*;

    fn id_for(given: Option<&[u8]>) -> String {
        let mut request = Request::new(());
        if let Some(given) = given {
            let value = HeaderValue::from_bytes(given).expect("a header value");
            request.headers_mut().insert(REQUEST_ID, value);
        }
        request_id(&request, &SystemClock)
            .to_str()
            .expect("ASCII")
            .to_owned()
    }

    #[test]
    fn a_callers_request_id_is_kept() {
        assert_eq!(id_for(Some(b"trace-42")), "trace-42");
    }

    #[test]
    fn ids_that_could_mislead_a_log_are_replaced() {
        for given in [&b""[..], b"two words", "é".as_bytes(), &[b'a'; 129]] {
            let id = id_for(Some(given));
            assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");
        }
        assert_ne!(id_for(None), id_for(None));
    }

    #[test]
    fn the_origin_is_the_address_without_its_path() {
        assert_eq!(
            origin_of("https://hooks.example.com/base").expect("an origin"),
            "https://hooks.example.com"
        );
        assert_eq!(origin_of("not an address"), None);
    }
}
