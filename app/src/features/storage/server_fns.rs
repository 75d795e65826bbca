//! Server functions about storage policies.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::{StorageDto, StorageForm};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the storage page of the instance, or of the project in `place`, shows.
///
/// # Errors
/// When the viewer may not see it or a store is away.
#[server(prefix = "/ui", endpoint = "storage_page")]
pub async fn storage_page(place: Place) -> Result<Packed<StorageDto>, UiError> {
    crate::context::page(Box::pin(super::present::storage(place))).await
}

/// Tries a policy out and saves it, of the project, or of the instance when that is empty. With
/// `mode=test` it is only tried; the next page shows what was found.
///
/// # Errors
/// Names the refused fields; a conflict while the configuration decides.
#[server(prefix = "/ui", endpoint = "save_storage")]
pub async fn save_storage(
    #[server(default)] project: String,
    #[server(default)] mode: String,
    form: StorageForm,
) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::save(project, mode, form))).await
}

/// Tries out the policy that is in effect.
///
/// # Errors
/// When there is none, or the viewer may not.
#[server(prefix = "/ui", endpoint = "test_storage")]
pub async fn test_storage(#[server(default)] project: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::test_in_effect(project))).await
}

/// Chooses between the instance's storage and the project's own.
///
/// # Errors
/// When the project has no policy of its own, or the viewer may not.
#[server(prefix = "/ui", endpoint = "choose_storage")]
pub async fn choose_storage(project: String, own: bool) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::choose(project, own))).await
}
