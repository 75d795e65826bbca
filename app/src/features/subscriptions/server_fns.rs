//! Server functions about subscriptions.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::{SubscriptionDto, SubscriptionForm, SubscriptionsDto};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the list of subscriptions shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "subscriptions_page")]
pub async fn subscriptions_page(place: Place) -> Result<Packed<SubscriptionsDto>, UiError> {
    crate::context::page(Box::pin(super::present::list(place))).await
}

/// What the page of one subscription shows; without an id, that of a new one.
///
/// # Errors
/// When the subscription does not exist in the project or a store is away.
#[server(prefix = "/ui", endpoint = "subscription_page")]
pub async fn subscription_page(place: Place) -> Result<Packed<SubscriptionDto>, UiError> {
    crate::context::page(Box::pin(super::present::form(place))).await
}

/// Creates (`subscription` is empty) or saves a subscription, or, with `mode=test`, only tries its
/// filter on the sample and shows the outcome on the next page.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "save_subscription")]
pub async fn save_subscription(
    project: String,
    #[server(default)] subscription: String,
    #[server(default)] mode: String,
    form: SubscriptionForm,
) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::save(project, subscription, mode, form))).await
}

/// Switches a subscription on or off.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "set_subscription_enabled")]
pub async fn set_subscription_enabled(
    project: String,
    subscription: String,
    enabled: bool,
) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::set_enabled(project, subscription, enabled))).await
}

/// Deletes a subscription, when `confirm` is its name.
///
/// # Errors
/// When the typed name differs or the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "delete_subscription")]
pub async fn delete_subscription(
    project: String,
    subscription: String,
    confirm: String,
) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::delete(project, subscription, confirm))).await
}
