//! Server functions about projects.

#![expect(
    missing_docs,
    reason = "the structs that `#[server]` makes have the arguments as fields"
)]

use leptos::prelude::*;

use super::dto::{JumpDto, NewProjectDto, ProjectForm, ProjectsDto};
use crate::{
    error::UiError,
    ui::{load::Place, nav::FrameDto, packed::Packed},
};

/// What the frame around every page shows. The project may be empty.
///
/// # Errors
/// When nobody is signed in: then it also redirects to the sign-in page.
#[server(prefix = "/ui", endpoint = "frame")]
pub async fn load_frame(place: Place) -> Result<Packed<FrameDto>, UiError> {
    crate::context::page(Box::pin(super::present::frame(place))).await
}

/// What the start page shows.
///
/// # Errors
/// When nobody is signed in or a store is away.
#[server(prefix = "/ui", endpoint = "projects_page")]
pub async fn projects_page(place: Place) -> Result<Packed<ProjectsDto>, UiError> {
    crate::context::page(Box::pin(super::present::list(place))).await
}

/// What the page for a new project shows.
///
/// # Errors
/// When the viewer is no instance admin.
#[server(prefix = "/ui", endpoint = "new_project_page")]
pub async fn new_project_page(place: Place) -> Result<Packed<NewProjectDto>, UiError> {
    crate::context::page(Box::pin(super::present::new(place))).await
}

/// Creates a project with its first key and goes on to its keys.
///
/// # Errors
/// When the name is taken or missing.
#[server(prefix = "/ui", endpoint = "create_project")]
pub async fn create_project(form: ProjectForm) -> Result<(), UiError> {
    crate::context::then_go(Box::pin(super::present::create(form))).await
}

/// Finds whatever has the id in `q` and redirects to its page.
///
/// # Errors
/// When nobody is signed in or a store is away.
#[server(prefix = "/ui", endpoint = "jump_page")]
pub async fn jump_page(place: Place) -> Result<Packed<JumpDto>, UiError> {
    crate::context::page(Box::pin(super::present::jump(place))).await
}
