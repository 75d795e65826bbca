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
#[expect(
    clippy::struct_excessive_bools,
    reason = "the keys are those of the gateway that is replaced"
)]
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
    /// Kept for settings that come from elsewhere; without effect.
    pub replay_attacks_prevention_enabled: bool,
    /// Whether events to addresses named in the event wait for those to be proven. Without effect
    /// until such events are taken.
    pub verify_dynamic_events: bool,
    /// Whether events may name addresses that fit no endpoint. Without effect until such events are
    /// taken.
    pub allow_unmatched_dynamic_urls: bool,
    /// Events about the project itself. Without effect until they are sent.
    pub meta_event: MetaEventConfig,
    /// When an endpoint that keeps failing is left alone. Without effect until there is a breaker.
    pub circuit_breaker: CircuitBreakerConfig,
    /// Where payloads say whom they are about, as a JSON pointer such as `/customer/id`; empty means
    /// nowhere. Erasures by subject look there.
    pub subject_pointer: String,
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
            replay_attacks_prevention_enabled: false,
            verify_dynamic_events: false,
            allow_unmatched_dynamic_urls: false,
            meta_event: MetaEventConfig::default(),
            circuit_breaker: CircuitBreakerConfig::default(),
            subject_pointer: String::new(),
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
        Self {
            count: 0,
            duration: 60,
        }
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
        Self {
            kind: StrategyKind::Linear,
            duration: 100,
            retry_count: 10,
            intervals: Vec::new(),
        }
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
        Self {
            header: "X-Convoy-Signature".to_owned(),
            versions: vec![SignatureVersion::default()],
        }
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

/// Events about the project itself, sent to an address of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetaEventConfig {
    /// Whether they are sent.
    pub is_enabled: bool,
    /// How they are sent: `http`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which of them are sent: `endpoint.created` and the like.
    pub event_type: Vec<String>,
    /// Where they are sent.
    pub url: String,
    /// What they are signed with: encrypted in storage, masked on the wire.
    pub secret: String,
}

impl Default for MetaEventConfig {
    fn default() -> Self {
        Self {
            is_enabled: false,
            kind: "http".to_owned(),
            event_type: Vec::new(),
            url: String::new(),
            secret: String::new(),
        }
    }
}

/// When an endpoint that keeps failing is left alone, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CircuitBreakerConfig {
    /// Seconds between two looks at the figures.
    pub sample_rate: u32,
    /// Seconds for which a failing endpoint is left alone.
    pub error_timeout: u32,
    /// Per cent of failures from which an endpoint is left alone.
    pub failure_threshold: u32,
    /// Successes in a row after which it is trusted again.
    pub success_threshold: u32,
    /// Deliveries below which the figures mean nothing.
    pub minimum_request_count: u32,
    /// Minutes that the figures look back.
    pub observability_window: u32,
    /// Times in a row that an endpoint is left alone before it is switched off.
    pub consecutive_failure_threshold: u32,
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        Self {
            sample_rate: 30,
            error_timeout: 30,
            failure_threshold: 70,
            success_threshold: 5,
            minimum_request_count: 10,
            observability_window: 5,
            consecutive_failure_threshold: 10,
        }
    }
}
