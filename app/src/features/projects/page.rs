//! All projects, a new project, and the answer when an id was not found.

use leptos::prelude::*;

use super::{
    dto::{JumpDto, NewProjectDto, ProjectRow, ProjectsDto},
    server_fns::{self, CreateProject},
};
use crate::{
    features::common::attention,
    ui::{
        bar::Crumb,
        blank::{nothing_matches, nothing_yet},
        field::{Field, choices},
        form::{Form, Tone, submit},
        load::{Page, live_switch, load},
        panel::{link_button, nothing, page_head, plain_panel, section},
        stat::stats,
        table::{Cell, Col, Table, faint_zero, or_none, row_link, table},
    },
};

/// `/`
#[component]
pub fn ProjectsPage() -> impl IntoView {
    load::<server_fns::ProjectsPage, _>(projects_view)
}

/// All projects, and what needs attention in any of them.
pub fn projects_view(dto: ProjectsDto) -> Page {
    let title = match dto.attention.len() {
        0 => "All projects".to_owned(),
        1 => "1 needs attention · All projects".to_owned(),
        n => format!("{n} need attention · All projects"),
    };
    let new = if dto.can_create {
        link_button(
            "/projects/new".to_owned(),
            "plus",
            "New project",
            dto.rows.is_empty(),
        )
    } else {
        nothing()
    };
    let head = page_head(
        "All projects".into_any(),
        nothing(),
        view! { {live_switch()}{new} }.into_any(),
    );
    let list = if dto.rows.is_empty() {
        let text = "A project has its own endpoints, keys and retention.";
        nothing_yet("inbox", "No projects yet", text, nothing())
    } else {
        plain_panel(project_table(dto.rows))
    };
    let body = view! {
        {head}
        {attention(dto.attention)}
        {(!dto.stats.is_empty()).then(|| stats("Last 24 hours".to_owned(), dto.stats))}
        {section("projects", "Projects".to_owned(), "last 24 hours".to_owned(), nothing(), list)}
    };
    Page::new(title, vec![Crumb::here("All projects")], body.into_any())
}

fn project_table(rows: Vec<ProjectRow>) -> AnyView {
    let rows = rows
        .into_iter()
        .map(|row| {
            vec![
                Cell::title(row_link(format!("/projects/{}", row.id), row.name)),
                Cell::wide(row.kind),
                Cell::wide_number(row.endpoints),
                Cell::number("Events", faint_zero(row.events)),
                Cell::number("Delivered", or_none(row.success)),
                Cell::number("Failed", faint_zero(row.failed)),
                Cell::wide_number(row.keep),
            ]
        })
        .collect();
    table(Table {
        caption: "Projects with their last 24 hours".to_owned(),
        cols: vec![
            Col::text("Project"),
            Col::text("Direction"),
            Col::number("Endpoints"),
            Col::number("Events"),
            Col::number("Delivered"),
            Col::number("Failed"),
            Col::number("Kept"),
        ],
        rows,
        sticky: false,
    })
}

/// `/projects/new`
#[component]
pub fn NewProjectPage() -> impl IntoView {
    load::<server_fns::NewProjectPage, _>(new_project_view)
}

/// The form for a new project.
pub fn new_project_view(dto: NewProjectDto) -> Page {
    let form = Form::of::<CreateProject>();
    let kinds = [
        (
            "outgoing",
            "Outgoing",
            "Your services send events, your customers' endpoints receive them.",
        ),
        (
            "incoming",
            "Incoming",
            "Providers send webhooks to you, your services receive them.",
        ),
    ];
    let organisation = (dto.organisations.len() > 1).then(|| {
        Field::choice(form, "organisation", "Organisation", dto.organisations)
            .width("w-m")
            .view()
    });
    let fields = view! {
        {organisation}
        {Field::text(form, "name", "Name").required().width("w-l").help("Also typed to confirm when it is deleted.").view()}
        {choices("kind", "Direction", "outgoing", &kinds)}
        <div class="savebar">
            {submit(Tone::Primary, "", "Create project")}
            <a class="btn" href="/">"Cancel"</a>
        </div>
    };
    let meta = view! { <p class="lead">"It starts with one API key, which is shown once."</p> };
    let body = view! {
        {page_head("New project".into_any(), meta.into_any(), nothing())}
        {form.view("stack narrow", fields.into_any())}
    };
    Page::new("New project", vec![Crumb::here("New project")], body.into_any())
}

/// `/jump`
#[component]
pub fn JumpPage() -> impl IntoView {
    load::<server_fns::JumpPage, _>(jump_view)
}

/// Says that an id was not found; a found one is a redirect.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `load` takes")]
pub fn jump_view(dto: JumpDto) -> Page {
    let text = format!(
        "No event, delivery, endpoint, subscription or project that you may see has the id {}.",
        dto.query
    );
    let body = view! {
        {page_head("Search".into_any(), nothing(), nothing())}
        {nothing_matches(text, "/".to_owned())}
    };
    Page::new("Nothing found", vec![Crumb::here("Search")], body.into_any())
}
