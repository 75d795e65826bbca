//! Tabs that change the address, tabs inside a page, and segments.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// One tab that is a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tab {
    /// Its word.
    pub word: String,
    /// Where it leads.
    pub href: String,
    /// Whether it is the one shown.
    pub current: bool,
    /// A count behind the word; empty for none.
    pub count: String,
    /// Value of `data-state` for the count; empty for none.
    pub state: String,
}

impl Tab {
    /// A tab without a count.
    pub fn new(word: &str, href: String, current: bool) -> Self {
        Self {
            word: word.to_owned(),
            href,
            current,
            count: String::new(),
            state: String::new(),
        }
    }
}

/// Tabs under a page head.
pub fn tabs(label: String, list: Vec<Tab>) -> AnyView {
    let links = list
        .into_iter()
        .map(|tab| {
            let count = (!tab.count.is_empty()).then(|| {
                view! { <span class="count" data-state=(!tab.state.is_empty()).then_some(tab.state)>{tab.count}</span> }
            });
            view! { <a href=tab.href aria-current=tab.current.then_some("page")>{tab.word}{count}</a> }.into_any()
        })
        .collect::<Vec<_>>();
    view! { <nav class="tabs tight" aria-label=label>{links}</nav> }.into_any()
}

/// Segments in a page head, such as time ranges.
pub fn segments(label: &'static str, list: Vec<Tab>) -> AnyView {
    let links = list
        .into_iter()
        .map(|tab| {
            view! { <a href=tab.href aria-current=tab.current.then_some("true")>{tab.word}</a> }.into_any()
        })
        .collect::<Vec<_>>();
    view! { <nav class="seg" aria-label=label>{links}</nav> }.into_any()
}

/// Views that are all in the page, switched by radio buttons, so that it works without script. At most four.
pub fn tabset(label: &'static str, name: &'static str, panes: Vec<(&'static str, AnyView)>) -> AnyView {
    let mut labels = Vec::with_capacity(panes.len());
    let mut bodies = Vec::with_capacity(panes.len());
    for (i, (word, body)) in panes.into_iter().enumerate() {
        labels
            .push(view! { <label><input type="radio" name=name checked=i == 0 />{word}</label> }.into_any());
        bodies.push(view! { <div class="pane">{body}</div> }.into_any());
    }
    view! {
        <div class="tabset">
            <div class="tabs" data-pad="" role="radiogroup" aria-label=label>{labels}</div>
            {bodies}
        </div>
    }
    .into_any()
}
