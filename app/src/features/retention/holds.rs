//! Legal holds: the list, a new one, and the release.

use domain::state::Look;
use leptos::prelude::*;

use super::{
    dto::{HoldRow, RetentionDto},
    server_fns::{PlaceHold, ReleaseHold},
};
use crate::ui::{
    field::{Field, set},
    form::{Form, Tone, hidden, submit},
    icon::icon,
    panel::{nothing, plain_panel},
    pill::{pill, pill_tinted},
};

/// How a hold that is in force looks.
const HELD: Look = Look {
    state: "paused",
    icon: "hold",
    word: "On hold",
};
/// How a released one looks.
const RELEASED: Look = Look {
    state: "dropped",
    icon: "dropped",
    word: "Released",
};

/// The holds, and the form for a new one.
pub fn holds(dto: &RetentionDto) -> AnyView {
    let can_edit = dto.project.can_edit;
    let rows = dto
        .holds
        .iter()
        .map(|hold| row(hold, can_edit))
        .collect::<Vec<_>>();
    let list = if rows.is_empty() {
        view! { <p class="dim">"No holds."</p> }.into_any()
    } else {
        plain_panel(rows.into_any())
    };
    let new = if can_edit { new_hold(dto) } else { nothing() };
    set(
        "set-holds",
        "Legal hold",
        "Events accepted in the window of a hold are never deleted, whatever the period, until it is released.",
        view! { {list}{new} }.into_any(),
    )
}

fn row(hold: &HoldRow, can_edit: bool) -> AnyView {
    let state = if hold.in_force {
        pill_tinted(HELD)
    } else {
        pill(RELEASED)
    };
    let release = (hold.in_force && can_edit).then(|| {
        view! {
            <button class="btn" data-variant="danger-quiet" data-size="s" type="button" popovertarget=dialog_id(hold) aria-label=format!("Release {}", hold.name)>"Release"</button>
        }
    });
    view! {
        <div class="hold-row">
            {state}
            <div><b class="strong">{hold.name.clone()}</b><span class="table-sub">{hold.note.clone()}</span></div>
            {release}
        </div>
    }
    .into_any()
}

fn new_hold(dto: &RetentionDto) -> AnyView {
    let form = Form::of::<PlaceHold>();
    let is_wrong = move || {
        ["name", "from", "to"]
            .iter()
            .any(|name| form.error_of(name).is_some())
    };
    // Another hold, another form: what was typed for the last one is gone.
    let count = dto.holds.len();
    let project = dto.project.id.clone();
    let fields = move || {
        view! {
            {hidden("project", project.clone())}
            {Field::text(form, "name", "Name").required().width("w-m").placeholder("Chargeback 2026-118").view()}
            <div class="fields">
                {Field::text(form, "from", "Events accepted from").required().mono().placeholder("2026-11-02").help("A day or an instant, UTC.").view()}
                {Field::text(form, "to", "Up to").required().mono().placeholder("2026-11-09").help("A day counts whole.").view()}
            </div>
            <div class="row">{submit(Tone::Plain, "hold", "Place hold")}</div>
        }
        .into_any()
    };
    view! {
        <For each=move || [count] key=|count| *count children=move |_| view! {
            <details class="more-fields" open=is_wrong>
                <summary>{icon("right")}"New hold"</summary>
                {form.view("stack", fields())}
            </details>
        } />
    }
    .into_any()
}

fn dialog_id(hold: &HoldRow) -> String {
    format!("release-{}", hold.id)
}

/// The dialogs that ask before a hold is released.
pub fn releases(dto: &RetentionDto) -> AnyView {
    if !dto.project.can_edit {
        return nothing();
    }
    dto.holds
        .iter()
        .filter(|hold| hold.in_force)
        .map(|hold| dialog(&dto.project.id, hold))
        .collect::<Vec<_>>()
        .into_any()
}

fn dialog(project: &str, hold: &HoldRow) -> AnyView {
    let id = dialog_id(hold);
    let title = format!("{id}-title");
    let heading = title.clone();
    let form = Form::of::<ReleaseHold>();
    let fields = view! {
        {hidden("project", project.to_owned())}
        {hidden("hold", hold.id.clone())}
        <div class="dialog-foot">
            <button class="btn" type="button" popovertarget=id.clone() popovertargetaction="hide">"Keep hold"</button>
            {submit(Tone::Danger, "", "Release hold")}
        </div>
    };
    view! {
        <div class="dialog" id=id popover="" role="dialog" aria-labelledby=title>
            <div class="dialog-head"><h2 id=heading>{format!("Release {}", hold.name)}</h2></div>
            <div class="dialog-body"><p>"What it kept leaves when its period is over, at the earliest in the next run. This cannot be taken back after that."</p></div>
            {form.view("", fields.into_any())}
        </div>
    }
    .into_any()
}
