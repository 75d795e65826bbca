//! All jobs: when each runs, how its last run ended, and what ran.

use leptos::prelude::*;

use super::{
    dto::{JobRow, JobsDto, RunRow},
    server_fns::{self, StartJob},
};
use crate::ui::{
    bar::Crumb,
    blank::{nothing_matches, nothing_yet},
    field::{Field, check},
    filter::filter_bar,
    form::{Form, Tone, button_form, submit},
    load::{Page, live_switch, load},
    pager::pager,
    panel::{nothing, page_head, panel, plain_panel, section},
    pill::pill,
    table::{Cell, Col, Table, or_none, row_link, table},
    time::time_plain,
};

/// `/system/jobs`
#[component]
pub fn JobsPage() -> impl IntoView {
    load::<server_fns::JobsPage, _>(view)
}

/// The jobs and their runs.
pub fn view(dto: JobsDto) -> Page {
    let title = match dto.jobs.iter().filter(|job| is_failed(job)).count() {
        0 => "Jobs".to_owned(),
        n => format!("{n} failed · Jobs"),
    };
    let lead = view! { <p class="lead">"What Longhaul does by itself. Times are UTC. A job never runs twice at once."</p> };
    let by_hand = if dto.choices.is_empty() {
        nothing()
    } else {
        by_hand(dto.choices, dto.projects)
    };
    let filtered = !dto.filter.chips.is_empty();
    let runs = if !dto.runs.is_empty() {
        view! { {plain_panel(run_table(dto.runs, true))}{pager(dto.pager)} }.into_any()
    } else if filtered {
        nothing_matches(
            "No run matches the filters.".to_owned(),
            "/system/jobs".to_owned(),
        )
    } else {
        let text = "The first one follows as soon as a scheduler runs.";
        nothing_yet("jobs", "No runs yet", text, nothing())
    };
    let history =
        view! { <div class="stack">{filter_bar(dto.filter, "Filter runs", "job:  state:")}{runs}</div> };
    let body = view! {
        {page_head("Jobs".into_any(), lead.into_any(), live_switch())}
        <div class="tight stack-8">
            {plain_panel(job_table(dto.jobs))}
            {by_hand}
            {section("runs", "Runs".to_owned(), "Newest first".to_owned(), nothing(), history.into_any())}
        </div>
    };
    Page::new(title, vec![Crumb::here("Jobs")], body.into_any())
}

fn is_failed(job: &JobRow) -> bool {
    job.last
        .as_ref()
        .is_some_and(|run| run.state == domain::run::RunState::Failed)
}

fn job_table(jobs: Vec<JobRow>) -> AnyView {
    let rows = jobs
        .into_iter()
        .map(|job| {
            let now = start_button(&job, "Run now", false);
            let dry = if job.dry_run {
                start_button(&job, "Dry run", true)
            } else {
                view! { <span class="none"></span> }.into_any()
            };
            let (state, took, started) = match job.last {
                Some(run) => {
                    let link = view! { <a class="row-link" href=format!("/system/jobs/{}", run.id)>{time_plain(run.started)}</a> };
                    (pill(run.state.look()), run.took, link.into_any())
                }
                None => (
                    view! { <span class="faint">"Never ran"</span> }.into_any(),
                    String::new(),
                    or_none(String::new()),
                ),
            };
            let next = if job.next.text.is_empty() {
                or_none(String::new())
            } else {
                time_plain(job.next)
            };
            let name = view! {
                <div>
                    {row_link(format!("/system/jobs?q=job%3A{}", job.name), job.title)}
                    <span class="table-sub">{job.say}</span>
                </div>
            };
            vec![
                Cell::title(name),
                Cell::state(state),
                Cell::labelled("Schedule", job.schedule),
                Cell::number("Last run", started),
                Cell::number("Took", or_none(took)),
                Cell::number("Next run", next),
                Cell::labelled("Start", now),
                Cell::labelled("Try", dry),
            ]
        })
        .collect();
    table(Table {
        caption: "Jobs with their schedule, last and next run".to_owned(),
        cols: vec![
            Col::text("Job"),
            Col::text("State"),
            Col::text("Schedule"),
            Col::number("Last run"),
            Col::number("Took"),
            Col::number("Next run"),
            Col::action("Start"),
            Col::action("Try"),
        ],
        rows,
        sticky: false,
    })
}

/// The button that starts a job as it is.
fn start_button(job: &JobRow, word: &'static str, dry_run: bool) -> AnyView {
    let fields = vec![
        ("form[job]", job.name.clone()),
        ("form[dry_run]", dry_run.to_string()),
    ];
    let button = view! {
        <button class="btn nw" data-size="s" type="submit">{word}<span class="sr">{format!(": {}", job.title)}</span></button>
    };
    button_form(Form::of::<StartJob>(), fields, button.into_any())
}

fn by_hand(choices: Vec<(String, String)>, projects: Vec<(String, String)>) -> AnyView {
    let form = Form::of::<StartJob>();
    let everywhere = std::iter::once((String::new(), "All projects".to_owned()));
    let projects = everywhere.chain(projects).collect();
    let fields = view! {
        <div class="fields">
            {Field::choice(form, "job", "Job", choices).view()}
            {Field::choice(form, "project", "Project", projects).view()}
            {Field::text(form, "as_of", "As of").optional().mono().placeholder("2026-11-20").help("A day or an instant, UTC. The future takes a dry run.").view()}
        </div>
        {check("dry_run", "Dry run", "Only find out what would be done.", true)}
        <div class="row">{submit(Tone::Plain, "terminal", "Run")}</div>
    };
    let body = view! { <div class="panel-body">{form.view("stack", fields.into_any())}</div> }.into_any();
    panel(
        "by-hand",
        "Run with a wish".to_owned(),
        String::new(),
        nothing(),
        body,
    )
}

/// Runs, newest first. Only instance admins may follow their links.
pub fn run_table(runs: Vec<RunRow>, linked: bool) -> AnyView {
    let rows = runs
        .into_iter()
        .map(|run| {
            let whole = run.result.clone();
            let name = if linked {
                row_link(format!("/system/jobs/{}", run.id), run.job)
            } else {
                run.job.into_any()
            };
            vec![
                Cell::title(name),
                Cell::state(pill(run.state.look())),
                Cell::sub(view! { <span class="clip" title=whole>{or_none(run.result)}</span> }),
                Cell::labelled("Started by", run.trigger),
                Cell::wide(or_none(run.project)),
                Cell::number("Took", run.took),
                Cell::when(time_plain(run.started)),
            ]
        })
        .collect();
    table(Table {
        caption: "Runs, newest first".to_owned(),
        cols: vec![
            Col::text("Job"),
            Col::text("State"),
            Col::text("Result"),
            Col::text("Started by"),
            Col::text("Project"),
            Col::number("Took"),
            Col::number("Started, UTC"),
        ],
        rows,
        sticky: true,
    })
}
