//! What a project is and how it is configured.
//!
//! The JSON keys of [`ProjectConfig`] are those of the gateway that Longhaul replaces, so that
//! its SDKs and exported settings keep working.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which way a project's events travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectKind {
    /// Events come by API and go to endpoints of customers.
    Outgoing,
    /// Events come from providers by HTTP ingest.
    Incoming,
}

impl ProjectKind {
    /// The name in storage and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
        }
    }

    /// The kind called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "outgoing" => Some(Self::Outgoing),
            "incoming" => Some(Self::Incoming),
            _ => None,
        }
    }
}

/// Settings of one project. Absent keys take their default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectConfig {
    /// Largest accepted payload in bytes; 0 means the instance's limit.
    pub max_payload_read_size: u32,
    /// Whether receivers get the ids of event and delivery as headers.
    pub add_event_id_trace_headers: bool,
    /// Whether an endpoint is switched off once a delivery to it has used up its attempts.
    pub disable_endpoint: bool,
    /// Whether one endpoint may have several subscriptions.
    pub multiple_endpoint_subscriptions: bool,
    /// Whether payloads are indexed for text search, and for how long (`720h`); empty means not.
    pub search_policy: String,
    /// Transport rules for endpoint addresses.
    pub ssl: SslConfig,
    /// Limit that endpoints without one of their own get.
    pub ratelimit: RateLimitConfig,
    /// When and how often a failed delivery is tried again.
    pub strategy: StrategyConfig,
    /// How deliveries are signed.
    pub signature: SignatureConfig,
    /// Header that carries the idempotency key to receivers.
    pub request_id_header: String,
}

impl Default for ProjectConfig {
    fn default() -> Self {
        Self {
            max_payload_read_size: 0,
            add_event_id_trace_headers: false,
            disable_endpoint: false,
            multiple_endpoint_subscriptions: false,
            search_policy: String::new(),
            ssl: SslConfig::default(),
            ratelimit: RateLimitConfig::default(),
            strategy: StrategyConfig::default(),
            signature: SignatureConfig::default(),
            request_id_header: "X-Convoy-Idempotency-Key".to_owned(),
        }
    }
}

/// Transport rules for endpoint addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SslConfig {
    /// Refuse `http` endpoint addresses.
    pub enforce_secure_endpoints: bool,
}

/// So many deliveries in so many seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RateLimitConfig {
    /// Deliveries in one window; 0 means no limit.
    pub count: u32,
    /// Length of the window in seconds.
    pub duration: u32,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self { count: 0, duration: 60 }
    }
}

/// The shape of a retry schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// The same wait every time.
    #[default]
    Linear,
    /// The wait doubles, up to the instance's limit.
    Exponential,
    /// The waits of `intervals`, one after the other.
    List,
}

/// When and how often a failed delivery is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StrategyConfig {
    /// The shape of the schedule.
    #[serde(rename = "type")]
    pub kind: StrategyKind,
    /// Seconds between attempts (linear), or before the second attempt (exponential).
    pub duration: u32,
    /// Attempts in all, the first one included.
    pub retry_count: u32,
    /// Seconds before each further attempt, for the kind `list`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<u32>,
}

impl Default for StrategyConfig {
    fn default() -> Self {
        Self { kind: StrategyKind::Linear, duration: 100, retry_count: 10, intervals: Vec::new() }
    }
}

/// How deliveries are signed in Convoy's format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignatureConfig {
    /// Name of the header.
    pub header: String,
    /// Versions offered to receivers, oldest first; the last one is used in simple mode.
    pub versions: Vec<SignatureVersion>,
}

impl Default for SignatureConfig {
    fn default() -> Self {
        Self { header: "X-Convoy-Signature".to_owned(), versions: vec![SignatureVersion::default()] }
    }
}

/// One way to compute the digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignatureVersion {
    /// Names the version in settings.
    pub uid: Uuid,
    /// Hash function.
    pub hash: HashKind,
    /// Text form of the digest.
    pub encoding: DigestEncoding,
    /// When the version was added.
    pub created_at: DateTime<Utc>,
}

/// Hash functions of signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashKind {
    /// SHA-256.
    #[default]
    #[serde(rename = "SHA256", alias = "sha256")]
    Sha256,
    /// SHA-512.
    #[serde(rename = "SHA512", alias = "sha512")]
    Sha512,
}

/// Text forms of a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestEncoding {
    /// Lower-case hexadecimal.
    #[default]
    Hex,
    /// Standard padded base64.
    Base64,
}
