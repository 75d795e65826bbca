//! One delivery: what happened, and each attempt with request, response and signature.

use domain::state::{DeliveryState, Look};
use leptos::prelude::*;

use super::{
    dto::{AttemptDto, DeliveryDto},
    server_fns::{self, ResendDelivery},
};
use crate::ui::{
    bar::Crumb,
    code::{block, headers, payload},
    form::{Form, Tone, button_form, submit},
    icon::icon,
    id::{id, id_link},
    load::{Page, live_switch, load},
    panel::{callout, facts, nothing, page_head, page_meta, section},
    pill::{pill_tinted, pill_word},
    table::or_none,
    tabs::tabset,
    time::time,
    timeline::timeline,
};

/// `/projects/{project}/deliveries/{item}`
#[component]
pub fn DeliveryPage() -> impl IntoView {
    load::<server_fns::DeliveryPage, _>(view)
}

/// One delivery.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `load` takes")]
pub fn view(dto: DeliveryDto) -> Page {
    let look = dto.state.look();
    let crumbs = vec![
        Crumb::link("Deliveries", dto.project.at("deliveries")),
        Crumb::id(&dto.id),
    ];
    let title = format!("{} · {} · {}", look.word, dto.event_type, dto.project.name);
    let heading = view! { {dto.event_type.clone()}{pill_tinted(look)} }.into_any();
    let endpoint = dto.project.at(&format!("endpoints/{}", dto.endpoint.id));
    let meta = page_meta(vec![
        view! { "to "<a href=endpoint>{dto.endpoint.name.clone()}</a> }.into_any(),
        view! { "accepted "{time(dto.accepted.clone())} }.into_any(),
        id(dto.id.clone(), "delivery id"),
    ]);
    let resend = if dto.can_resend && dto.project.can_edit {
        resend(&dto)
    } else {
        nothing()
    };
    let live = if dto.state.is_final() {
        nothing()
    } else {
        live_switch()
    };
    let actions = view! { {live}{resend} }.into_any();
    let note = if dto.headline.is_empty() {
        nothing()
    } else {
        callout(
            look.state,
            look.icon,
            dto.headline.clone(),
            dto.explanation.clone().into_any(),
            nothing(),
        )
    };
    let right = match &dto.attempt {
        Some(attempt) => attempt_panel(attempt),
        None => view! { <section class="panel" aria-label="What will be sent">{payload(dto.payload.clone(), "Payload")}</section> }.into_any(),
    };
    let body = view! {
        {page_head(heading, meta, actions)}
        {note}
        <div class="cols cols-detail">
            <div class="stack-8">
                {section("happened", "What happened".to_owned(), String::new(), nothing(), timeline(dto.steps.clone()))}
                {section("facts", "Facts".to_owned(), String::new(), nothing(), delivery_facts(&dto))}
            </div>
            <div class="stack-8">{right}</div>
        </div>
    };
    Page::new(title, crumbs, body.into_any())
}

fn resend(dto: &DeliveryDto) -> AnyView {
    let fields = vec![("project", dto.project.id.clone()), ("delivery", dto.id.clone())];
    let word = if dto.state == DeliveryState::Success {
        "Send again"
    } else {
        "Resend"
    };
    button_form(
        Form::of::<ResendDelivery>(),
        fields,
        submit(Tone::Primary, "retry", word),
    )
}

fn delivery_facts(dto: &DeliveryDto) -> AnyView {
    let subscription = if dto.subscription.id.is_empty() {
        or_none(dto.subscription.name.clone())
    } else {
        let href = dto.project.at(&format!("subscriptions/{}", dto.subscription.id));
        view! { <a href=href>{dto.subscription.name.clone()}</a> }.into_any()
    };
    let key = if dto.idempotency_key.is_empty() {
        or_none(String::new())
    } else {
        view! { <code class="wrap-any">{dto.idempotency_key.clone()}</code> }.into_any()
    };
    facts(vec![
        (
            "Event",
            id_link(
                dto.event.clone(),
                "event id",
                dto.project.at(&format!("events/{}", dto.event)),
            ),
        ),
        ("Delivery", id(dto.id.clone(), "delivery id")),
        ("Subscription", subscription),
        ("Retry rule", dto.retry.clone().into_any()),
        ("Idempotency", key),
        ("Partition", dto.partition.clone().into_any()),
    ])
}

fn attempt_panel(dto: &AttemptDto) -> AnyView {
    let look = if dto.succeeded {
        DeliveryState::Success.look()
    } else {
        DeliveryState::Failure.look()
    };
    let from = if dto.ip.is_empty() {
        String::new()
    } else {
        format!("from {}", dto.ip)
    };
    let title = format!("Attempt {}", dto.number);
    let steps = view! {
        <nav class="btn-set" aria-label="Attempts">
            {step(dto.older.clone(), "left", "Older attempt")}
            {step(dto.newer.clone(), "right", "Newer attempt")}
        </nav>
    };
    let head = view! {
        <h2 id="attempt">{title}</h2>
        {pill_word(Look { word: "", ..look }, dto.code.clone())}
        <div class="end"><span>{time(dto.at.clone())}</span><span>{dto.took.clone()}</span><span>{from}</span>{steps}</div>
    };
    let panes = vec![
        ("Request", request(dto)),
        ("Response", response(dto)),
        ("Signature", signature(dto)),
    ];
    view! {
        <section class="panel" aria-labelledby="attempt">
            <div class="panel-head">{head}</div>
            {tabset("Part of the attempt", "part", panes)}
        </section>
    }
    .into_any()
}

fn step(href: String, mark: &'static str, label: &'static str) -> AnyView {
    if href.is_empty() {
        view! { <button class="btn" data-size="s" data-icon="" type="button" aria-label=label disabled>{icon(mark)}</button> }.into_any()
    } else {
        view! { <a class="btn" data-size="s" data-icon="" aria-label=label href=href>{icon(mark)}</a> }
            .into_any()
    }
}

fn request(dto: &AttemptDto) -> AnyView {
    view! {
        <div class="pane-row"><span class="mono wrap-any"><b>{dto.method.clone()}</b>" "{dto.url.clone()}</span></div>
        {headers(dto.request_headers.clone(), false)}
        {payload(dto.request.clone(), "Body")}
    }
    .into_any()
}

fn response(dto: &AttemptDto) -> AnyView {
    if dto.status.is_empty() {
        return view! { <div class="pane-row"><span>{dto.error.clone()}</span></div> }.into_any();
    }
    view! {
        <div class="pane-row"><span class="mono"><b>{dto.status.clone()}</b></span></div>
        {headers(dto.response_headers.clone(), true)}
        {payload(dto.response.clone(), "Body")}
    }
    .into_any()
}

fn signature(dto: &AttemptDto) -> AnyView {
    if dto.signature.is_empty() {
        return view! { <div class="pane-row"><span class="faint">"Not signed"</span></div> }.into_any();
    }
    let lines = dto
        .signature
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect::<Vec<_>>()
        .join("\n");
    view! {
        <div class="pad stack">
            {facts(vec![("Scheme", dto.scheme.clone().into_any()), ("Signed", "Exactly the bytes of the body above".into_any())])}
            <div class="code-wrap">{block("Sent", lines)}</div>
        </div>
    }
    .into_any()
}
