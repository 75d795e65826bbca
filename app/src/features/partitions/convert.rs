//! Conversions: how far each is, and the buttons that start, pause and go on.

use domain::state::Look;
use leptos::prelude::*;

use super::{
    dto::{ConversionDto, StepDto},
    server_fns::{JoinTables, PauseConversion},
};
use crate::{
    features::jobs::server_fns::StartJob,
    ui::{
        code,
        confirm::confirm,
        form::{Form, Tone, button_form, submit},
        icon::icon,
        panel::{facts, nothing, panel},
        pill::pill_tinted,
        time::{time, time_plain},
    },
};

/// What is typed before tables are joined.
pub const JOIN_WORD: &str = "one heap";

/// Every conversion that has something to say.
pub fn conversions(list: &[ConversionDto]) -> AnyView {
    list.iter().map(conversion).collect::<Vec<_>>().into_any()
}

fn look(state: &str) -> Look {
    let (state, icon, word) = match state {
        "running" => ("active", "running", "Running"),
        "paused" => ("paused", "paused", "Paused"),
        "failed" => ("failure", "failure", "Failed"),
        _ => ("success", "success", "Done"),
    };
    Look { state, icon, word }
}

fn conversion(dto: &ConversionDto) -> AnyView {
    let id = format!("cv-{}", dto.table);
    let title = if dto.into_days { "Splitting " } else { "Joining " };
    let table = dto.table.clone();
    let button = match dto.state.as_str() {
        "running" => {
            let fields = vec![("table", dto.table.clone())];
            button_form(
                Form::of::<PauseConversion>(),
                fields,
                submit(Tone::Small, "paused", "Pause"),
            )
        }
        "paused" | "failed" => start(job_of(dto.into_days), "Go on", Tone::Small),
        _ => nothing(),
    };
    let error = (!dto.error.is_empty())
        .then(|| view! { <p class="error wrap-any">{icon("warn")}<span>{dto.error.clone()}</span></p> });
    let head = id.clone();
    view! {
        <section class="panel" aria-labelledby=id>
            <div class="panel-head">
                <h2 id=head>{title}<code>{table}</code></h2>
                {pill_tinted(look(&dto.state))}
                <div class="end">{button}</div>
            </div>
            <div class="panel-body cols cols-run">
                <div class="stack">{error}<ol class="steps">{steps(dto)}</ol></div>
                <div class="stack">{about(dto)}{code::block("The same from a shell", command(dto))}</div>
            </div>
        </section>
    }
    .into_any()
}

fn job_of(into_days: bool) -> &'static str {
    if into_days {
        "partition_tables"
    } else {
        "unpartition_tables"
    }
}

/// The button that runs a job and shows its run.
pub fn start(job: &'static str, word: &'static str, tone: Tone) -> AnyView {
    let mark = match job {
        "backup" => "backup",
        "deletion" => "dropped",
        "partition_tables" | "unpartition_tables" | "reclass" => "split",
        _ => "retry",
    };
    button_form(
        Form::of::<StartJob>(),
        vec![("form[job]", job.to_owned())],
        submit(tone, mark, word),
    )
}

fn command(dto: &ConversionDto) -> String {
    let word = if dto.into_days { "partition" } else { "unpartition" };
    format!(
        "longhaul utils {word} {} \\\n  --enable-feature-flag=retention-policy",
        dto.table
    )
}

fn steps(dto: &ConversionDto) -> AnyView {
    dto.steps
        .iter()
        .map(|one| step(one, dto))
        .collect::<Vec<_>>()
        .into_any()
}

fn step(one: &StepDto, dto: &ConversionDto) -> AnyView {
    let mark = match one.state.as_str() {
        "success" => "success",
        "active" => "running",
        "paused" => "paused",
        "failure" => "failure",
        _ => "dropped",
    };
    let to_come = one.state.is_empty();
    let state = if to_come {
        "neutral".to_owned()
    } else {
        one.state.clone()
    };
    let current = !to_come && one.state != "success";
    let bar = dto.percent.filter(|_| current).map(|percent| {
        view! {
            <div class="progress">
                <progress max="100" value=percent.to_string() aria-label=one.word.clone()></progress>
                <div class="progress-text"><span>{dto.rows.clone()}</span><span>{format!("{percent}\u{a0}%")}</span></div>
            </div>
        }
    });
    view! {
        <li data-state=state data-todo=to_come.then_some("") aria-current=current.then_some("step")>
            {icon(mark)}
            <div class="what"><b>{one.word.clone()}</b>{(!one.say.is_empty()).then(|| view! { <span>{one.say.clone()}</span> })}{bar}</div>
            <span class="took">{one.took.clone()}</span>
        </li>
    }
    .into_any()
}

fn about(dto: &ConversionDto) -> AnyView {
    let ended = if dto.ended.text.is_empty() {
        "Not yet".into_any()
    } else {
        time_plain(dto.ended.clone())
    };
    let back = if dto.into_days { "unpartition" } else { "partition" };
    facts(vec![
        ("Started", time(dto.started.clone())),
        ("By", dto.by.clone().into_any()),
        ("Ended", ended),
        (
            "Safe to stop",
            "Yes, at any step. It goes on where it was.".into_any(),
        ),
        (
            "Way back",
            view! { <code>{back}</code>", loses no row" }.into_any(),
        ),
    ])
}

/// Offers to split the tables that are one heap.
pub fn split_offer(heaps: &[String]) -> AnyView {
    if heaps.is_empty() {
        return nothing();
    }
    let text = "Rows that are over are removed from it one by one. Split into days they leave as a whole, a leaf at a time. Writers go on meanwhile.";
    let body = view! { <p class="panel-body dim">{text}</p> };
    let button = start("partition_tables", "Split into days", Tone::Small);
    let title = format!("One heap: {}", heaps.join(", "));
    panel("heaps", title, String::new(), button, body.into_any())
}

/// Offers to join the days of every table.
pub fn join_offer() -> AnyView {
    let form = Form::of::<JoinTables>();
    let keep = ("Keep days", String::new());
    let text = "Every table becomes one heap again, while it is in use and without losing a row. What is over is then removed row by row, which takes long and leaves holes.";
    view! {
        <details class="more-fields">
            <summary class="more">{icon("right")}"Back to one heap per table"</summary>
            <div class="stack">
                <p class="dim">{text}</p>
                {form.view("stack", confirm(form, JOIN_WORD, "Join days".to_owned(), keep))}
            </div>
        </details>
    }
    .into_any()
}
