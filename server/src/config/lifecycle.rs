//! The sections of the configuration that speak of the life of data: retention, backup, storage,
//! archive.

use std::time::Duration;

use chrono::NaiveTime;
use domain::storage::{OnPremPolicy, S3Policy, Secret, Sse, StoragePolicy};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, de};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// How long new projects keep their events, and when what is over leaves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// Whether new projects delete what is over.
    pub enabled: bool,
    /// How long they keep events.
    #[serde(with = "domain::duration::text")]
    pub period: Duration,
    /// When what is over leaves, in UTC.
    #[serde(deserialize_with = "time_of_day")]
    pub deletion_at: NaiveTime,
}

impl RetentionConfig {
    /// The period in whole days; a part of a day counts as one.
    pub fn days(&self) -> u16 {
        u16::try_from(self.period.as_secs().div_ceil(DAY)).unwrap_or(u16::MAX)
    }
}

/// When days are copied.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupConfig {
    /// When, in UTC.
    #[serde(deserialize_with = "time_of_day")]
    pub at: NaiveTime,
}

/// Where copies lie.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// Which half counts, when it was said.
    #[serde(rename = "type")]
    pub kind: Option<StorageKind>,
    /// A bucket.
    #[serde(default)]
    pub s3: S3Config,
    /// A folder.
    #[serde(default)]
    pub on_prem: OnPremConfig,
}

/// Kinds of storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageKind {
    /// A bucket of an S3-compatible store.
    S3,
    /// A folder.
    OnPrem,
}

/// A bucket of an S3-compatible store.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Config {
    /// Its name.
    pub bucket: String,
    /// What every key begins with.
    pub prefix: String,
    /// Its region.
    pub region: String,
    /// Address of a store other than AWS.
    pub endpoint: String,
    /// Whether an endpoint without a scheme is reached over TLS.
    pub tls: bool,
    /// Whether the bucket stands in the path, when it was said.
    pub path_style: Option<bool>,
    /// Name of the credentials.
    pub access_key: String,
    /// What requests are signed with.
    pub secret_key: Option<SecretString>,
    /// Comes with temporary credentials.
    pub session_token: Option<SecretString>,
    /// Encryption that the store does.
    pub sse: Sse,
    /// The key of `aws:kms`.
    pub kms_key_id: String,
}

/// A folder.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnPremConfig {
    /// Its path.
    pub path: String,
}

impl StorageConfig {
    /// Whether both halves are set and nothing says which one counts.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.kind.is_none() && self.s3.is_set() && !self.on_prem.path.is_empty()
    }

    /// The storage; `None` when nothing was said.
    pub fn policy(&self) -> Option<StoragePolicy> {
        let kind = match self.kind {
            Some(kind) => kind,
            None if self.s3.is_set() => StorageKind::S3,
            None if !self.on_prem.path.is_empty() => StorageKind::OnPrem,
            None => return None,
        };
        Some(match kind {
            StorageKind::S3 => StoragePolicy::S3(self.s3.policy()),
            StorageKind::OnPrem => StoragePolicy::OnPrem(OnPremPolicy {
                path: self.on_prem.path.clone(),
            }),
        })
    }
}

impl S3Config {
    /// Whether anything says that a bucket is meant.
    fn is_set(&self) -> bool {
        let texts = [&self.bucket, &self.endpoint, &self.access_key];
        texts.iter().any(|text| !text.is_empty()) || self.secret_key.is_some()
    }

    fn policy(&self) -> S3Policy {
        let secret = |secret: &Option<SecretString>| {
            let text = secret.as_ref().map_or("", |secret| secret.expose_secret());
            Secret::new(text.trim())
        };
        S3Policy {
            prefix: self.prefix.clone(),
            bucket: self.bucket.clone(),
            access_key: self.access_key.clone(),
            secret_key: secret(&self.secret_key),
            region: self.region.clone(),
            session_token: secret(&self.session_token),
            endpoint: self.endpoint(),
            path_style: self.path_style,
            sse: self.sse,
            kms_key_id: self.kms_key_id.clone(),
        }
    }

    /// The endpoint with its scheme.
    fn endpoint(&self) -> String {
        if self.endpoint.is_empty() || self.endpoint.contains("://") {
            return self.endpoint.clone();
        }
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.endpoint)
    }
}

/// Copies: their size, and reading them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveConfig {
    /// Most rows of one object.
    pub segment_rows: u32,
    /// Memory of one process for parts of objects, in bytes.
    pub cache_bytes: u64,
    /// Most requests of one process to the stores at once, for reading.
    pub read_concurrency: usize,
    /// Most bytes that one page of a list may fetch.
    pub read_budget_bytes: u64,
}

fn time_of_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    NaiveTime::parse_from_str(&text, "%H:%M").map_err(de::Error::custom)
}
