//! Server functions about retention and holds.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::dto::PolicyForm;
use super::dto::{HoldForm, RetentionDto};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the retention page shows. The query may hold values of the form, whose effect is then shown.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "retention_page")]
pub async fn retention_page(place: Place) -> Result<Packed<RetentionDto>, UiError> {
    crate::context::page(Box::pin(super::present::retention(place))).await
}

/// Saves how the project keeps its events, or, with `mode=preview`, only shows what that would do.
/// Without the typed name a change that shortens is shown first.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "save_retention")]
pub async fn save_retention(
    project: String,
    #[server(default)] mode: String,
    #[server(default)] on: bool,
    #[server(default)] days: String,
    #[server(default)] backup: bool,
    #[server(default)] storage: String,
    #[server(default)] confirm: String,
) -> Result<(), UiError> {
    let form = PolicyForm {
        on,
        days,
        backup,
        storage,
    };
    crate::context::then_go(Box::pin(super::act::save(project, mode, form, confirm))).await
}

/// Places a hold.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "place_hold")]
pub async fn place_hold(project: String, form: HoldForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::place_hold(project, form))).await
}

/// Releases a hold.
///
/// # Errors
/// A conflict when it was released before.
#[server(prefix = "/ui", endpoint = "release_hold")]
pub async fn release_hold(project: String, hold: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::release_hold(project, hold))).await
}

/// Turns deletion on or off for the whole instance, and goes back to the page of `project`, or to
/// that of the instance's storage.
///
/// # Errors
/// When the viewer does not rule the instance; a conflict when the configuration decides.
#[server(prefix = "/ui", endpoint = "turn_deletion")]
pub async fn turn_deletion(on: bool, #[server(default)] project: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::turn_deletion(on, project))).await
}
