//! What the forms of the page of partitions do.

use services::{
    conversion,
    jobs::{self, Job, JobInput},
    partitions::view::{self, ForecastChange},
};

use super::{convert::JOIN_WORD, dto::ForecastForm};
use crate::{
    context::viewing,
    error::{Code, UiError},
};

/// Pauses a conversion.
///
/// # Errors
/// A conflict when none runs.
pub async fn pause(table: String) -> Result<String, UiError> {
    let by = viewing().await?;
    conversion::pause(&by.services, &by.actor, &table).await?;
    Ok("/system/partitions?saved=conversion_paused".to_owned())
}

/// Starts the job that joins the tables.
///
/// # Errors
/// When the typed word differs; a conflict while it runs.
pub async fn join(confirm: String) -> Result<String, UiError> {
    let by = viewing().await?;
    by.actor.require_instance()?;
    if confirm.trim() != JOIN_WORD {
        return Err(UiError::new(Code::NotConfirmed));
    }
    let job = Job::called("unpartition_tables")?;
    let id = jobs::start(&by.services, &by.actor, job, JobInput::default()).await?;
    Ok(format!("/system/jobs/{id}?saved=job"))
}

/// Keeps what was entered for the forecast.
///
/// # Errors
/// Names the refused fields.
pub async fn save_forecast(form: ForecastForm) -> Result<String, UiError> {
    let by = viewing().await?;
    let change = ForecastChange {
        disk_gb: form.disk_gb,
        price: Some(form.price),
    };
    view::save_forecast(&by.services, &by.actor, &change).await?;
    Ok("/system/partitions?saved=forecast".to_owned())
}
