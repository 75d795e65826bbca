//! How long a project keeps its events: the form, what it would do, holds and last runs.

use leptos::{ev::Event, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    dto::{RetentionDto, UndoDto},
    feature::off_note,
    holds::{holds, releases},
    preview::preview,
    server_fns::{self, SaveRetention},
};
use crate::{
    features::{jobs::page::run_table, settings::page::settings_page},
    ui::{
        browser,
        field::{Field, error, set},
        form::{Form, Tone, hidden, submit},
        icon::icon,
        load::{Page, load},
        panel::{callout, more, nothing, plain_panel, section},
        time::time,
    },
};

/// Fields that decide what a change would do.
const ASKED: [&str; 4] = ["days", "on", "backup", "storage"];

/// `/projects/{project}/settings/retention`
#[component]
pub fn RetentionPage() -> impl IntoView {
    load::<server_fns::RetentionPage, _>(view)
}

/// The retention of a project.
#[expect(clippy::needless_pass_by_value, reason = "the shape that `load` takes")]
pub fn view(dto: RetentionDto) -> Page {
    let form = Form::of::<SaveRetention>();
    let asks = dto
        .preview
        .as_ref()
        .is_some_and(|preview| preview.needs_confirmation);
    let save = if dto.project.can_edit && !asks {
        view! { <div class="savebar">{submit(Tone::Primary, "", "Save retention")}<span class="faint">"What shortens the period is shown first and confirmed."</span></div> }.into_any()
    } else {
        nothing()
    };
    let would = dto
        .preview
        .clone()
        .map(|found| preview(form, &dto.project, found));
    let failed = (!dto.preview_error.is_empty()).then(|| view! { <p class="error" role="status">{icon("warn")}<span>{dto.preview_error.clone()}</span></p> });
    let fields = view! {
        {hidden("project", dto.project.id.clone())}
        <div class="settings" on:change=live(dto.project.at("settings/retention"))>
            {deleting(&dto)}
            {period(form, &dto)}
            {copies(form, &dto)}
        </div>
        {failed}
        {would}
        {save}
    };
    let body = view! {
        {off_note(&dto.feature, &dto.project.id)}
        {dto.undo.clone().map(undo)}
        {form.view("stack-8 tight", fields.into_any())}
        <div class="settings">{holds(&dto)}</div>
        {last_runs(&dto)}
        {releases(&dto)}
    };
    settings_page(&dto.project, "Retention", body.into_any())
}

/// Shows what the form would do as soon as a value has changed.
fn live(path: String) -> impl Fn(Event) + 'static {
    let navigate = use_navigate();
    move |event| {
        if let Some(query) = browser::changed_fields(&event, &ASKED) {
            let stay = NavigateOptions {
                replace: true,
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(&format!("{path}?form=1&{query}"), stay);
        }
    }
}

fn switch(name: &'static str, words: String, on: bool) -> AnyView {
    view! {
        <label class="switch">
            <input type="checkbox" role="switch" name=name value="true" checked=on prop:checked=on />
            <span>{words}</span>
        </label>
    }
    .into_any()
}

fn undo(undo: UndoDto) -> AnyView {
    let text = format!(
        "Until {} nothing has left: saving {} again undoes it.",
        undo.until, undo.before
    );
    let back =
        view! { <a class="btn" href=undo.href>{icon("restore")}{format!("Back to {}", undo.before)}</a> };
    callout(
        "",
        "clock",
        "Saved, not in effect yet".to_owned(),
        text.into_any(),
        back.into_any(),
    )
}

fn deleting(dto: &RetentionDto) -> AnyView {
    let moving = (!dto.moving.text.is_empty()).then(|| {
        view! { <p class="help">"Older rows are on their way to this period, since "{time(dto.moving.clone())}"."</p> }
    });
    let feature = dto
        .feature
        .on
        .then(|| view! { <p class="help">{dto.feature.note.clone()}</p> });
    let controls = view! {
        {switch("on", dto.changed.clone(), dto.form.on)}
        {feature}
        {moving}
    };
    set(
        "set-deleting",
        "Delete old events",
        "Off until asked. Nothing is deleted while this is off.",
        controls.into_any(),
    )
}

fn period(form: Form, dto: &RetentionDto) -> AnyView {
    let days = dto.form.days.clone();
    let presets = dto
        .presets
        .iter()
        .map(|one| {
            view! { <a class="btn" data-size="s" href=one.href.clone() aria-current=one.current.then_some("true") aria-label=format!("{} days", one.word)>{one.word.clone()}</a> }
                .into_any()
        })
        .collect::<Vec<_>>();
    let wrong = (!dto.days_error.is_empty()).then(|| {
        view! { <p class="error">{icon("warn")}<span>{dto.days_error.clone()}</span></p> }
    });
    let was = (!dto.was.is_empty()).then(|| view! { <span class="changed">{dto.was.clone()}</span>" " });
    let invalid = {
        let bad = !dto.days_error.is_empty();
        move || (bad || form.error_of("days").is_some()).then_some("true")
    };
    let controls = view! {
        <div class="field">
            <label class="sr" for="days">"Days to keep"</label>
            <div class="row">
                <span class="affix w-s">
                    <input type="text" class="input w-num" id="days" name="days" inputmode="numeric" autocomplete="off" value=days.clone() prop:value=days aria-invalid=invalid aria-describedby="days-err days-help" />
                    <span>"days"</span>
                </span>
                <span class="row" role="group" aria-label="Common values">{presets}</span>
                <button class="btn" data-size="s" type="submit" name="mode" value="preview" formnovalidate=true>{icon("eye")}"Preview"</button>
            </div>
            {wrong}
            {error(form, "days", "days-err".to_owned())}
            <p class="help" id="days-help">{was}"1 to 3650 days, or a length such as 720h."</p>
        </div>
    };
    set(
        "set-days",
        "Keep events for",
        "Counted from the end of the UTC day an event was accepted. Its deliveries and attempts leave with it.",
        controls.into_any(),
    )
}

fn copies(form: Form, dto: &RetentionDto) -> AnyView {
    let words = if dto.form.backup { "On" } else { "Off" };
    let controls = view! {
        <div class="field">
            {switch("backup", words.to_owned(), dto.form.backup)}
            {error(form, "backup", "backup-err".to_owned())}
        </div>
        {Field::choice(form, "storage", "Storage policy", dto.storages.clone()).flat().value(&dto.form.storage).width("w-m").view()}
        <p class="help">"A policy of the project's own is entered on the page "<a href=dto.project.at("settings/storage")>"Storage"</a>"."</p>
    };
    set(
        "set-backup",
        "Back up first",
        "Nothing is dropped that was not read back and verified.",
        controls.into_any(),
    )
}

fn last_runs(dto: &RetentionDto) -> AnyView {
    let all = if dto.all_runs {
        more("/system/jobs".to_owned(), "All runs".to_owned())
    } else {
        nothing()
    };
    let list = if dto.runs.is_empty() {
        plain_panel(view! { <p class="panel-body dim">"No run to show yet."</p> }.into_any())
    } else {
        plain_panel(run_table(dto.runs.clone(), dto.all_runs))
    };
    section("runs", "Last runs".to_owned(), dto.schedule.clone(), all, list)
}
