//! Spark lines and the success chart. Shapes are computed on the server; here they are only drawn.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The shape of a number over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spark {
    /// `points` of the line; empty for no line.
    pub line: String,
    /// Value of `data-state`; empty for the accent.
    pub state: String,
}

/// A spark line.
pub fn spark(spark: Spark) -> AnyView {
    if spark.line.is_empty() {
        return view! { <span></span> }.into_any();
    }
    let area = format!("M0,32 L{} L100,32Z", spark.line.replace(' ', " L"));
    view! {
        <svg class="spark" viewBox="0 0 100 32" preserveAspectRatio="none" aria-hidden="true" data-state=(!spark.state.is_empty()).then_some(spark.state)>
            <path class="spark-area" d=area />
            <polyline class="spark-line" points=spark.line />
        </svg>
    }
    .into_any()
}

/// Success rate as a line, failures and retries as bars below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// Path of the success line in a box of 960 by 100, with a gap where nothing ended.
    pub line: String,
    /// Path of the area below that line.
    pub area: String,
    /// Words of the upper axis, from the top down.
    pub y: Vec<String>,
    /// Words of the lower axis, from the top down.
    pub y_low: Vec<String>,
    /// Words of the time axis.
    pub x: Vec<String>,
    /// Path of the bars of failures in a box of 960 by 48.
    pub failed: String,
    /// Path of the bars of retries in a box of 960 by 48.
    pub retried: String,
    /// What the line shows, in a sentence.
    pub label: String,
    /// What the bars show, in a sentence.
    pub label_low: String,
}

/// The success chart.
pub fn chart(chart: Chart) -> AnyView {
    view! {
        <div class="chart">
            <div class="chart-y" aria-hidden="true">{words(chart.y)}</div>
            <div class="chart-plot">
                <svg viewBox="0 0 960 100" preserveAspectRatio="none" role="img" aria-label=chart.label>
                    <path class="grid-line" d="M0 0H960M0 33.3H960M0 66.7H960M0 100H960" />
                    <path class="plot-area" d=chart.area />
                    <path class="plot-line" d=chart.line />
                </svg>
            </div>
            <div class="chart-y" data-low="" aria-hidden="true">{words(chart.y_low)}</div>
            <div class="chart-plot" data-low="">
                <svg viewBox="0 0 960 48" preserveAspectRatio="none" role="img" aria-label=chart.label_low>
                    <path class="grid-line" d="M0 0H960M0 48H960" />
                    <path class="bar-retry" d=chart.retried />
                    <path class="bar-fail" d=chart.failed />
                </svg>
            </div>
            <div class="chart-x" aria-hidden="true">{words(chart.x)}</div>
        </div>
    }
    .into_any()
}

fn words(list: Vec<String>) -> AnyView {
    list.into_iter()
        .map(|word| view! { <span>{word}</span> })
        .collect::<Vec<_>>()
        .into_any()
}

/// What the marks of the success chart mean.
pub fn legend() -> AnyView {
    view! {
        <ul class="legend">
            <li><svg viewBox="0 0 12 12" aria-hidden="true"><path class="plot-line" d="M0 6h12" /></svg>"Success rate"</li>
            <li><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="bar-fail" x="2" y="2" width="8" height="8" rx="2" /></svg>"Failed"</li>
            <li><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="bar-retry" x="2" y="2" width="8" height="8" rx="2" /></svg>"Retried"</li>
        </ul>
    }
    .into_any()
}
