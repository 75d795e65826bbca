//! Server functions about endpoints.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

#[cfg(feature = "ssr")]
use domain::state::EndpointState;
use leptos::prelude::*;

use super::dto::{EndpointDto, EndpointForm, EndpointFormDto, EndpointsDto, SecretForm};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the list of endpoints shows. The query may hold `q`.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "endpoints_page")]
pub async fn endpoints_page(place: Place) -> Result<Packed<EndpointsDto>, UiError> {
    crate::context::page(Box::pin(super::present::list(place))).await
}

/// What the page of one endpoint shows.
///
/// # Errors
/// When the endpoint does not exist in the project or a store is away.
#[server(prefix = "/ui", endpoint = "endpoint_page")]
pub async fn endpoint_page(place: Place) -> Result<Packed<EndpointDto>, UiError> {
    crate::context::page(Box::pin(super::present::detail(place))).await
}

/// What the form of an endpoint shows; without an id, that of a new one.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "endpoint_form_page")]
pub async fn endpoint_form_page(place: Place) -> Result<Packed<EndpointFormDto>, UiError> {
    crate::context::page(Box::pin(super::present::form(place))).await
}

/// Creates an endpoint and shows it with its secret, once.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "create_endpoint")]
pub async fn create_endpoint(project: String, form: EndpointForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::create(project, form))).await
}

/// Saves an endpoint whose version is still `version`.
///
/// # Errors
/// Names the refused fields, or a conflict.
#[server(prefix = "/ui", endpoint = "save_endpoint")]
pub async fn save_endpoint(
    project: String,
    endpoint: String,
    version: i64,
    form: EndpointForm,
) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::save(project, endpoint, version, form))).await
}

/// Holds back deliveries to an endpoint.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "pause_endpoint")]
pub async fn pause_endpoint(project: String, endpoint: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::set_state(
        project,
        endpoint,
        EndpointState::Paused,
    )))
    .await
}

/// Lets deliveries to an endpoint go on.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "activate_endpoint")]
pub async fn activate_endpoint(project: String, endpoint: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::set_state(
        project,
        endpoint,
        EndpointState::Active,
    )))
    .await
}

/// Sends an event of type `longhaul.test` to one endpoint and shows its delivery.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "send_test_event")]
pub async fn send_test_event(project: String, endpoint: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::send_test_event(project, endpoint))).await
}

/// Adds a secret; the old one also signs for a while.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "rotate_secret")]
pub async fn rotate_secret(project: String, endpoint: String, form: SecretForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::rotate_secret(project, endpoint, form))).await
}

/// Shows the secrets in full on the next page, and leaves an audit row.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "reveal_secrets")]
pub async fn reveal_secrets(project: String, endpoint: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::reveal_secrets(project, endpoint))).await
}

/// Deletes an endpoint with its subscriptions, when `confirm` is its name.
///
/// # Errors
/// When the typed name differs or the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "delete_endpoint")]
pub async fn delete_endpoint(project: String, endpoint: String, confirm: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::delete(project, endpoint, confirm))).await
}
