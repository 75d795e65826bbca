//! The page `/api/docs`: the OpenAPI document as plain HTML, without scripts and without anything
//! from elsewhere.

mod render;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header;

/// Nothing but the page's own style sheet may be loaded.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page of this build. Written once.
static PAGE: LazyLock<Bytes> = LazyLock::new(|| {
    let document = serde_json::from_slice(&crate::openapi::text()).unwrap_or_default();
    Bytes::from(render::page(&document))
});

/// Answers with the page.
pub async fn serve() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, PAGE.clone()).into_response()
}

/// Answers with the page's style sheet.
pub async fn style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("docs_page/style.css"),
    )
        .into_response()
}
