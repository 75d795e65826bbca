//! The strip of days: one link per day, shade for the number of events, and its twin as a table.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    html::Html,
    panel::plain_panel,
    table::{Cell, Col, Table, row_link, table},
};

/// One UTC day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeatDay {
    /// `20 Nov`.
    pub day: String,
    /// Count of events: `171 842`.
    pub events: String,
    /// Shade, 0 to 5.
    pub level: u8,
    /// Where the day leads.
    pub href: String,
}

/// The days with their drawing, oldest first, today last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strip {
    /// The drawing.
    pub svg: Html,
    /// The days.
    pub days: Vec<HeatDay>,
}

#[cfg(feature = "ssr")]
impl Strip {
    /// Draws `days`.
    pub fn new(days: Vec<HeatDay>) -> Self {
        Self {
            svg: drawing::strip(&days),
            days,
        }
    }
}

/// The strip.
pub fn heat(svg: Html) -> AnyView {
    view! { <div class="heat" inner_html=svg.into_inner()></div> }.into_any()
}

#[cfg(feature = "ssr")]
mod drawing {
    use std::fmt::Write as _;

    use super::HeatDay;
    use crate::ui::html::{Html, escape};

    /// Width of one day in the strip's own units.
    const STEP: usize = 25;

    pub(super) fn strip(days: &[HeatDay]) -> Html {
        let width = days.len() * STEP;
        let mut out = format!(
            "<svg width=\"{width}\" height=\"52\" viewBox=\"0 0 {width} 52\" role=\"group\" aria-label=\"Events per day\">"
        );
        for (i, day) in days.iter().enumerate() {
            cell(&mut out, i * STEP, day);
        }
        for (i, day) in days
            .iter()
            .enumerate()
            .filter(|(i, _)| i % 7 == 0 && i + 4 < days.len())
        {
            let _ = write!(
                out,
                "<text class=\"heat-word\" x=\"{}\" y=\"47\">{}</text>",
                i * STEP + 2,
                escape(&day.day)
            );
        }
        let _ = write!(
            out,
            "<text class=\"heat-word\" data-strong x=\"{}\" y=\"47\" text-anchor=\"end\">Today</text></svg>",
            width.saturating_sub(2)
        );
        Html::trusted(out)
    }

    fn cell(out: &mut String, x: usize, day: &HeatDay) {
        let label = escape(&format!("{}: {} events", day.day, day.events));
        let _ = write!(
            out,
            "<a href=\"{}\" aria-label=\"{label}\"><title>{label}</title>\
             <rect class=\"heat-hit\" x=\"{x}\" y=\"0\" width=\"25\" height=\"34\"/>\
             <rect class=\"heat-cell\" data-level=\"{}\" x=\"{}\" y=\"2\" width=\"21\" height=\"28\" rx=\"3\"/>",
            escape(&day.href),
            day.level,
            x + 2
        );
        out.push_str("</a>");
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn every_day_is_a_labelled_link() {
            let day = |n: u8| HeatDay {
                day: format!("{n} Nov"),
                events: "10".to_owned(),
                level: n % 6,
                href: format!("/projects/p/events?day=2026110{n}&x=<"),
            };
            let html = strip(&[day(1), day(2)]).into_inner();
            assert_eq!(html.matches("<a href=").count(), 2);
            assert!(html.contains("aria-label=\"2 Nov: 10 events\""), "{html}");
            assert!(html.contains("day=20261101&amp;x=&lt;"), "{html}");
        }
    }
}

/// What the shades mean.
pub fn legend() -> AnyView {
    let shade = |level: &'static str| view! { <svg viewBox="0 0 12 12" aria-hidden="true"><rect class="heat-cell" data-level=level width="12" height="12" rx="3" /></svg> };
    view! {
        <ul class="legend">
            <li>{shade("0")}"No events"</li>
            <li>{shade("2")}{shade("4")}"Stronger is more events"</li>
        </ul>
    }
    .into_any()
}

/// The same days as a table, newest first, folded.
pub fn twin(days: Vec<HeatDay>) -> AnyView {
    let rows = days
        .into_iter()
        .rev()
        .map(|day| {
            vec![
                Cell::title(row_link(day.href, day.day)),
                Cell::number("Events", day.events),
            ]
        })
        .collect();
    let body = table(Table {
        caption: "Events per day, newest first".to_owned(),
        cols: vec![Col::text("Day"), Col::number("Events")],
        rows,
        sticky: false,
    });
    view! {
        <details class="twin">
            <summary class="more">"As a table"</summary>
            {plain_panel(body)}
        </details>
    }
    .into_any()
}
