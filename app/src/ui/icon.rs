//! One icon of the sprite.

use leptos::prelude::*;

/// The icon `i-{name}` of `/icons.svg`, hidden from assistive technology: a word stands beside it.
pub fn icon(name: &str) -> AnyView {
    let href = format!("/icons.svg#i-{name}");
    view! { <svg class="i" width="16" height="16" aria-hidden="true"><use href=href /></svg> }.into_any()
}

/// The mark of the product.
pub fn mark() -> AnyView {
    view! {
        <svg viewBox="0 0 20 20" aria-hidden="true">
            <path class="m1" d="M2 3a1.5 1.5 0 0 1 1.5-1.5h1A1.5 1.5 0 0 1 6 3v15.5H3.5A1.5 1.5 0 0 1 2 17z" />
            <path class="m2" d="M7.25 14.5h4v4h-4z" />
            <path class="m2" opacity=".62" d="M12.5 14.5h3v4h-3z" />
            <path class="m2" opacity=".34" d="M16.75 14.5h2v4h-2z" />
        </svg>
    }
    .into_any()
}
