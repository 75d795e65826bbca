//! Status, headers and redirects of the response under way.

use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use leptos::{nonce::use_nonce, prelude::*};
use leptos_axum::ResponseOptions;

use crate::{
    error::{Reason, UiError},
    ui::browser::SCRIPT_HEADER,
};

/// Whether the answer goes to a browser that posted a form without script.
fn is_plain_form() -> bool {
    use_context::<Parts>().is_some_and(|parts| {
        let accept = parts
            .headers
            .get(header::ACCEPT)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        parts.method == http::Method::POST && accept.contains("text/html")
    })
}

/// Sets the status of the response. A form that was posted without script is answered with a
/// redirect whatever happened, so there it changes nothing; the dashboard's own script reads
/// failures itself and gets 200 for those that are not the server's.
pub fn set_status(status: u16) {
    if is_plain_form() {
        return;
    }
    let status = if status < 500 && header_of(SCRIPT_HEADER).is_some() {
        200
    } else {
        status
    };
    if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
        response.set_status(status);
    }
}

/// Sets the headers that every page carries. Scripts run only with the nonce of the page; nothing is
/// loaded from elsewhere; no page may be framed; addresses do not leave the site.
pub fn set_security_headers(development: bool) {
    let Some(response) = use_context::<ResponseOptions>() else {
        return;
    };
    let script = use_nonce().map_or_else(
        || "'self'".to_owned(),
        |nonce| format!("'nonce-{nonce}' 'strict-dynamic'"),
    );
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
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
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

/// Whether this page was asked for from a page of this server, such as by its own redirect.
pub fn is_own_request() -> bool {
    header_of("sec-fetch-site").is_some_and(|site| site == "same-origin")
}

/// A header of the request, if it is text.
pub fn header_of(name: &str) -> Option<String> {
    use_context::<Parts>()?
        .headers
        .get(name)?
        .to_str()
        .ok()
        .map(str::to_owned)
}

/// Goes on to `path` after a change, or instead of a page.
pub fn go(path: &str) {
    leptos_axum::redirect(path);
}

/// Goes to the sign-in page, and back here afterwards.
pub(super) fn go_to_sign_in() {
    let here = match use_context::<Parts>() {
        Some(parts) if parts.method == http::Method::GET => {
            parts.uri.path_and_query().map(ToString::to_string)
        }
        // A server function: the page that asked for it.
        _ => header_of("referer").and_then(|referer| {
            let url = url::Url::parse(&referer).ok()?;
            Some(url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
        }),
    };
    match here.as_deref() {
        None | Some("/" | "/login") => go("/login"),
        Some(path) => {
            let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
            go(&format!("/login?next={next}"));
        }
    }
}

/// `path` if it leads to a page of this server, else the start page.
pub fn local_path(path: &str) -> &str {
    let local = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n']);
    if local && !path.starts_with("/login") {
        path
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn only_own_paths_are_followed_after_signing_in() {
        assert_eq!(local_path("/projects/1?a=b"), "/projects/1?a=b");
        for path in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/login",
            "/a\r\nb",
        ] {
            assert_eq!(local_path(path), "/", "{path}");
        }
    }
}
