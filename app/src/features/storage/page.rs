//! The storage of the instance and that of a project: policy, test, versions, the same as configuration.

use domain::state::Look;
use leptos::prelude::*;

use super::{
    dto::{StorageDto, VersionRow},
    form::policy_form,
    probe::probe,
    server_fns::{self, ChooseStorage},
};
use crate::{
    features::{
        common::ProjectRef,
        retention::feature::{off_note, on_note},
        settings::page::settings_page,
    },
    ui::{
        bar::Crumb,
        code,
        form::{Form, Tone, button_form, submit},
        load::{Page, load},
        panel::{callout, nothing, page_head, plain_panel, section},
        pill::pill,
        table::{Cell, Col, Table, faint_zero, or_none, table},
        time::time_plain,
    },
};

/// `/system/storage`
#[component]
pub fn StoragePage() -> impl IntoView {
    load::<server_fns::StoragePage, _>(instance_view)
}

/// `/projects/{project}/settings/storage`
#[component]
pub fn OwnStoragePage() -> impl IntoView {
    load::<server_fns::StoragePage, _>(project_view)
}

/// The storage of the instance.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `load` takes")]
pub fn instance_view(dto: StorageDto) -> Page {
    let lead = view! { <p class="lead">"Where backups and archive segments lie. A change makes a new version; segments stay where they were written."</p> };
    let body = view! {
        {page_head("Storage".into_any(), lead.into_any(), nothing())}
        {off_note(&dto.feature, "")}
        {on_note(&dto.feature, "")}
        {policy(&dto)}
        {versions(&dto)}
        {configuration(&dto)}
    };
    Page::new("Storage", vec![Crumb::here("Storage")], body.into_any())
}

/// The storage of a project.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `load` takes")]
pub fn project_view(dto: StorageDto) -> Page {
    let project = dto.project.clone().unwrap_or_default();
    let body = view! {
        {in_use(&dto, &project)}
        {policy(&dto)}
        {versions(&dto)}
        {configuration(&dto)}
    };
    settings_page(&project, "Storage", body.into_any())
}

/// Whose storage the project uses, and the way to the other.
fn in_use(dto: &StorageDto, project: &ProjectRef) -> AnyView {
    let place = if dto.place.is_empty() {
        "Nobody has said where copies lie.".to_owned()
    } else {
        format!("New segments are written to: {}.", dto.place)
    };
    let (title, other) = if dto.uses_own {
        (
            "This project uses its own storage",
            Some((false, "Use the instance's storage")),
        )
    } else {
        let other = (dto.version > 0).then_some((true, "Use the project's own"));
        ("This project uses the instance's storage", other)
    };
    let button = match other.filter(|_| project.can_edit) {
        Some((own, word)) => {
            let fields = vec![("project", project.id.clone()), ("own", own.to_string())];
            button_form(Form::of::<ChooseStorage>(), fields, submit(Tone::Plain, "", word))
        }
        None => nothing(),
    };
    let hint = (!dto.uses_own).then_some(
        " Saving a policy below makes it the project's own. Segments stay where they were written.",
    );
    callout(
        "",
        "storage",
        title.to_owned(),
        view! { {place}{hint} }.into_any(),
        button,
    )
}

fn policy(dto: &StorageDto) -> AnyView {
    if !dto.can_edit {
        return plain_panel(
            view! { <p class="panel-body dim">"Only a project admin sees and changes the policy."</p> }
                .into_any(),
        );
    }
    view! { <div class="cols cols-storage tight">{policy_form(dto)}{probe(dto)}</div> }.into_any()
}

fn look(state: &str) -> Look {
    let (state, icon, word) = match state {
        "writing" => ("success", "success", "Writing"),
        "read_only" => ("archived", "archive", "Read only"),
        _ => ("dropped", "dropped", "Empty"),
    };
    Look { state, icon, word }
}

fn versions(dto: &StorageDto) -> AnyView {
    let list = if dto.versions.is_empty() {
        let text = if dto.project.is_some() {
            "The project has no policy of its own yet."
        } else {
            "Nobody has said where copies lie. Without that, no project can back up before it deletes."
        };
        plain_panel(view! { <p class="panel-body dim">{text}</p> }.into_any())
    } else {
        plain_panel(version_table(dto.versions.clone()))
    };
    section(
        "versions",
        "Where segments lie".to_owned(),
        String::new(),
        nothing(),
        list,
    )
}

fn version_table(rows: Vec<VersionRow>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|row| {
            let verified = if row.verified.text.is_empty() {
                or_none(String::new())
            } else {
                time_plain(row.verified)
            };
            let place = view! { <div><span class="wrap-any">{row.place}</span><span class="table-sub">{row.origin}</span></div> };
            vec![
                Cell::title(row.version.to_string()),
                Cell::state(pill(look(&row.state))),
                Cell::labelled("Place", place),
                Cell::number("Segments", faint_zero(row.segments)),
                Cell::number("Size", row.size),
                Cell::number("Last verified", verified),
                Cell::number("In use", row.used),
            ]
        })
        .collect();
    table(Table {
        caption: "Versions of the storage policy, newest first".to_owned(),
        cols: vec![
            Col::text("Version"),
            Col::text("State"),
            Col::text("Place"),
            Col::number("Segments"),
            Col::number("Size"),
            Col::number("Last verified"),
            Col::number("In use"),
        ],
        rows,
        sticky: false,
    })
}

fn configuration(dto: &StorageDto) -> AnyView {
    if dto.json.is_empty() || !dto.can_edit {
        return nothing();
    }
    let (title, note) = if dto.project.is_some() {
        (
            "The same by the API",
            "PUT it to /api/v1/projects/{projectID}/storage. Secrets are masked.",
        )
    } else {
        (
            "The same as configuration",
            "Environment wins over the file, the file over this page. Secrets are masked.",
        )
    };
    let environment = if dto.project.is_some() {
        nothing()
    } else {
        code::block("Environment", dto.environment.clone())
    };
    let body = view! {
        <div class="cols cols-2" data-even="">
            {code::block("longhaul.json", dto.json.clone())}
            {environment}
        </div>
    };
    section(
        "configuration",
        title.to_owned(),
        note.to_owned(),
        nothing(),
        body.into_any(),
    )
}
