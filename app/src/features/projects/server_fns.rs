//! Server functions about projects.

#![expect(missing_docs, reason = "the structs that `#[server]` makes have the arguments as fields")]

use leptos::prelude::*;

use super::dto::{JumpDto, NewProjectDto, ProjectForm, ProjectsDto};
use crate::{
    error::UiError,
    ui::{load::Place, nav::FrameDto},
};

/// What the frame around every page shows. `project` may be empty.
///
/// # Errors
/// When nobody is signed in: then it also redirects to the sign-in page.
#[server(prefix = "/ui", endpoint = "frame")]
pub async fn load_frame(project: String) -> Result<FrameDto, UiError> {
    crate::context::not_wired(project)
}

/// What the start page shows.
///
/// # Errors
/// When nobody is signed in or a store is away.
#[server(prefix = "/ui", endpoint = "projects_page")]
pub async fn projects_page(place: Place) -> Result<ProjectsDto, UiError> {
    crate::context::not_wired(place)
}

/// What the page for a new project shows.
///
/// # Errors
/// When the viewer is no instance admin.
#[server(prefix = "/ui", endpoint = "new_project_page")]
pub async fn new_project_page(place: Place) -> Result<NewProjectDto, UiError> {
    crate::context::not_wired(place)
}

/// Creates a project with its first key and goes on to its keys.
///
/// # Errors
/// When the name is taken or missing.
#[server(prefix = "/ui", endpoint = "create_project")]
pub async fn create_project(form: ProjectForm) -> Result<(), UiError> {
    crate::context::not_wired(form)
}

/// Finds whatever has the id in `q` and redirects to its page.
///
/// # Errors
/// When nobody is signed in or a store is away.
#[server(prefix = "/ui", endpoint = "jump_page")]
pub async fn jump_page(place: Place) -> Result<JumpDto, UiError> {
    crate::context::not_wired(place)
}
