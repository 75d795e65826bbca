//! What server functions may take from the request: the services, the viewer, the response.

use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use leptos::{nonce::use_nonce, prelude::*};
use leptos_axum::ResponseOptions;

use crate::error::{Code, Reason, UiError};

/// Whether the answer goes to a browser that posted a form without script.
fn is_plain_form() -> bool {
    use_context::<Parts>().is_some_and(|parts| {
        let accept = parts.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        parts.method == http::Method::POST && accept.contains("text/html")
    })
}

/// Sets the status of the response. A form that was posted without script is answered with a
/// redirect whatever happened, so there it changes nothing.
pub fn set_status(status: u16) {
    if is_plain_form() {
        return;
    }
    if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
        response.set_status(status);
    }
}

/// Sets the headers that every page carries. Scripts run only with the nonce of the page; nothing is
/// loaded from elsewhere; no page may be framed; addresses do not leave the site.
pub fn set_security_headers(development: bool) {
    let Some(response) = use_context::<ResponseOptions>() else { return };
    let script = use_nonce().map_or_else(|| "'self'".to_owned(), |nonce| format!("'nonce-{nonce}' 'strict-dynamic'"));
    // The development server tells the page over a socket when to load again.
    let connect = if development { "'self' ws:" } else { "'self'" };
    let policy = format!(
        "default-src 'self'; script-src {script} 'wasm-unsafe-eval'; style-src 'self'; connect-src {connect}; \
         img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        // Forms without script need the whole path of their own site to come back with an error.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.insert_header(name, value);
        }
    }
}

/// Remembers the theme in a cookie for a year; `system` forgets it.
///
/// # Errors
/// When `theme` is not one of the three.
pub fn set_theme_cookie(theme: &str) -> Result<(), UiError> {
    let age = match theme {
        "system" => 0,
        "light" | "dark" => 31_536_000,
        _ => return Err(UiError::field("theme", Reason::NotOffered)),
    };
    let cookie = format!("theme={theme}; Path=/; Max-Age={age}; SameSite=Lax");
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&cookie)) {
        response.append_header(header::SET_COOKIE, value);
    }
    Ok(())
}

/// Stands where a server function is not connected to its service yet.
pub fn not_wired<A, T>(_arguments: A) -> Result<T, UiError> {
    set_status(Code::Unavailable.status());
    Err(UiError::new(Code::Unavailable))
}
