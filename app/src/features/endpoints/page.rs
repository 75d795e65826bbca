//! The list of endpoints, and one endpoint.

use domain::state::EndpointState;
use leptos::prelude::*;

use super::{
    dto::{EndpointDto, EndpointRow, EndpointsDto, SecretRow},
    server_fns::{
        self, ActivateEndpoint, DeleteEndpoint, PauseEndpoint, RevealSecrets, RotateSecret, SendTestEvent,
    },
};
use crate::{
    features::{common::ProjectRef, deliveries::page::delivery_table},
    ui::{
        bar::Crumb,
        blank::{nothing_matches, nothing_yet},
        confirm::confirm,
        field::Field,
        form::{Form, Tone, button_form, hidden, submit},
        icon::icon,
        id::{copy_button, id},
        load::{Page, live_switch, load},
        panel::{
            callout, facts, link_button, more, nothing, page_head, page_meta, panel, plain_panel, section,
        },
        pill::{pill, pill_tinted},
        stat::stats,
        table::{Cell, Col, Table, faint_zero, or_none, row_link, table},
        time::time,
    },
};

/// `/projects/{project}/endpoints`
#[component]
pub fn EndpointsPage() -> impl IntoView {
    load::<server_fns::EndpointsPage, _>(list_view)
}

/// The list.
pub fn list_view(dto: EndpointsDto) -> Page {
    let new = if dto.project.can_edit {
        link_button(dto.project.at("endpoints/new"), "plus", "New endpoint", true)
    } else {
        nothing()
    };
    let list = if !dto.any {
        let text = "An endpoint is an address that receives events. Subscriptions say which ones.";
        nothing_yet("endpoints", "No endpoints yet", text, nothing())
    } else if dto.rows.is_empty() {
        nothing_matches(
            format!("No endpoint has {} in its name.", dto.search),
            dto.project.at("endpoints"),
        )
    } else {
        plain_panel(endpoint_table(&dto.project, dto.rows))
    };
    let search = dto.any.then(|| {
        view! {
            <form class="filters tight" role="search" method="get" aria-label="Filter endpoints">
                <label class="sr" for="q">"Name"</label>
                <input class="input w-l" id="q" name="q" type="search" placeholder="Name" value=dto.search />
                <button class="btn" type="submit">"Filter"</button>
            </form>
        }
    });
    let body = view! {
        {page_head("Endpoints".into_any(), nothing(), view! { {live_switch()}{new} }.into_any())}
        {search}
        <div class="tight">{list}</div>
    };
    Page::new(
        format!("Endpoints · {}", dto.project.name),
        vec![Crumb::here("Endpoints")],
        body.into_any(),
    )
}

fn endpoint_table(project: &ProjectRef, rows: Vec<EndpointRow>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|row| {
            vec![
                Cell::title(row_link(project.at(&format!("endpoints/{}", row.id)), row.name)),
                Cell::state(pill(row.state.look())),
                Cell::sub(view! { <span class="clip mono">{row.url}</span> }),
                Cell::wide_number(or_none(row.success)),
                Cell::wide_number(faint_zero(row.failed)),
                Cell::wide_number(faint_zero(row.subscriptions)),
            ]
        })
        .collect();
    table(Table {
        caption: "Endpoints by name, numbers of the last 24 hours".to_owned(),
        cols: vec![
            Col::text("Endpoint"),
            Col::text("State"),
            Col::text("Address"),
            Col::number("Delivered"),
            Col::number("Failed"),
            Col::number("Subscriptions"),
        ],
        rows,
        sticky: true,
    })
}

/// `/projects/{project}/endpoints/{item}`
#[component]
pub fn EndpointPage() -> impl IntoView {
    load::<server_fns::EndpointPage, _>(detail_view)
}

/// One endpoint.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `load` takes")]
pub fn detail_view(dto: EndpointDto) -> Page {
    let look = dto.state.look();
    let crumbs = vec![
        Crumb::link("Endpoints", dto.project.at("endpoints")),
        Crumb::here(dto.name.clone()),
    ];
    let title = format!("{} · {} · {}", look.word, dto.name, dto.project.name);
    let heading = view! { {dto.name.clone()}{pill_tinted(look)} }.into_any();
    let meta = page_meta(vec![
        view! { <code class="wrap-any">{dto.url.clone()}</code> }.into_any(),
        id(dto.id.clone(), "endpoint id"),
    ]);
    let note = if dto.state_reason.is_empty() {
        nothing()
    } else {
        callout(
            look.state,
            look.icon,
            format!("{} is {}", dto.name, look.word.to_lowercase()),
            dto.state_reason.clone().into_any(),
            nothing(),
        )
    };
    let settings = facts_of(&dto);
    let all = more(
        dto.project.at(&format!("deliveries?q=endpoint:{}", dto.id)),
        "All deliveries".to_owned(),
    );
    let deliveries = if dto.deliveries.is_empty() {
        plain_panel(view! { <p class="panel-body dim">"Nothing was sent here yet."</p> }.into_any())
    } else {
        plain_panel(delivery_table(
            &dto.project,
            dto.deliveries.clone(),
            "Latest deliveries".to_owned(),
            false,
        ))
    };
    let danger = if dto.project.can_edit {
        danger(&dto)
    } else {
        nothing()
    };
    let body = view! {
        {page_head(heading, meta, actions(&dto))}
        {note}
        {stats("Last 24 hours".to_owned(), dto.stats.clone())}
        <div class="cols cols-2">
            {section("settings", "Settings".to_owned(), String::new(), nothing(), settings)}
            {secrets(&dto)}
        </div>
        {section("deliveries", "Latest deliveries".to_owned(), String::new(), all, deliveries)}
        {danger}
    };
    Page::new(title, crumbs, body.into_any())
}

