//! Stat tiles: value, change and the shape of the range. At most four.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::chart::{Spark, spark};

/// One tile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What is counted.
    pub label: String,
    /// The number.
    pub value: String,
    /// Its unit; empty for none.
    pub unit: String,
    /// Its shape over the range.
    pub spark: Spark,
    /// The change, such as `+3.1 %`; empty for none.
    pub delta: String,
    /// `failure` when the change is a worsening, else empty.
    pub delta_state: String,
    /// Words after the change.
    pub note: String,
}

/// The tiles in one strip.
pub fn stats(label: String, list: Vec<Stat>) -> AnyView {
    let tiles = list.into_iter().map(tile).collect::<Vec<_>>();
    view! { <ul class="stats tight" aria-label=label>{tiles}</ul> }.into_any()
}

fn tile(stat: Stat) -> AnyView {
    let note = if stat.delta.is_empty() {
        stat.note
    } else {
        format!(" {}", stat.note)
    };
    let delta = (!stat.delta.is_empty()).then(|| {
        view! { <span class="delta" data-state=(!stat.delta_state.is_empty()).then_some(stat.delta_state)>{stat.delta}</span> }
    });
    view! {
        <li class="stat">
            <span class="stat-label">{stat.label}</span>
            <span class="stat-value">{stat.value}{(!stat.unit.is_empty()).then(|| view! { <small>{stat.unit}</small> })}</span>
            {spark(stat.spark)}
            <span class="stat-note">{delta}{note}</span>
        </li>
    }
    .into_any()
}
