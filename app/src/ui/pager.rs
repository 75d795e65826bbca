//! Keyset paging: newer and older, both as links.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::icon::icon;

/// Where the pages before and after are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pager {
    /// Address of the newer page; empty when this is the newest.
    pub newer: String,
    /// Address of the older page; empty when this is the oldest.
    pub older: String,
    /// What is shown: `24 of 684 213`.
    pub note: String,
    /// What it cost: `Query took 6 ms`.
    pub cost: String,
}

/// The line below a list.
pub fn pager(pager: Pager) -> AnyView {
    view! {
        <div class="pager tight">
            <span>{pager.note}</span>
            <span>{pager.cost}</span>
            <nav class="btn-set" aria-label="Pages">
                {end(pager.newer, view! { {icon("left")}"Newer" }.into_any())}
                {end(pager.older, "Older".into_any())}
            </nav>
        </div>
    }
    .into_any()
}

fn end(href: String, body: AnyView) -> AnyView {
    if href.is_empty() {
        view! { <button class="btn" data-size="s" type="button" disabled>{body}</button> }.into_any()
    } else {
        view! { <a class="btn" data-size="s" href=href>{body}</a> }.into_any()
    }
}