fn ids_of(dto: &EndpointDto) -> Vec<(&'static str, String)> {
    vec![("project", dto.project.id.clone()), ("endpoint", dto.id.clone())]
}

fn actions(dto: &EndpointDto) -> AnyView {
    if !dto.project.can_edit {
        return nothing();
    }
    let test = button_form(
        Form::of::<SendTestEvent>(),
        ids_of(dto),
        submit(Tone::Plain, "send", "Send test event"),
    );
    let switch = if dto.state == EndpointState::Active {
        button_form(
            Form::of::<PauseEndpoint>(),
            ids_of(dto),
            submit(Tone::Plain, "paused", "Pause"),
        )
    } else {
        button_form(
            Form::of::<ActivateEndpoint>(),
            ids_of(dto),
            submit(Tone::Primary, "success", "Activate"),
        )
    };
    let edit = link_button(
        dto.project.at(&format!("endpoints/{}/edit", dto.id)),
        "",
        "Edit",
        false,
    );
    view! { {test}{switch}{edit} }.into_any()
}

fn facts_of(dto: &EndpointDto) -> AnyView {
    let rows = dto
        .settings
        .iter()
        .map(|(label, words)| {
            view! { <dt>{label.clone()}</dt><dd class="wrap-any">{words.clone()}</dd> }.into_any()
        })
        .collect::<Vec<_>>();
    let links = dto
        .subscriptions
        .iter()
        .map(|s| {
            view! { <li><a href=dto.project.at(&format!("subscriptions/{}", s.id))>{s.name.clone()}</a></li> }
                .into_any()
        })
        .collect::<Vec<_>>();
    let subscriptions = if links.is_empty() {
        view! { "None: nothing is sent here. "<a href=dto.project.at(&format!("subscriptions/new?endpoint={}", dto.id))>"Add one"</a> }.into_any()
    } else {
        view! { <ul class="plain">{links}</ul> }.into_any()
    };
    view! { <dl class="kv">{rows}<dt>"Subscriptions"</dt><dd>{subscriptions}</dd></dl> }.into_any()
}

fn secrets(dto: &EndpointDto) -> AnyView {
    let rows = dto.secrets.iter().map(secret).collect::<Vec<_>>();
    let form = Form::of::<RotateSecret>();
    let rotate = if dto.project.can_edit {
        let fields = view! {
            {hidden("project", dto.project.id.clone())}
            {hidden("endpoint", dto.id.clone())}
            {Field::text(form, "value", "New secret").optional().mono().help("Left empty, Longhaul makes one.").view()}
            {Field::number(form, "hours", "Old secret also signs for").value("24").suffix("hours").help("0 to 8760. 0 ends it at once.").view()}
            <div class="row">{submit(Tone::Plain, "key", "Rotate secret")}</div>
        };
        view! { <div class="panel-body">{form.view("stack", fields.into_any())}</div> }.into_any()
    } else {
        nothing()
    };
    let body = view! { <ul class="checks">{rows}</ul>{rotate} };
    let reveal = if dto.project.can_edit && dto.secrets.iter().any(|s| !s.whole) {
        button_form(
            Form::of::<RevealSecrets>(),
            ids_of(dto),
            submit(Tone::Small, "eye", "Reveal"),
        )
    } else {
        nothing()
    };
    panel(
        "secrets",
        "Secrets".to_owned(),
        String::new(),
        reveal,
        body.into_any(),
    )
}

fn secret(row: &SecretRow) -> AnyView {
    let text = row.text.clone();
    let value = if row.whole {
        view! { <code class="wrap-any">{text.clone()}</code>{copy_button(text, "Copy secret".to_owned())} }
            .into_any()
    } else {
        view! { <span class="c-mask mono">{text}</span> }.into_any()
    };
    let until = if row.expires.text.is_empty() {
        view! { <span>"Signs since "{time(row.created.clone())}</span> }.into_any()
    } else {
        view! { <span>"Also signs until "{time(row.expires.clone())}</span> }.into_any()
    };
    view! { <li>{icon("key")}<div>{value}{until}</div></li> }.into_any()
}

fn danger(dto: &EndpointDto) -> AnyView {
    let form = Form::of::<DeleteEndpoint>();
    let count = dto.subscriptions.len();
    let lines = facts(vec![
        ("Subscriptions that go", count.to_string().into_any()),
        (
            "Waiting deliveries that are discarded",
            dto.waiting.clone().into_any(),
        ),
        (
            "Past deliveries",
            "stay readable until their retention ends".into_any(),
        ),
    ]);
    let body = view! {
        {hidden("project", dto.project.id.clone())}
        {hidden("endpoint", dto.id.clone())}
        {lines}
        {confirm(form, &dto.name, "Delete endpoint".to_owned(), ("", String::new()))}
    };
    let body = view! { <div class="panel-body">{form.view("stack", body.into_any())}</div> }.into_any();
    panel(
        "delete",
        format!("Delete {}", dto.name),
        String::new(),
        nothing(),
        body,
    )
}
