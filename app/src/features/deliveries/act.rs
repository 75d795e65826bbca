//! What the forms about deliveries do.

use domain::id::DeliveryId;
use services::{
    Error,
    deliveries::{self},
};

use super::present::{filter_of, picked};
use crate::{
    context::{in_project, parse_id},
    error::UiError,
    features::query::ListQuery,
};

/// Sends one delivery again, whether it failed or was delivered.
///
/// # Errors
/// When the viewer may not, or the delivery is under way.
pub async fn resend(project: String, delivery: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let id: DeliveryId = parse_id(&delivery)?;
    let found = deliveries::get(&at.by.services, &at.by.actor, at.id, id).await?;
    if found.state == domain::state::DeliveryState::Success {
        deliveries::force_resend(&at.by.services, &at.by.actor, at.id, &[id]).await?;
    } else {
        deliveries::resend(&at.by.services, &at.by.actor, at.id, id).await?;
    }
    Ok(format!(
        "{}?saved=resent",
        at.project.at(&format!("deliveries/{id}"))
    ))
}

/// Sends picked deliveries again; those that are under way are left alone.
///
/// # Errors
/// When the viewer may not, or nothing was picked.
pub async fn resend_selected(project: String, query: String, ids: Vec<String>) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let mut delivered = Vec::new();
    for id in picked(&ids)? {
        match deliveries::resend(&at.by.services, &at.by.actor, at.id, id).await {
            Ok(_) => {}
            // Delivered ones are sent again together; what is under way is sent anyway.
            Err(Error::Conflict(_)) => delivered.push(id),
            Err(error) => return Err(error.into()),
        }
    }
    if !delivered.is_empty() {
        deliveries::force_resend(&at.by.services, &at.by.actor, at.id, &delivered).await?;
    }
    Ok(back(&at.project.at("deliveries"), &query, "resent_many"))
}

/// Starts to send everything again that the filters match.
///
/// # Errors
/// When the viewer may not, or another such run is under way.
pub async fn resend_matching(project: String, query: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let list = ListQuery::parse(&query, super::present::KEYS, "type");
    let filter = filter_of(&at, &list)?;
    deliveries::start_batch_retry(&at.by.services, &at.by.actor, at.id, &filter).await?;
    Ok(back(&at.project.at("deliveries"), &query, "retry_started"))
}

/// The list at `query` with a toast.
fn back(list: &str, query: &str, saved: &str) -> String {
    if query.is_empty() {
        format!("{list}?saved={saved}")
    } else {
        format!("{list}?{query}&saved={saved}")
    }
}
