//! What happened, in order.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::icon::icon;
use crate::format::Stamp;

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When, with milliseconds; the text says it in words for what is still to come.
    pub at: Stamp,
    /// Value of `data-state`.
    pub state: String,
    /// Icon.
    pub icon: String,
    /// What: `Attempt 3`.
    pub title: String,
    /// Status code or other short words beside the title.
    pub note: String,
    /// Duration or other meta words.
    pub meta: String,
    /// What it means.
    pub text: String,
    /// Where the title leads; empty for nowhere.
    pub href: String,
    /// Whether this is the one shown beside.
    pub current: bool,
}

/// The time line.
pub fn timeline(steps: Vec<Step>) -> AnyView {
    let items = steps.into_iter().map(step).collect::<Vec<_>>();
    view! { <ol class="tl">{items}</ol> }.into_any()
}

fn step(step: Step) -> AnyView {
    let title = if step.href.is_empty() {
        view! { <b>{step.title}</b> }.into_any()
    } else {
        view! { <a class="row-link" href=step.href>{step.title}</a> }.into_any()
    };
    view! {
        <li data-state=step.state aria-current=step.current.then_some("true")>
            <time class="tl-time" datetime=step.at.iso title=step.at.abs>{step.at.text}</time>
            <span class="tl-dot">{icon(&step.icon)}</span>
            <div class="tl-body">
                <span class="tl-head">
                    {title}
                    {(!step.note.is_empty()).then(|| view! { <span>{step.note}</span> })}
                    {(!step.meta.is_empty()).then(|| view! { <span class="meta">{step.meta}</span> })}
                </span>
                {(!step.text.is_empty()).then(|| view! { <p>{step.text}</p> })}
            </div>
        </li>
    }
    .into_any()
}
