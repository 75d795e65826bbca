//! Nothing yet, nothing matches, loading, failed: four different texts.

use leptos::prelude::*;

use super::{code, icon::icon};
use crate::error::UiError;

/// Nothing yet: says what would be here and how to get the first one.
pub fn nothing_yet(mark: &str, title: &'static str, text: &'static str, actions: AnyView) -> AnyView {
    blank("", mark, title.to_owned(), text.into_any(), actions)
}

/// Nothing yet, with the command that makes the first one.
pub fn nothing_yet_command(mark: &str, title: &'static str, text: &'static str, command: String) -> AnyView {
    view! {
        <div class="panel blank">
            {icon(mark)}
            <h2>{title}</h2>
            <p>{text}</p>
            {code::block("Command", command)}
        </div>
    }
    .into_any()
}

/// Nothing matches the filter.
pub fn nothing_matches(text: String, clear: String) -> AnyView {
    let actions = view! { <a class="btn" data-size="s" href=clear>"Clear filters"</a> }.into_any();
    blank(
        "",
        "filter",
        "Nothing matches".to_owned(),
        text.into_any(),
        actions,
    )
}

/// A page or a part of it could not be loaded.
pub fn failed(error: &UiError, actions: AnyView) -> AnyView {
    blank(
        "failure",
        "failure",
        error.code.title().to_owned(),
        error.text().into_any(),
        actions,
    )
}

fn blank(state: &'static str, mark: &str, title: String, text: AnyView, actions: AnyView) -> AnyView {
    view! {
        <div class="panel blank" data-state=(!state.is_empty()).then_some(state)>
            {icon(mark)}
            <h2>{title}</h2>
            <p>{text}</p>
            <div class="actions">{actions}</div>
        </div>
    }
    .into_any()
}

/// Shown while a page loads; becomes visible after 200 ms.
pub fn skeleton() -> AnyView {
    view! {
        <header class="bar"></header>
        <main class="page skel-page" id="main" tabindex="-1" aria-busy="true">
            <span class="sr" role="status">"Loading"</span>
            <span class="skel" data-w="2"></span>
            <span class="skel" data-w="4"></span>
            <span class="skel" data-w="3"></span>
            <span class="skel" data-w="4"></span>
        </main>
    }
    .into_any()
}
