//! Requests that change something with a cookie must come from the dashboard itself.
//!
//! The cookie is `SameSite=Lax` already; this refuses what is left: sites on the same registrable
//! domain, and browsers that ignore the attribute. `Sec-Fetch-Site` says it in new browsers,
//! `Origin` in all; a request with neither comes from no browser and carries no stolen cookie.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::{Method, StatusCode};

/// Origins that may change something.
#[derive(Clone, Debug)]
pub struct Allowed(Arc<str>);

impl Allowed {
    /// The origin of the instance's public address.
    pub fn new(public_url: &str) -> Self {
        let origin = url::Url::parse(public_url).map(|url| url.origin().ascii_serialization());
        Self(Arc::from(origin.unwrap_or_default()))
    }
}

/// Refuses changes that another site asked for.
pub async fn check(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || is_own(&allowed, &request) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "This request came from another site.").into_response()
}

fn is_own(allowed: &Allowed, request: &Request) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = header(ORIGIN.as_str()) else {
        return true;
    };
    let host = header(HOST.as_str()).unwrap_or_default();
    origin == &*allowed.0 || origin.split_once("://").is_some_and(|(_, own)| own == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(Method::POST).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(axum::body::Body::empty()).expect("valid");
        is_own(&Allowed::new("https://hooks.harbour.example/"), &request)
    }

    #[test]
    fn only_the_dashboard_itself_may_change_something() {
        assert!(judge(&[
            ("origin", "https://hooks.harbour.example"),
            ("host", "10.0.0.7:5005")
        ]));
        assert!(judge(&[
            ("origin", "http://localhost:5005"),
            ("host", "localhost:5005")
        ]));
        assert!(judge(&[("sec-fetch-site", "same-origin")]));
        assert!(judge(&[]));
        assert!(!judge(&[
            ("origin", "https://evil.example"),
            ("host", "hooks.harbour.example")
        ]));
        assert!(!judge(&[("origin", "null"), ("host", "hooks.harbour.example")]));
        assert!(!judge(&[
            ("sec-fetch-site", "same-site"),
            ("origin", "https://a.harbour.example")
        ]));
        assert!(!judge(&[("sec-fetch-site", "cross-site")]));
    }
}
