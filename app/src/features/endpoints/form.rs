//! The form of an endpoint, for a new one and for an existing one.

use leptos::prelude::*;

use super::{
    dto::{EndpointForm, EndpointFormDto},
    server_fns::{self, CreateEndpoint, SaveEndpoint},
};
use crate::ui::{
    bar::Crumb,
    field::{Field, choices, set},
    form::{Form, Tone, hidden, submit},
    load::{Page, load},
    panel::{nothing, page_head},
};

/// `/projects/{project}/endpoints/new` and `/projects/{project}/endpoints/{item}/edit`
#[component]
pub fn EndpointFormPage() -> impl IntoView {
    load::<server_fns::EndpointFormPage, _>(view)
}

/// The form.
pub fn view(dto: EndpointFormDto) -> Page {
    let new = dto.id.is_empty();
    let form = if new {
        Form::of::<CreateEndpoint>()
    } else {
        Form::of::<SaveEndpoint>()
    };
    let back = if new {
        dto.project.at("endpoints")
    } else {
        dto.project.at(&format!("endpoints/{}", dto.id))
    };
    let heading = if new {
        "New endpoint".to_owned()
    } else {
        format!("Edit {}", dto.form.name)
    };
    let mut crumbs = vec![Crumb::link("Endpoints", dto.project.at("endpoints"))];
    if !new {
        crumbs.push(Crumb::link(dto.form.name.clone(), back.clone()));
    }
    crumbs.push(Crumb::here(if new { "New" } else { "Edit" }));
    let target = (!new)
        .then(|| view! { {hidden("endpoint", dto.id.clone())}{hidden("version", dto.version.to_string())} });
    let values = dto.form;
    let rows = view! {
        {hidden("project", dto.project.id.clone())}
        {target}
        <div class="settings">
            {receiver(form, &values)}
            {signature(form, &values, new)}
            {limits(form, &values)}
            {authentication(form, &values)}
        </div>
        <div class="savebar">
            {submit(Tone::Primary, "", if new { "Create endpoint" } else { "Save endpoint" })}
            <a class="btn" href=back>"Cancel"</a>
        </div>
    };
    let body = view! {
        {page_head(heading.clone().into_any(), nothing(), nothing())}
        {form.view("stack-8 tight", rows.into_any())}
    };
    Page::new(
        format!("{heading} · {}", dto.project.name),
        crumbs,
        body.into_any(),
    )
}

fn receiver(form: Form, values: &EndpointForm) -> AnyView {
    let fields = view! {
        {Field::text(form, "name", "Name").value(&values.name).required().width("w-l").view()}
        {Field::url(form, "url", "Address").value(&values.url).required().mono().width("w-l").placeholder("https://example.com/hooks").help("Private networks are refused unless this instance allows them.").view()}
        {Field::text(form, "description", "Description").value(&values.description).optional().width("w-l").view()}
        {Field::text(form, "owner_id", "Owner").value(&values.owner_id).optional().mono().width("w-m").help("Events sent to an owner reach all of its endpoints.").view()}
        {Field::email(form, "support_email", "Support email").value(&values.support_email).optional().width("w-m").view()}
    };
    set(
        "set-receiver",
        "Receiver",
        "Who gets the events.",
        fields.into_any(),
    )
}

fn signature(form: Form, values: &EndpointForm, new: bool) -> AnyView {
    let schemes = [
        (
            "advanced",
            "Convoy, advanced",
            "Time and all valid secrets in one header. Protects against replays.",
        ),
        ("simple", "Convoy, simple", "One digest of the body."),
        (
            "standard",
            "Standard Webhooks",
            "webhook-id, webhook-timestamp and webhook-signature.",
        ),
    ];
    let secret = new.then(|| {
        Field::text(form, "secret", "Secret")
            .value(&values.secret)
            .optional()
            .mono()
            .width("w-l")
            .help("Left empty, Longhaul makes one and shows it once.")
            .view()
    });
    let types = vec![
        ("application/json".to_owned(), "JSON".to_owned()),
        ("application/x-www-form-urlencoded".to_owned(), "Form".to_owned()),
    ];
    let fields = view! {
        {choices("signature", "Scheme", &values.signature, &schemes)}
        {secret}
        {Field::choice(form, "content_type", "Body", types).value(&values.content_type).width("w-s").view()}
    };
    set(
        "set-signature",
        "Signature",
        "How the receiver knows that it was you.",
        fields.into_any(),
    )
}

fn limits(form: Form, values: &EndpointForm) -> AnyView {
    let fields = view! {
        {Field::number(form, "http_timeout", "Timeout").value(&values.http_timeout).suffix("seconds").help("0 for the default of this instance. An attempt without an answer by then has failed.").view()}
        {Field::number(form, "rate_limit", "At most").value(&values.rate_limit).suffix("deliveries").help("0 for the project's limit. What is over it waits, nothing is lost.").view()}
        {Field::number(form, "rate_limit_duration", "In").value(&values.rate_limit_duration).suffix("seconds").help("1 to 86400.").view()}
    };
    set(
        "set-limits",
        "Limits",
        "What the receiver can take.",
        fields.into_any(),
    )
}

fn authentication(form: Form, values: &EndpointForm) -> AnyView {
    let kinds = [
        ("none", "None", "The signature alone."),
        ("api_key", "Header", "A header with a fixed value."),
        ("basic_auth", "Basic", "User name and password."),
    ];
    let fields = view! {
        {choices("auth", "Sent along", &values.auth, &kinds)}
        <div class="fields only-api-key">
            {Field::text(form, "auth_header", "Header").value(&values.auth_header).mono().placeholder("X-Api-Key").view()}
            {Field::password(form, "auth_value", "Value").autocomplete("new-password").help("Left empty, the stored one stays.").view()}
        </div>
        <div class="fields only-basic">
            {Field::text(form, "auth_username", "User name").value(&values.auth_username).view()}
            {Field::password(form, "auth_password", "Password").autocomplete("new-password").help("Left empty, the stored one stays.").view()}
        </div>
    };
    set(
        "set-auth",
        "Authentication",
        "What the receiver asks for besides.",
        fields.into_any(),
    )
}
