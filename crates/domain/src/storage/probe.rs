//! What a probe of a store found.

use serde::{Deserialize, Serialize};

/// How one step of a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As wanted.
    Passed,
    /// Backup and archive work, with something worth knowing.
    Note,
    /// Backup and archive do not work until this is changed.
    Failed,
}

/// One step of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeStep {
    /// What was tried: `Write if absent`.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, or what to change.
    pub say: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What a store can do beyond writing and reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is the answer to a question of its own"
)]
pub struct Capabilities {
    /// A write can be refused when the object exists.
    pub write_if_absent: bool,
    /// A write can be refused when the object changed.
    pub write_if_unchanged: bool,
    /// A read can be refused when the object changed.
    pub read_if_unchanged: bool,
    /// A part of an object can be read alone.
    pub ranges: bool,
    /// Large objects can be written in parts.
    pub multipart: bool,
    /// The store keeps old versions of what is overwritten or deleted.
    pub versioning: bool,
    /// The store may refuse to delete for a time.
    pub object_lock: bool,
    /// Bytes that are free, where that can be known.
    pub free_bytes: Option<u64>,
}

/// What a probe of a store found, step by step in the order of trying.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// The steps that were tried. Those that could not be tried after a failure are not there.
    pub steps: Vec<ProbeStep>,
    /// What the store can do, as far as the steps came.
    pub capabilities: Capabilities,
    /// A last remark, for example that the test objects were removed.
    pub remark: String,
}

impl ProbeReport {
    /// Whether the store is fit for backup and archive.
    pub fn is_ready(&self) -> bool {
        !self.steps.is_empty() && self.count(Outcome::Failed) == 0
    }

    /// How many steps ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.steps.iter().filter(|step| step.outcome == outcome).count()
    }

    /// The first step that failed.
    pub fn first_failure(&self) -> Option<&ProbeStep> {
        self.steps.iter().find(|step| step.outcome == Outcome::Failed)
    }

    /// How long all steps took, in milliseconds.
    pub fn took_ms(&self) -> u64 {
        self.steps.iter().map(|step| step.took_ms).sum()
    }
}
