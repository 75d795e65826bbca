//! One run: what it was asked for, how far it is, what it did.

use domain::run::RunState;
use leptos::prelude::*;

use super::{
    dto::{CountRow, RunDto},
    server_fns,
};
use crate::ui::{
    bar::Crumb,
    id::id,
    load::{Page, live_switch, load},
    panel::{callout, facts, link_button, nothing, page_head, page_meta, panel},
    pill::pill_tinted,
    table::{Cell, Col, Table, table},
    time::{time, time_plain},
};

/// `/system/jobs/{item}`
#[component]
pub fn RunPage() -> impl IntoView {
    load::<server_fns::RunPage, _>(view)
}

/// One run.
pub fn view(dto: RunDto) -> Page {
    let look = dto.run.state.look();
    let job = dto.run.job.clone();
    let heading = view! { {job.clone()}{pill_tinted(look)} }.into_any();
    let meta = page_meta(vec![
        time(dto.run.started.clone()),
        id(dto.run.id.clone(), "run id"),
    ]);
    let all = link_button(
        format!("/system/jobs?q=job%3A{}", dto.name),
        "jobs",
        "All runs of this job",
        false,
    );
    let live = if dto.run.state == RunState::Running {
        live_switch()
    } else {
        nothing()
    };
    let note = if dto.error.is_empty() {
        nothing()
    } else {
        let title = "It did not come to its end".to_owned();
        let text = view! { <p class="wrap-any">{dto.error.clone()}</p> };
        callout("failure", "failure", title, text.into_any(), nothing())
    };
    let body = view! {
        {page_head(heading, meta, view! { {live}{all} }.into_any())}
        {note}
        <div class="tight stack">
            {progress(&dto)}
            {asked(&dto)}
            {did(dto.counts, dto.run.state)}
        </div>
    };
    let crumbs = vec![
        Crumb::link("Jobs", "/system/jobs".to_owned()),
        Crumb::here(job.clone()),
    ];
    Page::new(format!("{} · {job}", look.word), crumbs, body.into_any())
}

fn progress(dto: &RunDto) -> AnyView {
    let Some(percent) = dto.percent.filter(|_| dto.run.state == RunState::Running) else {
        return nothing();
    };
    let body = view! {
        <div class="panel-body progress">
            <progress max="100" value=percent.to_string() aria-label=dto.run.job.clone()></progress>
            <div class="progress-text"><span>{dto.at.clone()}</span><span>{format!("{}, {percent}\u{a0}%", dto.progress)}</span></div>
        </div>
    };
    panel(
        "progress",
        "Progress".to_owned(),
        String::new(),
        nothing(),
        body.into_any(),
    )
}

fn asked(dto: &RunDto) -> AnyView {
    let or = |text: &str, none: &'static str| {
        if text.is_empty() {
            none.to_owned()
        } else {
            text.to_owned()
        }
    };
    let ended = if dto.ended.text.is_empty() {
        "Not yet".into_any()
    } else {
        time_plain(dto.ended.clone())
    };
    let dry_run = if dto.dry_run {
        "Yes: nothing was changed"
    } else {
        "No"
    };
    let list = facts(vec![
        ("Started by", dto.run.trigger.clone().into_any()),
        ("Project", or(&dto.run.project, "All").into_any()),
        ("As of", or(&dto.as_of, "The moment it started").into_any()),
        ("Dry run", dry_run.into_any()),
        ("Ended", ended),
        ("Took", dto.run.took.clone().into_any()),
    ]);
    let body = view! {
        <div class="panel-body stack">
            {(!dto.say.is_empty()).then(|| view! { <p class="dim">{dto.say.clone()}</p> })}
            {list}
        </div>
    };
    panel(
        "asked",
        "Run".to_owned(),
        String::new(),
        nothing(),
        body.into_any(),
    )
}

fn did(counts: Vec<CountRow>, state: RunState) -> AnyView {
    let body = if counts.is_empty() {
        let text = match state {
            RunState::Running => "Counted when it ends.",
            RunState::Done | RunState::Failed => "It counted nothing.",
        };
        view! { <p class="panel-body dim">{text}</p> }.into_any()
    } else {
        let row = |count: CountRow| {
            let items = count
                .items
                .into_iter()
                .map(|item| view! { <span class="table-sub wrap-any">{item}</span> })
                .collect::<Vec<_>>();
            vec![
                Cell::title(view! { <div>{count.what}{items}</div> }),
                Cell::number("Count", count.value),
            ]
        };
        table(Table {
            caption: "What the run counted".to_owned(),
            cols: vec![Col::text("What"), Col::number("Count")],
            rows: counts.into_iter().map(row).collect(),
            sticky: false,
        })
    };
    panel("did", "What it did".to_owned(), String::new(), nothing(), body)
}
