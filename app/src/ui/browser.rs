//! What only a browser can do: clipboard, focus, cookies, sending a form.
//!
//! Everything here is called from event handlers and effects, which never run on the server.

use leptos::{
    prelude::*,
    server_fn::{
        error::SERVER_FN_ERROR_HEADER,
        redirect::{REDIRECT_HEADER, call_redirect_hook},
    },
    wasm_bindgen::JsCast,
    web_sys,
};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    FormData, Headers, HtmlElement, HtmlFormElement, RequestInit, Response, SubmitEvent, UrlSearchParams,
};

use super::load::Place;
use crate::error::{Code, UiError};

/// Tells the server that this script asks, which reads failures itself: what a person caused, such
/// as a wrong field, is then answered with 200, because browsers log every other status as a fault.
pub const SCRIPT_HEADER: &str = "x-longhaul-script";

/// Puts `text` on the clipboard. Browsers refuse it on insecure origins; then nothing happens.
pub fn copy(text: &str) {
    let _ = window().navigator().clipboard().write_text(text);
}

/// Whether the page is in a hidden tab.
pub fn is_hidden() -> bool {
    document().hidden()
}

/// Whether a person is in the middle of something that a refresh would disturb.
pub fn is_busy() -> bool {
    let found = |query| document().query_selector(query).ok().flatten().is_some();
    found("tbody .pick :checked")
        || found("[popover]:popover-open")
        || found("main :is(input, textarea, select):focus")
}

/// Closes menus and the drawer, and puts the focus on the new page.
pub fn settle_after_navigation() {
    if let Ok(open) = document().query_selector_all("details.menu[open]") {
        for i in 0..open.length() {
            if let Some(menu) = open.get(i).and_then(|n| n.dyn_into::<HtmlElement>().ok()) {
                let _ = menu.remove_attribute("open");
            }
        }
    }
    if let Ok(open) = document().query_selector_all("[popover]:popover-open") {
        for i in 0..open.length() {
            if let Some(popover) = open.get(i).and_then(|n| n.dyn_into::<HtmlElement>().ok()) {
                let _ = popover.hide_popover();
            }
        }
    }
    focus("#main");
}

/// Loads `path` as a fresh page, with nothing of this one left.
pub fn leave_for(path: &str) {
    let _ = window().location().set_href(path);
}

/// Puts the focus on the first element that `query` finds.
pub fn focus(query: &str) {
    if let Some(element) = document().query_selector(query).ok().flatten()
        && let Ok(element) = element.dyn_into::<HtmlElement>()
    {
        let _ = element.focus();
    }
}

/// Remembers the theme for a year and applies it; `system` forgets it.
pub fn set_theme(theme: &str) {
    let age = if theme == "system" { 0 } else { 31_536_000 };
    if let Some(page) = document().dyn_ref::<web_sys::HtmlDocument>() {
        let _ = page.set_cookie(&format!("theme={theme}; path=/; max-age={age}; samesite=lax"));
    }
    if let Some(root) = document().document_element() {
        let _ = if theme == "system" {
            root.remove_attribute("data-theme")
        } else {
            root.set_attribute("data-theme", theme)
        };
    }
}

/// The form's fields, with the button that sent it, as a query string.
pub fn form_query(event: &SubmitEvent) -> Option<String> {
    let form = event.target()?.dyn_into::<HtmlFormElement>().ok()?;
    let data = FormData::new_with_form(&form).ok()?;
    if let Some(button) = event.submitter()
        && let Some(name) = button.get_attribute("name")
    {
        let value = button.get_attribute("value").unwrap_or_default();
        let _ = data.append_with_str(&name, &value);
    }
    let params = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
    Some(params.to_string().into())
}

/// Those fields of the form around the changed control that are called one of `names`, as a query
/// string. Boxes that are not checked are left out, as in every form.
pub fn changed_fields(event: &web_sys::Event, names: &[&str]) -> Option<String> {
    let control = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    let form = control.closest("form").ok().flatten()?;
    let data = FormData::new_with_form(&form.dyn_into::<HtmlFormElement>().ok()?).ok()?;
    let params = UrlSearchParams::new().ok()?;
    for name in names {
        if let Some(value) = data.get(name).as_string() {
            params.append(name, &value);
        }
    }
    Some(params.to_string().into())
}

/// Posts a form's fields to a server function.
///
/// Answers with the address to go on to, if the server named one.
///
/// # Errors
/// Whatever the server function answered, or [`Code::Offline`] when there was no answer.
pub async fn post(action: &str, body: &str) -> Result<Option<String>, UiError> {
    let response = send(action, body)
        .await
        .ok_or_else(|| UiError::new(Code::Offline))?;
    match redirect_of(&response) {
        Some(location) => Ok(Some(location)),
        None if is_answer(&response) => Ok(None),
        None => Err(error_of(&response).await),
    }
}

/// Asks a server function for the packed data of a page, and goes where it redirects to.
///
/// # Errors
/// Whatever the server function answered, or [`Code::Offline`] when there was no answer.
pub async fn fetch(path: &str, place: Place) -> Result<String, UiError> {
    let offline = || UiError::new(Code::Offline);
    let body = UrlSearchParams::new().map_err(|_| offline())?;
    body.append("place[project]", &place.project);
    body.append("place[item]", &place.item);
    body.append("place[query]", &place.query);
    let response = send(path, &String::from(body.to_string()))
        .await
        .ok_or_else(offline)?;
    if let Some(location) = redirect_of(&response) {
        call_redirect_hook(&location);
    }
    if !is_answer(&response) {
        return Err(error_of(&response).await);
    }
    // Packed data is base64, so its JSON is the text between two quotes.
    let text = text_of(&response).await.ok_or_else(offline)?;
    Ok(text.trim_matches('"').to_owned())
}

/// Whether a server function did what it was asked.
fn is_answer(response: &Response) -> bool {
    response.ok() && !response.headers().has(SERVER_FN_ERROR_HEADER).unwrap_or(false)
}

fn redirect_of(response: &Response) -> Option<String> {
    let headers = response.headers();
    if headers.has(REDIRECT_HEADER).ok()? {
        headers.get("location").ok().flatten()
    } else {
        None
    }
}

async fn text_of(response: &Response) -> Option<String> {
    JsFuture::from(response.text().ok()?).await.ok()?.as_string()
}

async fn error_of(response: &Response) -> UiError {
    let text = text_of(response).await.unwrap_or_default();
    let fallback = || match response.status() {
        429 => Code::TooManyTries,
        403 => Code::Forbidden,
        502..=504 => Code::Unavailable,
        _ => Code::Internal,
    };
    serde_json::from_str(&text).unwrap_or_else(|_| UiError::new(fallback()))
}

async fn send(action: &str, body: &str) -> Option<Response> {
    let headers = Headers::new().ok()?;
    headers.set("accept", "application/json").ok()?;
    headers.set(SCRIPT_HEADER, "1").ok()?;
    headers
        .set("content-type", "application/x-www-form-urlencoded")
        .ok()?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&body.into());
    let answer = JsFuture::from(window().fetch_with_str_and_init(action, &init))
        .await
        .ok()?;
    answer.dyn_into().ok()
}
