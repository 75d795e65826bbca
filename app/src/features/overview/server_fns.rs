//! Server functions of the overview.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::OverviewDto;
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the overview shows. The query may name a range: `range=1h|24h|7d|30d`.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
#[server(prefix = "/ui", endpoint = "overview_page")]
pub async fn overview_page(place: Place) -> Result<Packed<OverviewDto>, UiError> {
    crate::context::page(Box::pin(super::present::overview(place))).await
}
