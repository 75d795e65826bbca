//! The filter bar of a list. The address is the truth; this is a form that changes it.

use leptos::{ev::SubmitEvent, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};
use serde::{Deserialize, Serialize};

use super::{browser, icon::icon};

/// One filter that is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chip {
    /// What is filtered: `endpoint`.
    pub key: String,
    /// By what.
    pub value: String,
    /// The list without this filter.
    pub remove: String,
}

/// The filters of a list, as its address says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterDto {
    /// The filters that are on.
    pub chips: Vec<Chip>,
    /// Parts of the address that stay when a filter is added, such as the tab.
    pub kept: Vec<(String, String)>,
    /// The chosen range.
    pub range: String,
    /// The ranges, each with its words; none for a list without.
    pub ranges: Vec<(String, String)>,
}

/// The bar. `words` are the filter words that the list understands: `type:  endpoint:`.
pub fn filter_bar(filter: FilterDto, label: &'static str, words: &'static str) -> AnyView {
    let navigate = use_navigate();
    let path = use_location().pathname;
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(query) = browser::form_query(&event) {
            navigate(
                &format!("{}?{query}", path.get_untracked()),
                NavigateOptions::default(),
            );
        }
    };
    let kept = filter
        .kept
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> }.into_any())
        .collect::<Vec<_>>();
    let chips = filter.chips.into_iter().map(chip).collect::<Vec<_>>();
    let chosen = filter.range;
    let ranges = filter
        .ranges
        .into_iter()
        .map(|(value, word)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{word}</option> }.into_any()
        })
        .collect::<Vec<_>>();
    let range = (!ranges.is_empty()).then(|| {
        view! {
            <label class="sr" for="range">"Range"</label>
            <select class="select w-range" id="range" name="range">{ranges}</select>
        }
    });
    view! {
        <form class="filters tight" role="search" method="get" aria-label=label on:submit=submit>
            {kept}
            <div class="query grow">
                {icon("filter")}
                {chips}
                <label class="sr" for="q">{label}</label>
                <input type="text" id="q" name="q" autocomplete="off" placeholder=words />
            </div>
            {range}
            <button class="btn" type="submit">"Filter"</button>
        </form>
    }
    .into_any()
}

fn chip(chip: Chip) -> AnyView {
    let label = format!("Remove filter {} {}", chip.key, chip.value);
    view! {
        <span class="chip">
            <input type="hidden" name="q" value=format!("{}:{}", chip.key, chip.value) />
            <b>{format!("{}:", chip.key)}</b>
            {chip.value}
            <a href=chip.remove aria-label=label>{icon("x")}</a>
        </span>
    }
    .into_any()
}
