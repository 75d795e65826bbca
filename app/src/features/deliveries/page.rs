//! The list of deliveries.

use leptos::prelude::*;

use super::{
    dto::{DeliveriesDto, DeliveryRow},
    server_fns::{self, ResendMatching, ResendSelected},
};
use crate::{
    features::common::ProjectRef,
    ui::{
        bar::Crumb,
        blank::{nothing_matches, nothing_yet},
        filter::filter_bar,
        form::{Form, Tone, hidden, submit},
        icon::icon,
        id::id,
        load::{Page, live_switch, load},
        pager::pager,
        panel::{callout, nothing, page_head, plain_panel},
        pill::pill,
        table::{Cell, Col, Table, or_none, row_link, table},
        tabs::tabs,
        time::time_plain,
    },
};

/// `/projects/{project}/deliveries`
#[component]
pub fn DeliveriesPage() -> impl IntoView {
    load::<server_fns::DeliveriesPage, _>(view)
}

/// The list.
pub fn view(dto: DeliveriesDto) -> Page {
    let resend_all = if dto.project.can_edit && !dto.matching.is_empty() {
        resend_matching(&dto)
    } else {
        nothing()
    };
    let state = dto
        .tabs
        .iter()
        .find(|t| t.current)
        .map_or("All", |t| t.word.as_str())
        .to_owned();
    let list = if !dto.any {
        let text = "They appear as soon as an event matches a subscription.";
        nothing_yet("deliveries", "No deliveries yet", text, nothing())
    } else if dto.rows.is_empty() {
        nothing_matches(
            "No delivery in this range matches the filters.".to_owned(),
            dto.project.at("deliveries"),
        )
    } else {
        rows(&dto.project, dto.rows, dto.query)
    };
    let actions = view! { {live_switch()}{resend_all} }.into_any();
    let batch =
        (!dto.batch.is_empty()).then(|| callout("active", "running", dto.batch, nothing(), nothing()));
    let body = view! {
        {page_head("Deliveries".into_any(), nothing(), actions)}
        {batch}
        {tabs("State".to_owned(), dto.tabs)}
        {filter_bar(dto.filter, "Filter deliveries", "type:  endpoint:  event:  id:")}
        <div class="tight stack">{list}{dto.any.then(|| pager(dto.pager))}</div>
    };
    let title = format!("{state} · Deliveries · {}", dto.project.name);
    Page::new(title, vec![Crumb::here("Deliveries")], body.into_any())
}

fn rows(project: &ProjectRef, rows: Vec<DeliveryRow>, query: String) -> AnyView {
    let shown = view! { <p class="sr" role="status">{format!("{} rows shown", rows.len())}</p> };
    let can_edit = project.can_edit;
    let list = plain_panel(delivery_table(
        project,
        rows,
        "Deliveries, newest first".to_owned(),
        can_edit,
    ));
    if !can_edit {
        return view! { {shown}{list} }.into_any();
    }
    let body = view! {
        {hidden("project", project.id.clone())}
        {hidden("query", query)}
        {shown}
        {list}
        <div class="bulk" role="region" aria-label="Selection">
            <b>"Selected"</b>
            {submit(Tone::Primary, "retry", "Resend selected")}
            <button class="btn" data-icon="" aria-label="Clear selection" type="reset">{icon("x")}</button>
        </div>
    };
    Form::of::<ResendSelected>().view("", body.into_any())
}

/// Deliveries as a table, with or without check boxes.
pub fn delivery_table(project: &ProjectRef, rows: Vec<DeliveryRow>, caption: String, pick: bool) -> AnyView {
    let mut cols = vec![
        Col::text("Event type"),
        Col::text("State"),
        Col::text("Endpoint"),
        Col::number("Code"),
        Col::number("Attempts"),
        Col::number("Took"),
        Col::text("Delivery"),
        Col::number("Accepted, UTC"),
    ];
    if pick {
        cols.insert(0, Col::pick());
    }
    let rows = rows
        .into_iter()
        .map(|row| {
            let label = format!("Select {} to {}, {}", row.event_type, row.endpoint, row.at.text);
            let mut cells = vec![
                Cell::title(row_link(
                    project.at(&format!("deliveries/{}", row.id)),
                    row.event_type,
                )),
                Cell::state(pill(row.state.look())),
                Cell::sub(row.endpoint),
                Cell::wide_number(or_none(row.code)),
                Cell::wide_number(or_none(row.attempts)),
                Cell::wide_number(or_none(row.took)),
                Cell::wide(id(row.id.clone(), "delivery id")),
                Cell::when(view! { <span class="dim">{time_plain(row.at)}</span> }),
            ];
            if pick {
                cells.insert(0, Cell::pick("ids[]", row.id, label));
            }
            cells
        })
        .collect();
    table(Table {
        caption,
        cols,
        rows,
        sticky: true,
    })
}

/// Failed deliveries as a table, with the reason.
pub fn failure_table(project: &ProjectRef, rows: Vec<DeliveryRow>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|row| {
            vec![
                Cell::title(row_link(
                    project.at(&format!("deliveries/{}", row.id)),
                    row.event_type,
                )),
                Cell::state(pill(row.state.look())),
                Cell::sub(row.endpoint),
                Cell::wide_number(or_none(row.code)),
                Cell::wide(or_none(row.reason)),
                Cell::wide_number(row.attempts),
                Cell::wide(id(row.id, "delivery id")),
                Cell::when(view! { <span class="dim">{time_plain(row.at)}</span> }),
            ]
        })
        .collect();
    table(Table {
        caption: "Latest failures".to_owned(),
        cols: vec![
            Col::text("Event type"),
            Col::text("State"),
            Col::text("Endpoint"),
            Col::number("Code"),
            Col::text("Reason"),
            Col::number("Attempts"),
            Col::text("Delivery"),
            Col::number("Failed"),
        ],
        rows,
        sticky: false,
    })
}

/// The button that resends whatever the filters match, with what that means.
fn resend_matching(dto: &DeliveriesDto) -> AnyView {
    let form = Form::of::<ResendMatching>();
    let body = view! {
        {hidden("project", dto.project.id.clone())}
        {hidden("query", dto.query.clone())}
        <p>{format!("{} are sent again, each with a fresh signature, and counted as new attempts. It runs in the background.", dto.matching)}</p>
        <div class="actions">
            {submit(Tone::Primary, "retry", format!("Resend {}", dto.matching))}
            <button class="btn" type="button" popovertarget="resend-matching" popovertargetaction="hide">"Cancel"</button>
        </div>
    };
    view! {
        <button class="btn" type="button" popovertarget="resend-matching">{icon("retry")}"Resend all matches"</button>
        <div class="dialog" id="resend-matching" popover="" role="dialog" aria-labelledby="resend-matching-head">
            <div class="dialog-head"><h2 id="resend-matching-head">{format!("Resend {}", dto.matching)}</h2></div>
            {form.view("dialog-body", body.into_any())}
        </div>
    }
    .into_any()
}
