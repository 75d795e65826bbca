//! An instant on a page.

use leptos::prelude::*;

use crate::format::Stamp;

/// Relative text with the whole instant on hover and focus. For page heads and single values.
pub fn time(stamp: Stamp) -> AnyView {
    view! {
        <time class="time" datetime=stamp.iso data-abs=stamp.abs.clone() tabindex="0">
            {stamp.text}
            <span class="sr">{format!(", {}", stamp.abs)}</span>
        </time>
    }
    .into_any()
}

/// The same without a tab stop. For rows.
pub fn time_plain(stamp: Stamp) -> AnyView {
    view! { <time class="time" datetime=stamp.iso title=stamp.abs>{stamp.text}</time> }.into_any()
}
