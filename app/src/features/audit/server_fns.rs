//! Server functions of the audit log.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::AuditDto;
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the audit page shows. The query holds `q` (several), `range`, `before`, `after`.
///
/// # Errors
/// When the viewer is no instance admin or a store is away.
#[server(prefix = "/ui", endpoint = "audit_page")]
pub async fn audit_page(place: Place) -> Result<Packed<AuditDto>, UiError> {
    crate::context::page(Box::pin(super::present::list(place))).await
}
