//! A state as icon, word and colour.

use domain::state::Look;
use leptos::prelude::*;

use super::icon::icon;

/// A state in a list: settled states are plain, states that want a person are tinted.
pub fn pill(look: Look) -> AnyView {
    let quiet = matches!(
        look.state,
        "success" | "neutral" | "archived" | "dropped" | "active"
    );
    pill_of(look, look.word.to_owned(), quiet)
}

/// A state in a page head: always tinted.
pub fn pill_tinted(look: Look) -> AnyView {
    pill_of(look, look.word.to_owned(), false)
}

/// A tinted pill with a word of its own, such as a status code.
pub fn pill_word(look: Look, word: String) -> AnyView {
    pill_of(look, word, false)
}

fn pill_of(look: Look, word: String, quiet: bool) -> AnyView {
    view! {
        <span class="pill" data-state=look.state data-quiet=quiet.then_some("")>
            {icon(look.icon)}
            {word}
        </span>
    }
    .into_any()
}

/// A name with the icon of its state before it, for narrow tables.
pub fn with_state(look: Look, body: AnyView) -> AnyView {
    view! {
        <span class="with-state" data-state=look.state>
            {icon(look.icon)}
            <span class="sr">{format!("{}: ", look.word)}</span>
            {body}
        </span>
    }
    .into_any()
}
