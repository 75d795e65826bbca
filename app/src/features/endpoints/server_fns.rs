//! Server functions about endpoints.

#![expect(missing_docs, reason = "the structs that `#[server]` makes have the arguments as fields")]

use leptos::prelude::*;

use super::dto::{EndpointDto, EndpointForm, EndpointFormDto, EndpointsDto, SecretForm};
use crate::{error::UiError, ui::load::Place};

/// What the list of endpoints shows. The query may hold `q`.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "endpoints_page")]
pub async fn endpoints_page(place: Place) -> Result<EndpointsDto, UiError> {
    crate::context::not_wired(place)
}

/// What the page of one endpoint shows.
///
/// # Errors
/// When the endpoint does not exist in the project or a store is away.
#[server(prefix = "/ui", endpoint = "endpoint_page")]
pub async fn endpoint_page(place: Place) -> Result<EndpointDto, UiError> {
    crate::context::not_wired(place)
}

/// What the form of an endpoint shows; without an id, that of a new one.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "endpoint_form_page")]
pub async fn endpoint_form_page(place: Place) -> Result<EndpointFormDto, UiError> {
    crate::context::not_wired(place)
}

/// Creates an endpoint and shows it with its secret, once.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "create_endpoint")]
pub async fn create_endpoint(project: String, form: EndpointForm) -> Result<(), UiError> {
    crate::context::not_wired((project, form))
}

/// Saves an endpoint whose version is still `version`.
///
/// # Errors
/// Names the refused fields, or a conflict.
#[server(prefix = "/ui", endpoint = "save_endpoint")]
pub async fn save_endpoint(project: String, endpoint: String, version: u32, form: EndpointForm) -> Result<(), UiError> {
    crate::context::not_wired((project, endpoint, version, form))
}

/// Holds back deliveries to an endpoint.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "pause_endpoint")]
pub async fn pause_endpoint(project: String, endpoint: String) -> Result<(), UiError> {
    crate::context::not_wired((project, endpoint))
}

/// Lets deliveries to an endpoint go on.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "activate_endpoint")]
pub async fn activate_endpoint(project: String, endpoint: String) -> Result<(), UiError> {
    crate::context::not_wired((project, endpoint))
}

/// Sends an event of type `longhaul.test` to one endpoint and shows its delivery.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "send_test_event")]
pub async fn send_test_event(project: String, endpoint: String) -> Result<(), UiError> {
    crate::context::not_wired((project, endpoint))
}

/// Adds a secret; the old one also signs for a while.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "rotate_secret")]
pub async fn rotate_secret(project: String, endpoint: String, form: SecretForm) -> Result<(), UiError> {
    crate::context::not_wired((project, endpoint, form))
}

/// Shows one secret in full on the next page, and leaves an audit row.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "reveal_secret")]
pub async fn reveal_secret(project: String, endpoint: String, secret: String) -> Result<(), UiError> {
    crate::context::not_wired((project, endpoint, secret))
}

/// Deletes an endpoint with its subscriptions, when `confirm` is its name.
///
/// # Errors
/// When the typed name differs or the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "delete_endpoint")]
pub async fn delete_endpoint(project: String, endpoint: String, confirm: String) -> Result<(), UiError> {
    crate::context::not_wired((project, endpoint, confirm))
}
