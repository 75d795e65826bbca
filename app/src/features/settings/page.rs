//! General settings, signature and danger.

use leptos::prelude::*;

use super::{
    dto::{DangerDto, GeneralDto, GeneralForm, SignatureDto},
    server_fns::{self, AddSignatureVersion, DeleteProject, SaveGeneral, SaveSignature},
};
use crate::{
    features::common::ProjectRef,
    ui::{
        bar::Crumb,
        confirm::confirm,
        field::{Field, check, choices, set},
        form::{Form, Tone, hidden, submit},
        load::{Page, load},
        panel::{facts, nothing, page_head, panel, plain_panel},
        table::{Cell, Col, Table, table},
        tabs::{Tab, tabs},
        time::time_plain,
    },
};

/// A settings page: heading, tabs and what stands below.
pub fn settings_page(project: &ProjectRef, current: &'static str, body: AnyView) -> Page {
    let list = [
        ("general", "General"),
        ("retention", "Retention"),
        ("storage", "Storage"),
        ("signature", "Signature"),
        ("keys", "Keys"),
        ("danger", "Danger"),
    ]
    .into_iter()
    .map(|(path, word)| Tab::new(word, project.at(&format!("settings/{path}")), word == current))
    .collect();
    let body = view! {
        {page_head("Settings".into_any(), nothing(), nothing())}
        {tabs(format!("Settings of {}", project.name), list)}
        {body}
    };
    let crumbs = vec![
        Crumb::link("Settings", project.at("settings/general")),
        Crumb::here(current),
    ];
    Page::new(
        format!("{current} · Settings · {}", project.name),
        crumbs,
        body.into_any(),
    )
}

/// `/projects/{project}/settings/general`
#[component]
pub fn GeneralPage() -> impl IntoView {
    load::<server_fns::SettingsGeneralPage, _>(general_view)
}

/// General settings.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `load` takes")]
pub fn general_view(dto: GeneralDto) -> Page {
    let form = Form::of::<SaveGeneral>();
    let save = if dto.project.can_edit {
        view! { <div class="savebar">{submit(Tone::Primary, "", "Save settings")}</div> }.into_any()
    } else {
        nothing()
    };
    let name = view! {
        {Field::text(form, "name", "Name").value(&dto.form.name).required().width("w-m").view()}
        <p class="help">{format!("Direction: {}. It cannot be changed.", dto.kind)}</p>
    };
    let body = view! {
        {hidden("project", dto.project.id.clone())}
        {hidden("version", dto.version.to_string())}
        <div class="settings">
            {set("set-name", "Project", "The name is typed to confirm deletions.", name.into_any())}
            {retries(form, &dto.form)}
            {limits(form, &dto.form)}
            {rules(&dto.form)}
        </div>
        {save}
    };
    settings_page(
        &dto.project,
        "General",
        form.view("stack-8 tight", body.into_any()),
    )
}

fn retries(form: Form, values: &GeneralForm) -> AnyView {
    let kinds = [
        ("exponential", "Exponential", "The wait doubles each time."),
        ("linear", "Linear", "The same wait each time."),
        ("list", "List", "The waits you name."),
    ];
    let fields = view! {
        {choices("strategy", "Waits", &values.strategy, &kinds)}
        <div class="fields">
            {Field::number(form, "duration", "First wait").value(&values.duration).suffix("seconds").help("1 second to 30 days.").view()}
            {Field::number(form, "retry_count", "Attempts in all").value(&values.retry_count).help("1 to 1000, the first one included.").view()}
        </div>
        {Field::text(form, "intervals", "Waits of the list").value(&values.intervals).optional().mono().width("w-l").placeholder("5, 30, 120, 600").help("Seconds, separated by commas. Used by List only.").view()}
    };
    set(
        "set-retry",
        "Retries",
        "What happens after a failed attempt. Deliveries already made keep their rule.",
        fields.into_any(),
    )
}

fn limits(form: Form, values: &GeneralForm) -> AnyView {
    let fields = view! {
        {Field::number(form, "max_payload", "Largest payload").value(&values.max_payload).suffix("bytes").help("0 for the instance's limit.").view()}
        <div class="fields">
            {Field::number(form, "rate_limit", "At most").value(&values.rate_limit).suffix("deliveries").help("Per endpoint without its own limit. 0 for none.").view()}
            {Field::number(form, "rate_limit_duration", "In").value(&values.rate_limit_duration).suffix("seconds").help("1 to 86400.").view()}
        </div>
    };
    set(
        "set-limit",
        "Limits",
        "What is over a rate waits; what is too large is refused with 413.",
        fields.into_any(),
    )
}

fn rules(values: &GeneralForm) -> AnyView {
    let fields = view! {
        {check("enforce_https", "Refuse http addresses", "Existing endpoints stay as they are.", values.enforce_https)}
        {check("disable_endpoint", "Switch failing endpoints off", "Once a delivery has used up its attempts.", values.disable_endpoint)}
        {check("multiple_subscriptions", "Several subscriptions per endpoint", "", values.multiple_subscriptions)}
        {check("id_headers", "Send ids as headers", "X-Convoy-Event-ID and X-Convoy-EventDelivery-ID.", values.id_headers)}
    };
    set(
        "set-rules",
        "Rules",
        "For every endpoint of the project.",
        fields.into_any(),
    )
}

