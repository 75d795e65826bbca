//! The list of events, and one event with payload, headers and deliveries.

use domain::state::EventState;
use leptos::prelude::*;

use super::{
    dto::{EventDto, EventRow, EventsDto},
    server_fns::{self, ReplayEvent},
};
use crate::{
    features::{common::ProjectRef, deliveries::page::delivery_table},
    ui::{
        bar::Crumb,
        blank::{nothing_matches, nothing_yet_command},
        code::{headers, payload},
        filter::filter_bar,
        form::{Form, Tone, button_form, submit},
        id::id,
        load::{Page, live_switch, load},
        pager::pager,
        panel::{callout, facts, nothing, page_head, page_meta, plain_panel, section},
        pill::{pill, pill_tinted},
        table::{Cell, Col, Table, or_none, row_link, table},
        tabs::tabset,
        time::{time, time_plain},
    },
};

/// `/projects/{project}/events`
#[component]
pub fn EventsPage() -> impl IntoView {
    load::<server_fns::EventsPage, _>(list_view)
}

/// The list.
pub fn list_view(dto: EventsDto) -> Page {
    let list = if !dto.first_event.is_empty() {
        nothing_yet_command(
            "inbox",
            "No events yet",
            "Send the first one from a shell.",
            dto.first_event,
        )
    } else if dto.rows.is_empty() {
        nothing_matches(
            "No event in this range matches the filters.".to_owned(),
            dto.project.at("events"),
        )
    } else {
        view! {
            <p class="sr" role="status">{format!("{} rows shown", dto.rows.len())}</p>
            {plain_panel(event_table(&dto.project, dto.rows))}
            {pager(dto.pager)}
        }
        .into_any()
    };
    let body = view! {
        {page_head("Events".into_any(), nothing(), live_switch())}
        {filter_bar(dto.filter, "Filter events", "type:  id:  key:  owner:  text:")}
        <div class="tight stack">{list}</div>
    };
    Page::new(
        format!("Events · {}", dto.project.name),
        vec![Crumb::here("Events")],
        body.into_any(),
    )
}

fn event_table(project: &ProjectRef, rows: Vec<EventRow>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|row| {
            vec![
                Cell::title(row_link(
                    project.at(&format!("events/{}", row.id)),
                    row.event_type,
                )),
                Cell::state(pill(row.state.look())),
                Cell::sub(row.source),
                Cell::wide(view! { <span class="clip mono">{or_none(row.key)}</span> }),
                Cell::wide(view! { <span class="clip">{or_none(row.reason)}</span> }),
                Cell::wide(id(row.id, "event id")),
                Cell::when(view! { <span class="dim">{time_plain(row.accepted)}</span> }),
            ]
        })
        .collect();
    table(Table {
        caption: "Events, newest first".to_owned(),
        cols: vec![
            Col::text("Event type"),
            Col::text("State"),
            Col::text("Source"),
            Col::text("Idempotency key"),
            Col::text("Reason"),
            Col::text("Event"),
            Col::number("Accepted, UTC"),
        ],
        rows,
        sticky: true,
    })
}

/// `/projects/{project}/events/{item}`
#[component]
pub fn EventPage() -> impl IntoView {
    load::<server_fns::EventPage, _>(detail_view)
}

/// One event.
pub fn detail_view(dto: EventDto) -> Page {
    let look = dto.state.look();
    let crumbs = vec![
        Crumb::link("Events", dto.project.at("events")),
        Crumb::id(&dto.id),
    ];
    let title = format!("{} · {} · {}", look.word, dto.event_type, dto.project.name);
    let heading = view! { {dto.event_type.clone()}{pill_tinted(look)} }.into_any();
    let meta = page_meta(vec![
        view! { "accepted "{time(dto.accepted.clone())} }.into_any(),
        dto.source.clone().into_any(),
        id(dto.id.clone(), "event id"),
    ]);
    let open = !matches!(dto.state, EventState::Success | EventState::Failure)
        || dto.deliveries.iter().any(|d| !d.state.is_final());
    let live = if open { live_switch() } else { nothing() };
    let replay = if dto.project.can_edit {
        replay(&dto)
    } else {
        nothing()
    };
    let actions = view! { {live}{replay} }.into_any();
    let note = if dto.failure.is_empty() {
        nothing()
    } else {
        callout(
            "failure",
            "failure",
            "It reached nobody".to_owned(),
            dto.failure.clone().into_any(),
            nothing(),
        )
    };
    let deliveries = if dto.deliveries.is_empty() {
        plain_panel(view! { <p class="panel-body dim">"No delivery was made of this event."</p> }.into_any())
    } else {
        plain_panel(delivery_table(
            &dto.project,
            dto.deliveries.clone(),
            "Deliveries of this event".to_owned(),
            false,
        ))
    };
    let body = view! {
        {page_head(heading, meta, actions)}
        {note}
        <div class="cols cols-detail">
            {section("facts", "Facts".to_owned(), String::new(), nothing(), event_facts(&dto))}
            <div class="stack-8">
                {section("deliveries", "Deliveries".to_owned(), String::new(), nothing(), deliveries)}
                {content(dto.payload, dto.headers)}
            </div>
        </div>
    };
    Page::new(title, crumbs, body.into_any())
}

fn replay(dto: &EventDto) -> AnyView {
    let fields = vec![("project", dto.project.id.clone()), ("event", dto.id.clone())];
    button_form(
        Form::of::<ReplayEvent>(),
        fields,
        submit(Tone::Primary, "replay", "Replay"),
    )
}

fn content(body: crate::ui::code::Payload, list: Vec<(String, String)>) -> AnyView {
    let panes = vec![
        ("Payload", payload(body, "Payload")),
        ("Headers", headers(list, true)),
    ];
    let body = tabset("Part of the event", "part", panes);
    view! { <section class="panel" aria-label="Content">{body}</section> }.into_any()
}

fn event_facts(dto: &EventDto) -> AnyView {
    let key = if dto.idempotency_key.is_empty() {
        or_none(String::new())
    } else {
        let again = dto.duplicate.then_some(", seen before");
        view! { <code class="wrap-any">{dto.idempotency_key.clone()}</code>{again} }.into_any()
    };
    facts(vec![
        ("Event", id(dto.id.clone(), "event id")),
        ("Source", dto.source.clone().into_any()),
        ("Idempotency", key),
        ("Size", dto.payload.size.clone().into_any()),
        ("Kept", dto.keep.clone().into_any()),
        ("Partition", dto.partition.clone().into_any()),
    ])
}
