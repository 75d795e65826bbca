//! One subscription: what it takes, its filter, the tester and its deletion.

use leptos::prelude::*;

use super::{
    dto::{SubscriptionDto, SubscriptionForm, TestOutcome},
    server_fns::{self, DeleteSubscription, SaveSubscription, SetSubscriptionEnabled},
};
use crate::ui::{
    bar::Crumb,
    confirm::confirm,
    field::{Field, set},
    form::{Form, Tone, button_form, hidden, submit, submit_as},
    icon::icon,
    load::{Page, load},
    panel::{callout, nothing, page_head, panel},
};

/// `/projects/{project}/subscriptions/new` and `/projects/{project}/subscriptions/{item}`
#[component]
pub fn SubscriptionPage() -> impl IntoView {
    load::<server_fns::SubscriptionPage, _>(view)
}

/// The form.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `load` takes")]
pub fn view(dto: SubscriptionDto) -> Page {
    let new = dto.id.is_empty();
    let form = Form::of::<SaveSubscription>();
    let heading = if new {
        "New subscription".to_owned()
    } else {
        dto.name.clone()
    };
    let crumbs = vec![
        Crumb::link("Subscriptions", dto.project.at("subscriptions")),
        Crumb::here(if new { "New".to_owned() } else { dto.name.clone() }),
    ];
    let values = dto.form.clone();
    let outcome = dto.outcome.clone().map(outcome);
    let save = if dto.project.can_edit {
        let word = if new {
            "Create subscription"
        } else {
            "Save subscription"
        };
        view! { <div class="savebar">{submit(Tone::Primary, "", word)}<a class="btn" href=dto.project.at("subscriptions")>"Cancel"</a></div> }.into_any()
    } else {
        nothing()
    };
    let rows = view! {
        {hidden("project", dto.project.id.clone())}
        {hidden("subscription", dto.id.clone())}
        <div class="settings">
            {target(form, &values, &dto)}
            {filter(form, &values)}
            {tester(form, &values)}
        </div>
        {save}
    };
    let switch = if new || !dto.project.can_edit {
        nothing()
    } else {
        switch(&dto)
    };
    let mixed = dto.mixed.then(|| {
        let text = "Its event types have different filters, set by the API. Saving this form gives all of them the filter below.";
        callout("retry", "warn", "Several filters".to_owned(), text.into_any(), nothing())
    });
    let danger = if new || !dto.project.can_edit {
        nothing()
    } else {
        danger(&dto)
    };
    let body = view! {
        {page_head(heading.clone().into_any(), nothing(), switch)}
        {mixed}
        {outcome}
        {form.view("stack-8 tight", rows.into_any())}
        {danger}
    };
    Page::new(
        format!("{heading} · {}", dto.project.name),
        crumbs,
        body.into_any(),
    )
}

/// The button that switches the subscription off, or on again.
fn switch(dto: &SubscriptionDto) -> AnyView {
    let (mark, word, enabled) = if dto.enabled {
        ("paused", "Disable", "false")
    } else {
        ("success", "Enable", "true")
    };
    let fields = vec![
        ("project", dto.project.id.clone()),
        ("subscription", dto.id.clone()),
        ("enabled", enabled.to_owned()),
    ];
    button_form(
        Form::of::<SetSubscriptionEnabled>(),
        fields,
        submit(Tone::Plain, mark, word),
    )
}

fn target(form: Form, values: &SubscriptionForm, dto: &SubscriptionDto) -> AnyView {
    let endpoints = dto
        .endpoints
        .iter()
        .map(|e| (e.id.clone(), e.name.clone()))
        .collect();
    let fields = view! {
        {Field::text(form, "name", "Name").value(&values.name).required().width("w-l").view()}
        {Field::choice(form, "endpoint_id", "Endpoint", endpoints).value(&values.endpoint_id).required().width("w-m").view()}
        {Field::area(form, "event_types", "Event types", 3).value(&values.event_types).mono().width("w-l").placeholder("order.created").help("One per line. Empty or * takes every type.").view()}
    };
    set(
        "set-target",
        "What goes where",
        "Events of these types reach this endpoint.",
        fields.into_any(),
    )
}

fn filter(form: Form, values: &SubscriptionForm) -> AnyView {
    let body_help = "Plain values mean equal. Operators: $eq $neq $gt $gte $lt $lte $in $nin $exist $regex $and $or. Paths with dots; $ stands for any element of a list.";
    let more = !(values.headers.is_empty() && values.query.is_empty() && values.path.is_empty());
    let fields = view! {
        {Field::area(form, "body", "Body", 5).value(&values.body).optional().mono().placeholder("{\"amount.value\": {\"$gte\": 100}}").help(body_help).view()}
        <details class="more-fields" open=more>
            <summary>{icon("right")}"Headers, query and path"</summary>
            <div class="stack">
                {Field::area(form, "headers", "Headers", 3).value(&values.headers).optional().mono().placeholder("{\"x-tenant\": \"acme\"}").view()}
                {Field::area(form, "query", "Query", 3).value(&values.query).optional().mono().view()}
                {Field::area(form, "path", "Path", 3).value(&values.path).optional().mono().view()}
            </div>
        </details>
    };
    set(
        "set-filter",
        "Filter",
        "All parts have to pass. Without a filter, every event of the types does.",
        fields.into_any(),
    )
}

fn tester(form: Form, values: &SubscriptionForm) -> AnyView {
    let fields = view! {
        {Field::area(form, "sample_body", "Sample body", 5).value(&values.sample_body).optional().mono().placeholder("{\"amount\": {\"value\": 120}}").view()}
        {Field::area(form, "sample_headers", "Sample headers", 2).value(&values.sample_headers).optional().mono().view()}
        <div class="row">{submit_as("mode", "test", "verify", "Test filter")}<span class="help">"Saves nothing and sends nothing."</span></div>
    };
    set(
        "set-tester",
        "Try it",
        "Would an event like this one pass?",
        fields.into_any(),
    )
}

fn outcome(outcome: TestOutcome) -> AnyView {
    let scopes = outcome
        .scopes
        .into_iter()
        .map(|(scope, verdict)| view! { <li>{format!("{scope}: {verdict}")}</li> }.into_any())
        .collect::<Vec<_>>();
    let list = view! { <ul class="plain">{scopes}</ul> }.into_any();
    let (state, mark, title) = if outcome.matched {
        ("success", "success", "The sample passes: it would be delivered")
    } else {
        (
            "retry",
            "warn",
            "The sample does not pass: it would not be delivered",
        )
    };
    view! { <div role="status">{callout(state, mark, title.to_owned(), list, nothing())}</div> }.into_any()
}

fn danger(dto: &SubscriptionDto) -> AnyView {
    let form = Form::of::<DeleteSubscription>();
    let body = view! {
        {hidden("project", dto.project.id.clone())}
        {hidden("subscription", dto.id.clone())}
        <p class="dim">"New events no longer reach the endpoint through it. Deliveries already made stay and are still sent."</p>
        {confirm(form, &dto.name, "Delete subscription".to_owned(), ("", String::new()))}
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
