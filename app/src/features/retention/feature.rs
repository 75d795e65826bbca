//! Whether anything is deleted on this instance: said on several pages, changed by instance admins.

use leptos::prelude::*;

use super::{dto::FeatureDto, server_fns::TurnDeletion};
use crate::ui::{
    form::{Form, Tone, button_form, submit},
    panel::{callout, nothing},
};

/// What it means that nothing is deleted, with the button that changes it; nothing while it is on.
/// `project` is the project of the page, empty for the instance.
pub fn off_note(feature: &FeatureDto, project: &str) -> AnyView {
    if feature.on {
        return nothing();
    }
    let turn = if feature.can_turn {
        turn(
            true,
            project,
            submit(Tone::Plain, "", "Turn on for this instance"),
        )
    } else {
        nothing()
    };
    let text = view! { <p>{feature.note.clone()}</p> };
    callout(
        "retry",
        "warn",
        "Nothing is deleted yet".to_owned(),
        text.into_any(),
        turn,
    )
}

/// Where it comes from that rows are deleted, with the button that ends it; nothing while it is off.
pub fn on_note(feature: &FeatureDto, project: &str) -> AnyView {
    if !feature.on {
        return nothing();
    }
    let turn = if feature.can_turn {
        turn(
            false,
            project,
            submit(Tone::Small, "", "Turn off for this instance"),
        )
    } else {
        nothing()
    };
    view! { <div class="row"><p class="help">{feature.note.clone()}</p>{turn}</div> }.into_any()
}

fn turn(on: bool, project: &str, button: AnyView) -> AnyView {
    let fields = vec![("on", on.to_string()), ("project", project.to_owned())];
    button_form(Form::of::<TurnDeletion>(), fields, button)
}
