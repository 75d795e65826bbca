//! The overview: what needs attention, four numbers, success, endpoints, days, last failures.

use leptos::prelude::*;

use super::{
    dto::{EndpointSummary, OverviewDto},
    server_fns,
};
use crate::{
    features::{
        common::{ProjectRef, attention},
        deliveries::page::failure_table,
    },
    ui::{
        bar::Crumb,
        blank::nothing_yet_command,
        chart::{self, chart},
        heat::{self, heat, twin},
        load::{Page, live_switch, load},
        panel::{link_button, more, nothing, page_head, page_meta, panel, plain_panel, section},
        pill::with_state,
        stat::stats,
        table::{Cell, Col, Table, faint_zero, or_none, row_link, table},
        tabs::segments,
    },
};

/// `/projects/{project}`
#[component]
pub fn OverviewPage() -> impl IntoView {
    load::<server_fns::OverviewPage, _>(view)
}

/// The overview.
pub fn view(dto: OverviewDto) -> Page {
    let name = dto.project.name.clone();
    let title = match dto.attention.len() {
        0 => name.clone(),
        1 => format!("1 needs attention · {name}"),
        n => format!("{n} need attention · {name}"),
    };
    let new = if dto.project.can_edit && dto.endpoints.is_empty() {
        link_button(dto.project.at("endpoints/new"), "plus", "New endpoint", true)
    } else {
        nothing()
    };
    let actions = view! { {segments("Time range", dto.ranges)}{live_switch()}{new} }.into_any();
    let meta = page_meta(dto.meta.into_iter().map(IntoAny::into_any).collect());
    let first = (!dto.first_event.is_empty()).then(|| {
        nothing_yet_command(
            "inbox",
            "No events yet",
            "Send the first one from a shell.",
            dto.first_event,
        )
    });
    let failures = if dto.failures.is_empty() {
        plain_panel(view! { <p class="panel-body dim">"No delivery failed in this range."</p> }.into_any())
    } else {
        plain_panel(failure_table(&dto.project, dto.failures))
    };
    let all_failures = if dto.failed == "0" {
        nothing()
    } else {
        more(
            dto.project.at("deliveries?state=Failure"),
            format!("All {}", dto.failed),
        )
    };
    let strip = view! { {heat(dto.days.svg)}{heat::legend()}{twin(dto.days.days)} }.into_any();
    let body = view! {
        {page_head(name.into_any(), meta, actions)}
        {attention(dto.attention)}
        {first}
        {stats(dto.range, dto.stats)}
        <div class="cols cols-wide" data-even="">
            {panel("success", "Delivery success".to_owned(), dto.chart_note, chart::legend(), view! { <div class="panel-body">{chart(dto.chart)}</div> }.into_any())}
            {endpoints(&dto.project, dto.endpoints)}
        </div>
        {section("days", "Days".to_owned(), dto.days_note, nothing(), strip)}
        {section("failures", "Latest failures".to_owned(), String::new(), all_failures, failures)}
    };
    Page::new(title, vec![Crumb::here("Overview")], body.into_any())
}

fn endpoints(project: &ProjectRef, list: Vec<EndpointSummary>) -> AnyView {
    let end = more(project.at("endpoints"), "All endpoints".to_owned());
    if list.is_empty() {
        let body = view! { <p class="panel-body dim">"No endpoints yet. Until there is one, events end unmatched."</p> };
        return panel(
            "endpoints",
            "Endpoints".to_owned(),
            String::new(),
            end,
            body.into_any(),
        );
    }
    let rows = list
        .into_iter()
        .map(|row| {
            let link = row_link(project.at(&format!("endpoints/{}", row.id)), row.name);
            vec![
                Cell::title(with_state(row.state.look(), link)),
                Cell::number("Failed", faint_zero(row.failed)),
                Cell::number("Delivered", faint_zero(row.delivered)),
                Cell::number("p95", or_none(row.p95)),
            ]
        })
        .collect();
    let body = table(Table {
        caption: "Endpoints, most failures first".to_owned(),
        cols: vec![
            Col::text("Endpoint"),
            Col::number("Failed"),
            Col::number("Delivered"),
            Col::number("p95"),
        ],
        rows,
        sticky: false,
    });
    panel("endpoints", "Endpoints".to_owned(), String::new(), end, body)
}
