//! API keys of a project.

use leptos::prelude::*;

use super::{
    dto::{KeyRow, KeysDto},
    page::settings_page,
    server_fns::{self, CreateKey, RevokeKey},
};
use crate::{
    features::common::ProjectRef,
    ui::{
        code::block,
        field::Field,
        form::{Form, Tone, button_form, hidden, submit},
        load::{Page, load},
        panel::{callout, nothing, panel, plain_panel},
        table::{Cell, Col, Table, or_none, table},
        time::time_plain,
    },
};

/// `/projects/{project}/settings/keys`
#[component]
pub fn KeysPage() -> impl IntoView {
    load::<server_fns::SettingsKeysPage, _>(view)
}

/// The keys.
pub fn view(dto: KeysDto) -> Page {
    let created = if dto.created.is_empty() {
        nothing()
    } else {
        let text = view! {
            <p>"Copy it now: it is not stored and cannot be shown again."</p>
            <div class="stack pad-top">
                {block("API key", dto.created.clone())}
                {(!dto.command.is_empty()).then(|| block("Send an event with it", dto.command.clone()))}
            </div>
        };
        callout(
            "success",
            "key",
            "Key created".to_owned(),
            text.into_any(),
            nothing(),
        )
    };
    let list = if dto.rows.is_empty() {
        plain_panel(
            view! { <p class="panel-body dim">"No keys. Events can be sent with a key only."</p> }.into_any(),
        )
    } else {
        plain_panel(key_table(&dto.project, dto.rows))
    };
    let new = if dto.project.can_edit {
        new_key(&dto.project)
    } else {
        nothing()
    };
    let body = view! {
        {created}
        <div class="tight">{list}</div>
        {new}
    };
    settings_page(&dto.project, "Keys", body.into_any())
}

fn key_table(project: &ProjectRef, rows: Vec<KeyRow>) -> AnyView {
    let rows = rows.into_iter().map(|row| key_row(project, row)).collect();
    table(Table {
        caption: "API keys, newest first".to_owned(),
        cols: vec![
            Col::text("Key"),
            Col::text("Starts with"),
            Col::text("Role"),
            Col::number("Ends"),
            Col::number("Created"),
            Col::action("Revoke"),
        ],
        rows,
        sticky: false,
    })
}

fn key_row(project: &ProjectRef, row: KeyRow) -> Vec<Cell> {
    let revoke = if project.can_edit {
        let fields = vec![("project", project.id.clone()), ("key", row.id)];
        let label = view! { "Revoke"<span class="sr">{format!(" {}", row.name)}</span> };
        let button = view! { <button class="btn" data-variant="danger-quiet" data-size="s" type="submit">{label}</button> };
        button_form(Form::of::<RevokeKey>(), fields, button.into_any())
    } else {
        nothing()
    };
    let moment = |stamp: crate::format::Stamp| {
        if stamp.text.is_empty() {
            or_none(String::new())
        } else {
            time_plain(stamp)
        }
    };
    vec![
        Cell::title(row.name),
        Cell::labelled("Starts with", view! { <code>{row.mask}</code> }),
        Cell::labelled("Role", row.role),
        Cell::number("Ends", moment(row.expires)),
        Cell::wide_number(time_plain(row.created)),
        Cell::go(revoke),
    ]
}

fn new_key(project: &ProjectRef) -> AnyView {
    let form = Form::of::<CreateKey>();
    let roles = [
        ("project_admin", "Project admin: sends, reads and changes"),
        ("project_viewer", "Viewer: reads only"),
    ]
    .map(|(value, word)| (value.to_owned(), word.to_owned()))
    .to_vec();
    let fields = view! {
        {hidden("project", project.id.clone())}
        <div class="fields">
            {Field::text(form, "name", "Name").required().placeholder("checkout-api").view()}
            {Field::choice(form, "role", "Role", roles).view()}
            {Field::number(form, "days", "Ends after").value("0").suffix("days").help("0 for never, up to 3650.").view()}
        </div>
        <div class="row">{submit(Tone::Primary, "plus", "Create key")}<span class="help">"The key is shown once."</span></div>
    };
    let body = view! { <div class="panel-body">{form.view("stack", fields.into_any())}</div> }.into_any();
    panel("new-key", "New key".to_owned(), String::new(), nothing(), body)
}
