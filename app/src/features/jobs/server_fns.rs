//! Server functions of jobs.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::{JobForm, JobsDto, RunDto};
use crate::{
    error::UiError,
    ui::{load::Place, packed::Packed},
};

/// What the page of jobs shows. The query holds `q` (several), `before`, `after` for the runs.
///
/// # Errors
/// When the viewer is no instance admin or a store is away.
#[server(prefix = "/ui", endpoint = "jobs_page")]
pub async fn jobs_page(place: Place) -> Result<Packed<JobsDto>, UiError> {
    crate::context::page(Box::pin(super::present::list(place))).await
}

/// What the page of one run shows.
///
/// # Errors
/// When there is no such run, the viewer is no instance admin or a store is away.
#[server(prefix = "/ui", endpoint = "run_page")]
pub async fn run_page(place: Place) -> Result<Packed<RunDto>, UiError> {
    crate::context::page(Box::pin(super::present::run(place))).await
}

/// Starts a job and shows its run.
///
/// # Errors
/// Names the refused fields; a conflict while the job runs.
#[server(prefix = "/ui", endpoint = "start_job")]
pub async fn start_job(form: JobForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::act::start(form))).await
}
