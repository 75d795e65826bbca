//! Where segments are written: a storage policy, its advice when it is wrong, and what a probe found.
//!
//! One model for the form, the API, the file and the environment. In JSON it is
//! `{"type": "s3", "s3": {..}}` or `{"type": "on_prem", "on_prem": {"path": ".."}}`.

mod advice;
mod probe;
mod secret;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

pub use probe::{Capabilities, Outcome, ProbeReport, ProbeStep};
pub use secret::{MASK, Secret};

/// The region that is signed for when none is given and an endpoint is.
pub const DEFAULT_REGION: &str = "us-east-1";

/// Where segments are written and read.
///
/// It serializes with its secrets masked; [`split`](Self::split) is the one way to keep them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoragePolicy {
    /// A bucket of an S3-compatible store.
    S3(S3Policy),
    /// A folder that every process reaches under the same path.
    OnPrem(OnPremPolicy),
}

/// A bucket of an S3-compatible store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Policy {
    /// What every key begins with; empty for none.
    pub prefix: String,
    /// Name of the bucket, created when missing.
    pub bucket: String,
    /// Name of the credentials. It is no secret.
    pub access_key: String,
    /// What requests are signed with.
    pub secret_key: Secret,
    /// Region of the bucket; [`DEFAULT_REGION`] when empty and an endpoint is given.
    pub region: String,
    /// Comes with temporary credentials.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub session_token: Secret,
    /// `host`, `host:port` or a URL, for stores other than AWS; empty for AWS.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// `https://host/bucket/key` instead of `https://bucket.host/key`; on by default unless the store is AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// Encryption at rest that is asked for with every object.
    #[serde(skip_serializing_if = "Sse::is_none")]
    pub sse: Sse,
    /// The key of `aws:kms`; empty for the store's own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kms_key_id: String,
}

/// A folder that every process reaches under the same path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnPremPolicy {
    /// Absolute path.
    pub path: String,
}

/// Encryption at rest by the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sse {
    /// Whatever the bucket does by itself.
    #[default]
    #[serde(rename = "none", alias = "", alias = "None")]
    None,
    /// With keys of the store.
    #[serde(rename = "AES256", alias = "aes256")]
    Aes256,
    /// With a key of the key service.
    #[serde(rename = "aws:kms", alias = "kms")]
    AwsKms,
}

impl Sse {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl S3Policy {
    /// The endpoint as a URL without a final slash: `https` when no scheme is written. `None` for AWS.
    pub fn endpoint_url(&self) -> Option<String> {
        let endpoint = self.endpoint.trim().trim_end_matches('/');
        if endpoint.is_empty() {
            None
        } else if endpoint.contains("://") {
            Some(endpoint.to_owned())
        } else {
            Some(format!("https://{endpoint}"))
        }
    }

    /// The region that requests are signed for.
    pub fn signing_region(&self) -> &str {
        match self.region.trim() {
            "" => DEFAULT_REGION,
            region => region,
        }
    }

    /// Whether the store is AWS itself.
    pub fn is_aws(&self) -> bool {
        self.endpoint_url().is_none_or(|url| {
            let host = advice::host_of(&url);
            host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
        })
    }

    /// Whether the bucket stands in the path of a request.
    pub fn uses_path_style(&self) -> bool {
        self.path_style.unwrap_or_else(|| !self.is_aws())
    }

    /// What is written before every key: empty, or ending in one slash.
    pub fn key_prefix(&self) -> String {
        match self.prefix.trim().trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }
}

impl StoragePolicy {
    /// The word in storage and in JSON: `s3` or `on_prem`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::S3(_) => "s3",
            Self::OnPrem(_) => "on_prem",
        }
    }

    /// The place in words: `S3, longhaul-archive, prod/` or `On-premises, /srv/archive`.
    pub fn place(&self) -> String {
        match self {
            Self::S3(s3) => {
                let prefix = s3.key_prefix();
                let gap = if prefix.is_empty() { "" } else { ", " };
                format!("S3, {}{gap}{prefix}", s3.bucket)
            }
            Self::OnPrem(folder) => format!("On-premises, {}", folder.path),
        }
    }

    /// What is wrong with it: the field as it is named in JSON, and what to change. Empty when nothing is.
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::S3(s3) => advice::s3(s3),
            Self::OnPrem(folder) => advice::on_prem(folder),
        }
    }

    /// The same with [`MASK`] in place of each secret that it has.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut masked = self.clone();
        if let Self::S3(s3) = &mut masked {
            s3.secret_key = s3.secret_key.masked();
            s3.session_token = s3.session_token.masked();
        }
        masked
    }

    /// Takes those secrets from `before` that came back as [`MASK`], as a form that showed them does.
    #[must_use]
    pub fn with_secrets_of(mut self, before: Option<&Self>) -> Self {
        if let Self::S3(s3) = &mut self {
            let none = S3Policy::default();
            let old = match before {
                Some(Self::S3(old)) => old,
                _ => &none,
            };
            s3.secret_key.keep(&old.secret_key);
            s3.session_token.keep(&old.session_token);
        }
        self
    }

    /// The settings without secrets, and the secrets apart when there are any. [`join`](Self::join) is the way back.
    pub fn split(&self) -> (Value, Option<Value>) {
        let mut settings = serde_json::to_value(self).unwrap_or_default();
        let Self::S3(s3) = self else {
            return (settings, None);
        };
        let mut secrets = Map::new();
        let fields = settings.get_mut("s3").and_then(Value::as_object_mut);
        if let Some(fields) = fields {
            for (name, secret) in [
                ("secret_key", &s3.secret_key),
                ("session_token", &s3.session_token),
            ] {
                fields.remove(name);
                if !secret.is_empty() {
                    secrets.insert(name.to_owned(), Value::from(secret.expose()));
                }
            }
        }
        let secrets = (!secrets.is_empty()).then_some(Value::Object(secrets));
        (settings, secrets)
    }

    /// Puts together what [`split`](Self::split) took apart.
    pub fn join(mut settings: Value, secrets: Option<Value>) -> Result<Self, serde_json::Error> {
        let fields = settings.get_mut("s3").and_then(Value::as_object_mut);
        if let (Some(fields), Some(Value::Object(secrets))) = (fields, secrets) {
            fields.extend(secrets);
        }
        serde_json::from_value(settings)
    }
}

/// The JSON of a policy. The half that `type` does not name may stand there too, as in the documented example.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3: Option<S3Policy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_prem: Option<OnPremPolicy>,
}

impl Serialize for StoragePolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = Written {
            kind: self.kind().to_owned(),
            ..Written::default()
        };
        match self {
            Self::S3(s3) => written.s3 = Some(s3.clone()),
            Self::OnPrem(folder) => written.on_prem = Some(folder.clone()),
        }
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoragePolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        match written.kind.trim() {
            "s3" => Ok(Self::S3(written.s3.unwrap_or_default())),
            "on_prem" => Ok(Self::OnPrem(written.on_prem.unwrap_or_default())),
            other => Err(serde::de::Error::custom(format!(
                "`type` is `{other}`, write `s3` or `on_prem`"
            ))),
        }
    }
}
