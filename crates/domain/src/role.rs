//! Who may do what.

use serde::{Deserialize, Serialize};

/// What a member may do. Ordered: each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads a project.
    Viewer,
    /// Changes a project.
    ProjectAdmin,
    /// Changes the instance and every project.
    InstanceAdmin,
}

impl Role {
    /// The name in storage and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "project_viewer",
            Self::ProjectAdmin => "project_admin",
            Self::InstanceAdmin => "instance_admin",
        }
    }

    /// The role called `name`; `None` for a name that does not exist.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "project_viewer" | "viewer" => Some(Self::Viewer),
            "project_admin" | "admin" => Some(Self::ProjectAdmin),
            "instance_admin" => Some(Self::InstanceAdmin),
            _ => None,
        }
    }

    /// How a person reads it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Viewer => "Viewer",
            Self::ProjectAdmin => "Project admin",
            Self::InstanceAdmin => "Instance admin",
        }
    }
}
