//! What the storage pages show and send.

use serde::{Deserialize, Serialize};

use crate::{
    features::{common::ProjectRef, retention::dto::FeatureDto},
    format::Stamp,
};

/// A storage policy, as the form shows and sends it. It never shows a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageForm {
    /// `s3` or `on_prem`.
    pub kind: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Region of the bucket.
    pub region: String,
    /// Address of the store; empty for AWS.
    pub endpoint: String,
    /// What every key begins with.
    pub prefix: String,
    /// Name of the credentials.
    pub access_key: String,
    /// The secret key; empty to keep the one that is there.
    pub secret_key: String,
    /// The session token; empty to keep the one that is there, unless the secret key is another.
    pub session_token: String,
    /// Secrets that were typed for a test, encrypted with the instance's key.
    pub kept: String,
    /// `none`, `AES256` or `aws:kms`.
    pub sse: String,
    /// The key of `aws:kms`.
    pub kms_key_id: String,
    /// `path`, `host`, or empty to go by the store.
    pub addresses: String,
    /// Folder of an on-premises policy.
    pub path: String,
}

/// What the storage pages show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent answers about one page")]
pub struct StorageDto {
    /// The project; none on the page of the instance.
    pub project: Option<ProjectRef>,
    /// Whether anything is deleted on this instance.
    pub feature: FeatureDto,
    /// Whether the viewer may change and try out the policy.
    pub can_edit: bool,
    /// Whether the viewer may choose a folder of the server.
    pub may_choose_folder: bool,
    /// Whether the configuration decides.
    pub is_configured: bool,
    /// Whether the project uses its own policy.
    pub uses_own: bool,
    /// What is in effect, in words; empty when nobody has said.
    pub place: String,
    /// The values of the form.
    pub form: StorageForm,
    /// Whether a secret key is there.
    pub has_secret: bool,
    /// Whether a session token is there.
    pub has_token: bool,
    /// Number of the newest version; 0 for none.
    pub version: i32,
    /// What the last try found.
    pub probe: Option<ProbeDto>,
    /// Whether the last try was part of saving, which therefore changed nothing.
    pub is_refused: bool,
    /// Every version, newest first.
    pub versions: Vec<VersionRow>,
    /// The same as a file; empty when nothing is in effect.
    pub json: String,
    /// The same as variables.
    pub environment: String,
}

/// What a try of a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeDto {
    /// Whether it is fit for copies.
    pub is_ready: bool,
    /// `11 passed, 1 note`.
    pub counts: String,
    /// When it was tried.
    pub at: Stamp,
    /// How long all steps took.
    pub took: String,
    /// The steps.
    pub steps: Vec<StepRow>,
    /// A last remark.
    pub remark: String,
}

/// One step of a try.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRow {
    /// What was tried.
    pub name: String,
    /// Value of `data-state`: `success`, `retry` or `failure`.
    pub state: String,
    /// What was seen, or what to change.
    pub say: String,
    /// How long it took.
    pub took: String,
}

/// One version of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRow {
    /// Its number.
    pub version: i32,
    /// `writing`, `read_only` or `empty`.
    pub state: String,
    /// In words.
    pub place: String,
    /// `page, by admin@example.com`.
    pub origin: String,
    /// Segments that lie there.
    pub segments: String,
    /// Their size.
    pub size: String,
    /// When one of them was last found whole; empty for never.
    pub verified: Stamp,
    /// `since 12 Oct`, `3 Sep to 12 Oct`.
    pub used: String,
}
