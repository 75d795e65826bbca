//! How refusals look on the wire: one map from the errors of use cases to status and envelope.

use std::any::Any;
use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::envelope::{Failure, json};

/// Why a request was not done.
#[derive(Debug)]
pub enum ApiError {
    /// The use case refused or failed.
    Service(services::Error),
    /// The request itself is not one that any use case could be asked with.
    Http(StatusCode, Cow<'static, str>),
}

/// Result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl From<services::Error> for ApiError {
    fn from(error: services::Error) -> Self {
        Self::Service(error)
    }
}

impl ApiError {
    /// One refused field: 400.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Service(services::Error::invalid(field, reason))
    }

    /// The body is not declared as JSON: 415.
    pub fn not_json() -> Self {
        Self::Http(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Cow::Borrowed("Content-Type:must be application/json"),
        )
    }

    /// The body is longer than `limit` bytes: 413.
    pub fn too_large(limit: usize) -> Self {
        Self::Http(
            StatusCode::PAYLOAD_TOO_LARGE,
            Cow::Owned(format!(
                "body:request body too large, at most {limit} bytes are taken"
            )),
        )
    }
}

/// The cause of a 500, carried inside the process to where it is logged with the request's id.
#[derive(Clone, Debug)]
pub struct Fault(pub String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Http(status, message) => refuse(status, message),
            Self::Service(error) => service_response(&error),
        }
    }
}

fn service_response(error: &services::Error) -> Response {
    use services::Error as E;

    let status = match error {
        E::NotFound(_) => StatusCode::NOT_FOUND,
        // The replaced gateway answers 400 where the state of things forbids the request, and its
        // SDKs tell that apart from other errors by this code.
        E::Invalid(_) | E::Conflict(_) => StatusCode::BAD_REQUEST,
        E::Forbidden(_) => StatusCode::FORBIDDEN,
        E::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        E::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        E::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        E::TooSlow => StatusCode::GATEWAY_TIMEOUT,
        E::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = refuse(status, error.to_string());
    match error {
        E::Unauthenticated(_) => {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        E::RateLimited { retry_after } | E::Unavailable { retry_after, .. } => {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        E::Internal(cause) => {
            response.extensions_mut().insert(Fault(chain(cause.as_ref())));
        }
        E::NotFound(_) | E::Invalid(_) | E::Conflict(_) | E::Forbidden(_) | E::TooSlow => {}
    }
    response
}

/// The failure envelope.
pub fn refuse(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Response {
    let body = Failure {
        status: false,
        message: message.into(),
    };
    // A flag and a text always serialise.
    json(status, serde_json::to_vec(&body).unwrap_or_default())
}

/// An error and its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The answer to a request whose handler panicked.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that the panic layer calls"
)]
pub fn panic_response(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    let mut response = refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal error");
    response
        .extensions_mut()
        .insert(Fault(format!("handler panicked: {text}")));
    response
}

/// Paths below `/api` that do not exist.
pub async fn no_route() -> ApiError {
    ApiError::Http(StatusCode::NOT_FOUND, Cow::Borrowed("path:no such route"))
}

/// A route that exists, asked with another method. The `Allow` header names the right ones.
pub async fn wrong_method() -> ApiError {
    ApiError::Http(
        StatusCode::METHOD_NOT_ALLOWED,
        Cow::Borrowed("method:not allowed here, see the Allow header"),
    )
}

#[cfg(test)]
mod tests {
    use services::Error as E;

    use super::*;

    #[test]
    fn every_error_has_its_status() {
        for (error, status) in [
            (E::NotFound("endpoint"), 404),
            (E::invalid("name", "is required"), 400),
            (E::Conflict("event already sent".to_owned()), 400),
            (E::Forbidden("no"), 403),
            (E::Unauthenticated("Authentication required"), 401),
            (E::RateLimited { retry_after: 3 }, 429),
            (
                E::Unavailable {
                    what: "Redis",
                    retry_after: 5,
                },
                503,
            ),
            (E::TooSlow, 504),
            (E::internal("secret detail"), 500),
        ] {
            assert_eq!(service_response(&error).status().as_u16(), status, "{error:?}");
        }
    }

    #[test]
    fn stores_that_are_away_say_when_to_come_back() {
        let response = service_response(&E::Unavailable {
            what: "Redis",
            retry_after: 5,
        });
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
    }

    #[test]
    fn the_cause_of_a_fault_stays_inside() {
        let response = service_response(&E::internal("secret detail"));
        let fault = response.extensions().get::<Fault>().expect("carried to the log");
        assert!(fault.0.contains("secret detail"));
        assert!(!E::internal("secret detail").to_string().contains("secret"));
    }
}
