//! What the audit page shows.

use serde::{Deserialize, Serialize};

use crate::{
    format::Stamp,
    ui::{filter::FilterDto, pager::Pager},
};

/// One change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// What was done: `endpoint.updated`.
    pub action: String,
    /// Who did it: an email address, or the name of a key or a process.
    pub actor: String,
    /// To what: `Endpoint Mailer`.
    pub target: String,
    /// Name of the project; empty for the instance.
    pub project: String,
    /// What changed, in short.
    pub detail: String,
    /// From which address; empty for processes.
    pub ip: String,
    /// When.
    pub at: Stamp,
}

/// What the audit page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditDto {
    /// The filters.
    pub filter: FilterDto,
    /// The changes, newest first.
    pub rows: Vec<AuditRow>,
    /// Newer and older.
    pub pager: Pager,
}
