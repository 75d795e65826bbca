//! Who changed what, and when.

use leptos::prelude::*;

use super::{
    dto::{AuditDto, AuditRow},
    server_fns,
};
use crate::ui::{
    bar::Crumb,
    blank::nothing_matches,
    filter::filter_bar,
    load::{Page, load},
    pager::pager,
    panel::{nothing, page_head, plain_panel},
    table::{Cell, Col, Table, or_none, table},
    time::time_plain,
};

/// `/system/audit`
#[component]
pub fn AuditPage() -> impl IntoView {
    load::<server_fns::AuditPage, _>(view)
}

/// The log.
pub fn view(dto: AuditDto) -> Page {
    let list = if dto.rows.is_empty() {
        nothing_matches(
            "No change in this range matches the filters.".to_owned(),
            "/system/audit".to_owned(),
        )
    } else {
        view! { {plain_panel(audit_table(dto.rows))}{pager(dto.pager)} }.into_any()
    };
    let lead = view! { <p class="lead">"Every change of settings, keys, secrets and states. Rows are never edited."</p> };
    let body = view! {
        {page_head("Audit".into_any(), lead.into_any(), nothing())}
        {filter_bar(dto.filter, "Filter changes", "action:  actor:  project:")}
        <div class="tight stack">{list}</div>
    };
    Page::new("Audit", vec![Crumb::here("Audit")], body.into_any())
}

fn audit_table(rows: Vec<AuditRow>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|row| {
            let whole = row.detail.clone();
            vec![
                Cell::title(view! { <code>{row.action}</code> }),
                Cell::sub(short(row.actor)),
                Cell::labelled("On", short(row.target)),
                Cell::labelled("Project", short(row.project)),
                Cell::labelled(
                    "Change",
                    view! { <span class="clip" data-mid="" title=whole>{or_none(row.detail)}</span> },
                ),
                Cell::wide(or_none(row.ip)),
                Cell::when(time_plain(row.at)),
            ]
        })
        .collect();
    table(Table {
        caption: "Changes, newest first".to_owned(),
        cols: vec![
            Col::text("Action"),
            Col::text("Who"),
            Col::text("On"),
            Col::text("Project"),
            Col::text("Change"),
            Col::text("From"),
            Col::number("When, UTC"),
        ],
        rows,
        sticky: true,
    })
}

/// A name that may be long, cut to its column; the whole of it on hover.
fn short(text: String) -> AnyView {
    let whole = text.clone();
    view! { <span class="clip" data-short="" title=whole>{or_none(text)}</span> }.into_any()
}
