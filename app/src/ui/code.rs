//! Commands, headers and payloads.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::{html::Html, icon::icon, id::copy_button};

/// A payload, ready to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The folding tree; empty when the bytes are no JSON or too many.
    pub tree: Html,
    /// The text as it was received, cut when it is long.
    pub raw: String,
    /// Its size: `394 B`.
    pub size: String,
    /// Whether `raw` is cut.
    pub cut: bool,
}

/// A command or a snippet with a copy button.
pub fn block(title: &'static str, text: String) -> AnyView {
    view! {
        <div class="code">
            <div class="code-head">
                <span>{title}</span>
                <span class="end">{copy_button(text.clone(), format!("Copy: {title}"))}</span>
            </div>
            <pre tabindex="0" role="group" aria-label=title><code>{text}</code></pre>
        </div>
    }
    .into_any()
}

/// A folded list of headers.
pub fn headers(list: Vec<(String, String)>, open: bool) -> AnyView {
    let title = match list.len() {
        0 => return view! { <div class="pane-row"><span class="faint">"No headers"</span></div> }.into_any(),
        1 => "1 header".to_owned(),
        n => format!("{n} headers"),
    };
    let rows = list
        .into_iter()
        .map(|(name, value)| view! { <dt>{name}</dt><dd>{value}</dd> }.into_any())
        .collect::<Vec<_>>();
    view! {
        <details class="fold-row" open=open>
            <summary>{icon("right")}{title}</summary>
            <dl class="kv headers">{rows}</dl>
        </details>
    }
    .into_any()
}

/// A payload: the tree when it is JSON, and always the text as received.
pub fn payload(payload: Payload, what: &'static str) -> AnyView {
    if payload.raw.is_empty() {
        return view! { <div class="pane-row"><span class="faint">{format!("{what}: empty")}</span></div> }
            .into_any();
    }
    let tree = (!payload.tree.is_empty()).then(|| {
        view! { <div class="json" tabindex="0" role="group" aria-label=format!("{what} as a tree") inner_html=payload.tree.into_inner()></div> }
    });
    let folded = tree.is_some();
    view! {
        <div class="pane-row">
            <b class="strong">{what}</b>
            <span class="end faint">{payload.size}</span>
            {copy_button(payload.raw.clone(), format!("Copy {}", what.to_lowercase()))}
        </div>
        {tree}
        <details class="fold-row raw" open=!folded>
            <summary>{icon("right")}{if payload.cut { "As received, cut" } else { "As received" }}</summary>
            <pre class="raw-text" tabindex="0" role="group" aria-label=format!("{what} as received")>{payload.raw}</pre>
        </details>
    }
    .into_any()
}
