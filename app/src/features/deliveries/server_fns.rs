//! Server functions about deliveries.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::{DeliveriesDto, DeliveryDto};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the list of deliveries shows. The query holds `state`, `q` (several), `range`, `before`, `after`.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "deliveries_page")]
pub async fn deliveries_page(place: Place) -> Result<Packed<DeliveriesDto>, UiError> {
    crate::context::page(Box::pin(super::present::list(place))).await
}

/// What the page of one delivery shows. The query may name an attempt: `attempt=3`.
///
/// # Errors
/// When the delivery does not exist in the project or a store is away.
#[server(prefix = "/ui", endpoint = "delivery_page")]
pub async fn delivery_page(place: Place) -> Result<Packed<DeliveryDto>, UiError> {
    crate::context::page(Box::pin(super::present_detail::detail(place))).await
}

/// Sends one delivery again.
///
/// # Errors
/// When the viewer may not change the project, or the delivery is being sent right now.
#[server(prefix = "/ui", endpoint = "resend_delivery")]
pub async fn resend_delivery(project: String, delivery: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::resend(project, delivery))).await
}

/// Sends the picked deliveries again and goes back to the list.
///
/// # Errors
/// When the viewer may not change the project or nothing was picked.
#[server(prefix = "/ui", endpoint = "resend_selected")]
pub async fn resend_selected(
    project: String,
    #[server(default)] query: String,
    #[server(default)] ids: Vec<String>,
) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::resend_selected(project, query, ids))).await
}

/// Starts a batch that sends everything again that the filters in `query` match.
///
/// # Errors
/// When the viewer may not change the project.
#[server(prefix = "/ui", endpoint = "resend_matching")]
pub async fn resend_matching(project: String, #[server(default)] query: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::resend_matching(project, query))).await
}
