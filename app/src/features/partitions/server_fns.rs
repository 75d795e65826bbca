//! Server functions of partitions.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::{ForecastForm, PartitionsDto};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the page of partitions shows. The query holds `q` (several), `sort` and `page` for the leaves.
///
/// # Errors
/// When the viewer is no instance admin or a store is away.
#[server(prefix = "/ui", endpoint = "partitions_page")]
pub async fn partitions_page(place: Place) -> Result<Packed<PartitionsDto>, UiError> {
    crate::context::page(Box::pin(super::present::page(place))).await
}

/// Pauses the conversion of a table after its batch.
///
/// # Errors
/// A conflict when none runs.
#[server(prefix = "/ui", endpoint = "pause_conversion")]
pub async fn pause_conversion(table: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::pause(table))).await
}

/// Joins every split table into one heap and shows the run.
///
/// # Errors
/// When the typed word differs; a conflict while a conversion runs.
#[server(prefix = "/ui", endpoint = "join_tables")]
pub async fn join_tables(confirm: String) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::join(confirm))).await
}

/// Keeps what an admin enters for the forecast.
///
/// # Errors
/// Names the refused fields.
#[server(prefix = "/ui", endpoint = "save_forecast")]
pub async fn save_forecast(form: ForecastForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::save_forecast(form))).await
}
