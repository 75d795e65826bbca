//! What the pages about projects show and send.

use serde::{Deserialize, Serialize};

use crate::{features::common::Attention, ui::stat::Stat};

/// One project on the start page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRow {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `Outgoing` or `Incoming`.
    pub kind: String,
    /// Count of endpoints.
    pub endpoints: String,
    /// Events accepted in the last 24 hours.
    pub events: String,
    /// Share of deliveries that succeeded in the last 24 hours; empty when there were none.
    pub success: String,
    /// Deliveries that failed in the last 24 hours.
    pub failed: String,
    /// How long events are kept.
    pub keep: String,
}

/// What the start page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectsDto {
    /// What wants a person, over all projects.
    pub attention: Vec<Attention>,
    /// The last 24 hours of all projects.
    pub stats: Vec<Stat>,
    /// The projects.
    pub rows: Vec<ProjectRow>,
    /// Whether the viewer may create projects.
    pub can_create: bool,
}

/// What the page for a new project shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewProjectDto {
    /// Organisations it may belong to: id and name.
    pub organisations: Vec<(String, String)>,
}

/// What the form for a new project sends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProjectForm {
    /// Name.
    pub name: String,
    /// `outgoing` or `incoming`.
    pub kind: String,
    /// Id of the organisation; empty for the only one.
    #[serde(default)]
    pub organisation: String,
}

/// What a search by id found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JumpDto {
    /// What was looked for.
    pub query: String,
}