/// `/projects/{project}/settings/signature`
#[component]
pub fn SignaturePage() -> impl IntoView {
    load::<server_fns::SettingsSignaturePage, _>(signature_view)
}

/// The signature in Convoy's format.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `load` takes")]
pub fn signature_view(dto: SignatureDto) -> Page {
    let form = Form::of::<SaveSignature>();
    let save = if dto.project.can_edit {
        view! { <div class="savebar">{submit(Tone::Primary, "", "Save signature")}</div> }.into_any()
    } else {
        nothing()
    };
    let headers = view! {
        {Field::text(form, "header", "Signature header").value(&dto.header).required().mono().width("w-m").view()}
        {Field::text(form, "request_id_header", "Idempotency header").value(&dto.request_id_header).required().mono().width("w-m").view()}
    };
    let body = view! {
        {hidden("project", dto.project.id.clone())}
        {hidden("version", dto.version.to_string())}
        <div class="settings">
            {set("set-headers", "Headers", "Used by the two Convoy schemes. Standard Webhooks has names of its own.", headers.into_any())}
        </div>
        {save}
    };
    let page = view! {
        {form.view("stack-8 tight", body.into_any())}
        {versions(&dto)}
    };
    settings_page(&dto.project, "Signature", page.into_any())
}

fn versions(dto: &SignatureDto) -> AnyView {
    let rows = dto
        .versions
        .iter()
        .map(|v| {
            vec![
                Cell::title(v.name.clone()),
                Cell::labelled("Hash", v.hash.clone()),
                Cell::labelled("Text", v.encoding.clone()),
                Cell::number("Added", time_plain(v.created.clone())),
            ]
        })
        .collect();
    let list = table(Table {
        caption: "Versions of the signature, oldest first".to_owned(),
        cols: vec![
            Col::text("Version"),
            Col::text("Hash"),
            Col::text("Text"),
            Col::number("Added"),
        ],
        rows,
        sticky: false,
    });
    let form = Form::of::<AddSignatureVersion>();
    let words = |list: [(&str, &str); 2]| list.map(|(v, w)| (v.to_owned(), w.to_owned())).to_vec();
    let add = if dto.project.can_edit {
        let fields = view! {
            {hidden("project", dto.project.id.clone())}
            <div class="fields w-l">
                {Field::choice(form, "hash", "Hash", words([("SHA256", "SHA-256"), ("SHA512", "SHA-512")])).view()}
                {Field::choice(form, "encoding", "Text", words([("hex", "hex"), ("base64", "base64")])).view()}
            </div>
            <div class="row">{submit(Tone::Plain, "plus", "Add version")}<span class="help">"Simple endpoints sign with the newest version, advanced ones with all."</span></div>
        };
        view! { <div class="panel-body">{form.view("stack", fields.into_any())}</div> }.into_any()
    } else {
        nothing()
    };
    panel(
        "versions",
        "Versions".to_owned(),
        String::new(),
        nothing(),
        view! { {list}{add} }.into_any(),
    )
}

/// `/projects/{project}/settings/danger`
#[component]
pub fn DangerPage() -> impl IntoView {
    load::<server_fns::SettingsDangerPage, _>(danger_view)
}

/// Deleting the project: what goes, what stays, the typed name.
pub fn danger_view(dto: DangerDto) -> Page {
    if !dto.project.can_edit {
        let body = plain_panel(
            view! { <p class="panel-body dim">"Only a project admin can delete this project."</p> }
                .into_any(),
        );
        return settings_page(
            &dto.project,
            "Danger",
            view! { <div class="tight">{body}</div> }.into_any(),
        );
    }
    let form = Form::of::<DeleteProject>();
    let lines = facts(vec![
        ("Endpoints that go", dto.endpoints.into_any()),
        ("Subscriptions that go", dto.subscriptions.into_any()),
        ("Keys that stop working", dto.keys.into_any()),
        ("Waiting deliveries that are discarded", dto.waiting.into_any()),
    ]);
    let body = view! {
        {hidden("project", dto.project.id.clone())}
        <p class="preview-say"><b>"New events are refused at once."</b>" Stored events leave with their retention, not before."</p>
        {lines}
        {confirm(form, &dto.project.name, "Delete project".to_owned(), ("Keep project", dto.project.at("")))}
    };
    let body = view! { <div class="panel-body">{form.view("stack", body.into_any())}</div> }.into_any();
    let delete = panel(
        "delete",
        format!("Delete {}", dto.project.name),
        String::new(),
        nothing(),
        body,
    );
    settings_page(
        &dto.project,
        "Danger",
        view! { <div class="tight">{delete}</div> }.into_any(),
    )
}
