//! Server functions of the settings of a project.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::{
    DangerDto, GeneralDto, GeneralForm, KeyForm, KeysDto, SignatureDto, SignatureForm, VersionForm,
};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the general settings page shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "settings_general_page")]
pub async fn settings_general_page(place: Place) -> Result<Packed<GeneralDto>, UiError> {
    crate::context::page(Box::pin(super::present::general(place))).await
}

/// Saves the general settings whose version is still `version`.
///
/// # Errors
/// Names the refused fields, or a conflict.
#[server(prefix = "/ui", endpoint = "save_general")]
pub async fn save_general(project: String, version: i64, form: GeneralForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::save_general(project, version, form))).await
}

/// What the signature page shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "settings_signature_page")]
pub async fn settings_signature_page(place: Place) -> Result<Packed<SignatureDto>, UiError> {
    crate::context::page(Box::pin(super::present::signature(place))).await
}

/// Saves the names of the headers.
///
/// # Errors
/// Names the refused fields, or a conflict.
#[server(prefix = "/ui", endpoint = "save_signature")]
pub async fn save_signature(project: String, version: i64, form: SignatureForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::save_signature(project, version, form))).await
}

/// Adds a version of the signature.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "add_signature_version")]
pub async fn add_signature_version(project: String, form: VersionForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::add_version(project, form))).await
}

/// What the page of keys shows, with a key that was just made.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "settings_keys_page")]
pub async fn settings_keys_page(place: Place) -> Result<Packed<KeysDto>, UiError> {
    crate::context::page(Box::pin(super::present::keys(place))).await
}

/// Makes a key, which the next page shows once.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "create_key")]
pub async fn create_key(project: String, form: KeyForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::create_key(project, form))).await
}

/// Ends a key at once.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "revoke_key")]
pub async fn revoke_key(project: String, key: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::revoke_key(project, key))).await
}

/// What deleting the project would remove.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "settings_danger_page")]
pub async fn settings_danger_page(place: Place) -> Result<Packed<DangerDto>, UiError> {
    crate::context::page(Box::pin(super::present::danger(place))).await
}

/// Deletes the project, when `confirm` is its name.
///
/// # Errors
/// When the typed name differs or the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "delete_project")]
pub async fn delete_project(project: String, confirm: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::delete_project(project, confirm))).await
}
