//! The shapes around every answer: success, failure, list.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;

/// What every successful answer looks like.
#[derive(Debug, Serialize, ToSchema)]
pub struct Envelope<T> {
    /// Always `true`.
    #[schema(example = true)]
    pub status: bool,
    /// What happened, in words.
    pub message: Cow<'static, str>,
    /// The result; `null` when there is nothing to return.
    pub data: T,
}

/// What every refusal looks like.
#[derive(Debug, Serialize, ToSchema)]
pub struct Failure {
    /// Always `false`.
    #[schema(example = false)]
    pub status: bool,
    /// What is wrong; refused fields as `field:reason, field2:reason`.
    #[schema(example = "http_timeout:must be between 1 and 60")]
    pub message: Cow<'static, str>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The rows of this page.
    pub content: Vec<T>,
    /// How to get the pages around it.
    pub pagination: Pagination,
}

/// Where a page lies in its list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pagination {
    /// Most rows on a page.
    pub per_page: u32,
    /// Whether rows follow.
    pub has_next_page: bool,
    /// Whether rows precede.
    pub has_prev_page: bool,
    /// Id of the first row of the next page; empty when there is none.
    pub next_page_cursor: String,
    /// Id of the first row of this page; empty when the page is.
    pub prev_page_cursor: String,
}

/// A successful answer on its way out.
#[derive(Debug)]
pub struct Reply<T> {
    status: StatusCode,
    body: Envelope<T>,
}

impl<T> Reply<T> {
    /// 200.
    pub fn ok(message: impl Into<Cow<'static, str>>, data: T) -> Self {
        Self::with(StatusCode::OK, message, data)
    }

    /// 201: something was made.
    pub fn created(message: impl Into<Cow<'static, str>>, data: T) -> Self {
        Self::with(StatusCode::CREATED, message, data)
    }

    /// 202: something was changed. SDKs of the replaced gateway expect this code of a change.
    pub fn changed(message: impl Into<Cow<'static, str>>, data: T) -> Self {
        Self::with(StatusCode::ACCEPTED, message, data)
    }

    fn with(status: StatusCode, message: impl Into<Cow<'static, str>>, data: T) -> Self {
        Self {
            status,
            body: Envelope {
                status: true,
                message: message.into(),
                data,
            },
        }
    }
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.body) {
            Ok(body) => json(self.status, body),
            Err(error) => ApiError::from(services::Error::internal(error)).into_response(),
        }
    }
}

/// An answer whose body is JSON text already.
pub fn json(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Serialises as `null`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Nothing;

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[test]
    fn data_is_null_when_there_is_nothing_to_return() {
        let text = serde_json::to_string(&Reply::ok("done", Nothing).body).expect("plain data");
        assert_eq!(text, r#"{"status":true,"message":"done","data":null}"#);
    }

    #[test]
    fn answers_are_json() {
        let response = Reply::created("made", 1).into_response();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        let body = futures_of(response.into_body());
        assert_eq!(body, r#"{"status":true,"message":"made","data":1}"#);
    }

    fn futures_of(body: axum::body::Body) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("runtime");
        let bytes = runtime.block_on(body.collect()).expect("in memory").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }
}
