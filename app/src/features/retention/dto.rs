//! What the retention page shows and sends.

use serde::{Deserialize, Serialize};

use crate::{
    features::{common::ProjectRef, jobs::dto::RunRow},
    format::Stamp,
    ui::{html::Html, tabs::Tab},
};

/// The policy, as the form shows and sends it. The number is a text until the server has read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyForm {
    /// Whether events leave at all.
    pub on: bool,
    /// After how many days.
    pub days: String,
    /// Whether a day is copied before it leaves.
    pub backup: bool,
    /// `instance` or `own`.
    pub storage: String,
}

/// Whether anything is deleted on this instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureDto {
    /// Whether it is on.
    pub on: bool,
    /// Where that comes from: `On for this instance, by admin@example.com on 12 Oct`.
    pub note: String,
    /// Whether the viewer may turn it on or off here.
    pub can_turn: bool,
}

/// What the retention page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionDto {
    /// The project.
    pub project: ProjectRef,
    /// Whether anything is deleted on this instance.
    pub feature: FeatureDto,
    /// The values of the form.
    pub form: PolicyForm,
    /// Since when the policy is as it is, and by whom; empty when nobody changed it.
    pub changed: String,
    /// Since when older rows are on their way to the class of the policy.
    pub moving: Stamp,
    /// Usual periods.
    pub presets: Vec<Tab>,
    /// What was there before: `Was 30 days.`; empty when the form shows what is in effect.
    pub was: String,
    /// What is wrong with the days of the address.
    pub days_error: String,
    /// Storages that the project may use.
    pub storages: Vec<(String, String)>,
    /// What the form's values would do; none when nobody asked.
    pub preview: Option<PreviewDto>,
    /// Why there is no preview although somebody asked.
    pub preview_error: String,
    /// The change that was just saved and can be taken back.
    pub undo: Option<UndoDto>,
    /// Holds, those in force first.
    pub holds: Vec<HoldRow>,
    /// When the jobs run.
    pub schedule: String,
    /// Last runs of backup and deletion, newest first.
    pub runs: Vec<RunRow>,
    /// Whether the viewer sees the runs of the whole instance.
    pub all_runs: bool,
}

/// A change that was just saved and has not had an effect yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoDto {
    /// Until when: `21 Nov, 02:15 UTC`.
    pub until: String,
    /// What was in effect before: `30 days`.
    pub before: String,
    /// The form with the values from before.
    pub href: String,
}

/// What a change would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewDto {
    /// `30 days to 7 days`.
    pub title: String,
    /// When it was worked out.
    pub computed: Stamp,
    /// How long that took.
    pub took: String,
    /// The outcome in a few words.
    pub say: String,
    /// The rest of the sentence.
    pub say_more: String,
    /// The days that go and those that stay.
    pub svg: Html,
    /// What leaves, per table, the sum last.
    pub rows: Vec<PreviewRow>,
    /// What it means.
    pub facts: Vec<FactRow>,
    /// Whether the project's name has to be typed.
    pub needs_confirmation: bool,
    /// Word of the button that saves.
    pub button: String,
    /// Word of the link that leaves things as they are.
    pub keep: String,
}

/// What leaves of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRow {
    /// The table; empty for all together.
    pub table: String,
    /// Leaves that hold such rows.
    pub leaves: String,
    /// Rows.
    pub rows: String,
    /// Their bytes.
    pub size: String,
    /// Rows of the same days that holds keep.
    pub held: String,
    /// First day.
    pub oldest: String,
    /// Last day.
    pub newest: String,
}

/// One thing that follows from a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactRow {
    /// Value of `data-state`.
    pub state: String,
    /// Icon.
    pub icon: String,
    /// In a few words.
    pub title: String,
    /// More exactly.
    pub text: String,
}

/// One hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRow {
    /// Id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it keeps, and who placed it when.
    pub note: String,
    /// Whether it keeps anything now.
    pub in_force: bool,
}

/// A hold to place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HoldForm {
    /// What people call it.
    pub name: String,
    /// First day or instant.
    pub from: String,
    /// Last day, whole, or the instant at which it ends.
    pub to: String,
}
