//! Limits and switches that use cases obey. Filled by the binary from its configuration.

use std::time::Duration;

use chrono::NaiveTime;
use domain::storage::StoragePolicy;

/// Limits and switches of all use cases.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the instance as people and receivers see it, without a trailing slash.
    pub public_url: String,
    /// Accepting events.
    pub ingest: IngestOptions,
    /// Sending deliveries.
    pub delivery: DeliveryOptions,
    /// Keeping partitions ahead.
    pub partitions: PartitionOptions,
    /// Keeping, copying and deleting days.
    pub lifecycle: LifecycleOptions,
    /// Objects of the archive, and reading them.
    pub archive: ArchiveOptions,
    /// Where copies lie, when the configuration says so; the page cannot change it then.
    pub storage: Option<StoragePolicy>,
    /// Signing in.
    pub sign_in: SignInOptions,
}

/// What a 201 promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Redis confirmed the write (PostgreSQL when Redis is away).
    Redis,
    /// PostgreSQL committed the event.
    Postgres,
}

/// Accepting events.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// What a 201 promises.
    pub durability: Durability,
    /// Largest payload in bytes that any project takes.
    pub max_payload_bytes: u32,
}

/// Sending deliveries.
#[derive(Clone, Debug)]
pub struct DeliveryOptions {
    /// Networks that may be sent to although they are not public, as CIDR.
    pub allow_addresses: Vec<String>,
    /// Networks that must not be sent to although they are public, as CIDR.
    pub deny_addresses: Vec<String>,
    /// Limit for one attempt of an endpoint that names none.
    pub timeout: Duration,
    /// Most bytes read of an answer.
    pub max_response_bytes: u32,
    /// Attempts under way to one endpoint in one process.
    pub endpoint_concurrency: u32,
    /// Attempts under way in one process.
    pub concurrency: u32,
    /// Longest wait between two attempts of an exponential schedule, in seconds.
    pub max_retry_seconds: u32,
    /// `User-Agent` of deliveries.
    pub user_agent: String,
    /// How long a worker waits for first attempts before it writes an event as in flight.
    pub first_attempt_grace: Duration,
}

/// Keeping partitions ahead.
#[derive(Clone, Debug)]
pub struct PartitionOptions {
    /// Days for which leaves exist before they begin.
    pub days_ahead: u16,
}

/// Keeping, copying and deleting days.
#[derive(Clone, Debug)]
pub struct LifecycleOptions {
    /// Whether the configuration turns the feature `retention-policy` on: nothing is deleted
    /// without it. A page may turn it on as well.
    pub retention_policy: bool,
    /// Whether new projects delete what is over.
    pub retention_on: bool,
    /// For how many days new projects keep their events.
    pub retention_days: u16,
    /// When the day that ended is copied, in UTC.
    pub backup_at: NaiveTime,
    /// When days that are over leave, in UTC.
    pub deletion_at: NaiveTime,
}

/// Objects of the archive, and reading them.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveOptions {
    /// Most rows of one object.
    pub segment_rows: u32,
    /// Memory of one process for parts of objects that were read lately, in bytes.
    pub cache_bytes: u64,
    /// Most requests of one process to the stores at once, for reading.
    pub read_concurrency: usize,
    /// Most bytes that one page of a list may fetch from the stores.
    pub read_budget_bytes: u64,
}

/// Signing in.
#[derive(Clone, Debug)]
pub struct SignInOptions {
    /// How long a session lives without use.
    pub session_idle: Duration,
    /// Failed sign-ins of one account or address before further ones wait.
    pub failures_allowed: u32,
    /// How long they wait.
    pub failure_window: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: "http://localhost:5005".to_owned(),
            ingest: IngestOptions {
                durability: Durability::Redis,
                max_payload_bytes: 5 * 1024 * 1024,
            },
            delivery: DeliveryOptions {
                allow_addresses: Vec::new(),
                deny_addresses: Vec::new(),
                timeout: Duration::from_secs(10),
                max_response_bytes: 50 * 1024,
                endpoint_concurrency: 64,
                concurrency: 1024,
                max_retry_seconds: 7200,
                user_agent: concat!("Longhaul/", env!("CARGO_PKG_VERSION")).to_owned(),
                first_attempt_grace: Duration::from_millis(20),
            },
            partitions: PartitionOptions { days_ahead: 14 },
            lifecycle: LifecycleOptions {
                retention_policy: false,
                retention_on: false,
                retention_days: 30,
                backup_at: quarter_past(0),
                deletion_at: quarter_past(2),
            },
            archive: ArchiveOptions {
                segment_rows: 100_000,
                cache_bytes: 128 * 1024 * 1024,
                read_concurrency: 16,
                read_budget_bytes: 64 * 1024 * 1024,
            },
            storage: None,
            sign_in: SignInOptions {
                session_idle: Duration::from_hours(7 * 24),
                failures_allowed: 10,
                failure_window: Duration::from_mins(15),
            },
        }
    }
}

/// A quarter past a full hour.
fn quarter_past(hour: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, 15, 0).unwrap_or(NaiveTime::MIN)
}
