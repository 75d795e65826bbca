//! Boxes, heads and the pieces between them.

use leptos::prelude::*;

use super::icon::icon;

/// Head of a page: the one h1, a line below it and the actions.
pub fn page_head(title: AnyView, meta: AnyView, actions: AnyView) -> AnyView {
    view! {
        <div class="page-head">
            <div class="page-head-text">
                <h1>{title}</h1>
                {meta}
            </div>
            <div class="actions">{actions}</div>
        </div>
    }
    .into_any()
}

/// The line below a page's h1.
pub fn page_meta(parts: Vec<AnyView>) -> AnyView {
    let parts = parts
        .into_iter()
        .map(|part| view! { <span>{part}</span> })
        .collect::<Vec<_>>();
    view! { <p class="page-meta">{parts}</p> }.into_any()
}

/// A titled section whose content has a box of its own.
pub fn section(id: &'static str, title: String, note: String, end: AnyView, body: AnyView) -> AnyView {
    view! {
        <section aria-labelledby=id>
            <div class="section-head">
                <h2 id=id>{title}</h2>
                {(!note.is_empty()).then(|| view! { <span class="note">{note}</span> })}
                {end}
            </div>
            {body}
        </section>
    }
    .into_any()
}

/// A box with a titled head.
pub fn panel(id: &'static str, title: String, note: String, end: AnyView, body: AnyView) -> AnyView {
    view! {
        <section class="panel" aria-labelledby=id>
            <div class="panel-head">
                <h2 id=id>{title}</h2>
                {(!note.is_empty()).then(|| view! { <span class="faint">{note}</span> })}
                <div class="end">{end}</div>
            </div>
            {body}
        </section>
    }
    .into_any()
}

/// A box without a head.
pub fn plain_panel(body: AnyView) -> AnyView {
    view! { <div class="panel">{body}</div> }.into_any()
}

/// What happened, what it means, what to do. At most one per page. An empty `state` is neutral.
pub fn callout(
    state: &'static str,
    mark: &'static str,
    title: String,
    text: AnyView,
    actions: AnyView,
) -> AnyView {
    view! {
        <div class="callout tight" data-state=(!state.is_empty()).then_some(state)>
            {icon(mark)}
            <div class="callout-text">
                <b>{title}</b>
                <div class="dim">{text}</div>
            </div>
            <div class="actions">{actions}</div>
        </div>
    }
    .into_any()
}

/// A button that is a link.
pub fn link_button(href: String, mark: &'static str, text: &'static str, primary: bool) -> AnyView {
    view! {
        <a class="btn" data-variant=primary.then_some("primary") href=href>
            {(!mark.is_empty()).then(|| icon(mark))}
            {text}
        </a>
    }
    .into_any()
}

/// The quiet link at the end of a head.
pub fn more(href: String, text: String) -> AnyView {
    view! { <a class="more end" href=href>{text}</a> }.into_any()
}

/// Facts in two columns: label and value.
pub fn facts(list: Vec<(&'static str, AnyView)>) -> AnyView {
    let rows = list
        .into_iter()
        .map(|(label, value)| view! { <dt>{label}</dt><dd>{value}</dd> }.into_any())
        .collect::<Vec<_>>();
    view! { <dl class="kv">{rows}</dl> }.into_any()
}

/// Nothing, where a piece is not wanted.
pub fn nothing() -> AnyView {
    ().into_any()
}
