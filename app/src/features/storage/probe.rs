//! What a try of a store found, step by step.

use leptos::prelude::*;

use super::dto::{ProbeDto, StepRow, StorageDto};
use crate::ui::{icon::icon, panel::panel, time::time};

/// The last try, or that there was none.
pub(super) fn probe(dto: &StorageDto) -> AnyView {
    let Some(found) = dto.probe.clone() else {
        let body = view! { <p class="panel-body dim">"Not tried yet. A test writes, reads and deletes a small object under the prefix."</p> };
        return panel(
            "probe",
            "Connection test".to_owned(),
            String::new(),
            ().into_any(),
            body.into_any(),
        );
    };
    let end = view! { <span>{time(found.at.clone())}", "{found.took.clone()}</span> };
    let refused = dto.is_refused.then(|| {
        let text = match dto.version {
            0 => "Not saved: a test failed.".to_owned(),
            n => format!("Not saved: a test failed. Version {n} stays in use."),
        };
        view! { <div class="pane-row" role="alert"><span class="with-state strong" data-state="failure">{icon("failure")}{text}</span></div> }
    });
    panel(
        "probe",
        "Connection test".to_owned(),
        String::new(),
        end.into_any(),
        view! { {refused}{outcome(found)} }.into_any(),
    )
}

fn outcome(found: ProbeDto) -> AnyView {
    let (state, mark, word) = if found.is_ready {
        ("success", "success", "Ready for backup and archive")
    } else {
        ("failure", "failure", "Not ready for backup and archive")
    };
    let steps = found.steps.into_iter().map(step).collect::<Vec<_>>();
    let remark = (!found.remark.is_empty()).then(
        || view! { <div class="panel-foot" data-sunken=""><span class="faint">{found.remark}</span></div> },
    );
    view! {
        <div class="pane-row" role="status"><span class="with-state strong" data-state=state>{icon(mark)}{word}</span><span class="end faint">{found.counts}</span></div>
        <ul class="probe">{steps}</ul>
        {remark}
    }
    .into_any()
}

fn step(row: StepRow) -> AnyView {
    let (mark, word) = match row.state.as_str() {
        "success" => ("success", ""),
        "retry" => ("warn", "Works, with a note"),
        _ => ("failure", "Failed"),
    };
    let word = (!word.is_empty()).then(|| view! { " "<span class="probe-word">{word}</span> });
    let say = (!row.say.is_empty()).then(|| view! { <span class="wrap-any">{row.say}</span> });
    view! {
        <li data-state=row.state>
            {icon(mark)}
            <div><b>{row.name}</b>{word}{say}</div>
            <span class="n faint">{row.took}</span>
        </li>
    }
    .into_any()
}
