//! Every key of the configuration and what kind of value it takes.

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown.
    Secret,
    /// An address whose password is never shown.
    SecretUrl,
    /// An http or https address.
    WebUrl,
    /// The address of a machine.
    Address,
    /// A whole number between the two.
    Number(u64, u64),
    /// True or false.
    Flag,
    /// A length of time between the two, in milliseconds.
    Length(u64, u64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of addresses and ranges.
    Networks,
    /// A list of texts.
    Texts,
    /// A time of the day in UTC, hours and minutes.
    TimeOfDay,
}

impl Kind {
    pub(super) fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::SecretUrl)
    }
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// Section and name: `server.port`.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
}

impl Key {
    /// The variable that sets it: `LONGHAUL_SERVER_PORT`.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.replace('.', "_").to_ascii_uppercase())
    }
}

/// Start of the product's own variables.
pub(super) const PREFIX: &str = "LONGHAUL_";

/// Variables with the product's prefix that are no settings: they steer scripts and tests, name the
/// file, or stand for a flag of one command.
pub(super) const NOT_SETTINGS: [&str; 9] = [
    "LONGHAUL_BIN",
    "LONGHAUL_BOOTSTRAP_PASSWORD",
    "LONGHAUL_CHROMIUM",
    "LONGHAUL_CONFIG",
    "LONGHAUL_DEV_DIR",
    "LONGHAUL_DEV_FSYNC",
    "LONGHAUL_END2END_SITE",
    "LONGHAUL_MIGRATE",
    "LONGHAUL_PYTHON",
];

/// Features that can be turned on.
pub(super) const FEATURES: [&str; 1] = ["retention-policy"];

/// Features of the replaced gateway that need no turning on, or do not exist here.
pub(super) const FOREIGN_FEATURES: [&str; 11] = [
    "basic-auth-endpoint",
    "circuit-breaker",
    "credential-encryption",
    "endpoint-url-templates",
    "full-text-search",
    "ip-rules",
    "mtls",
    "oauth-token-exchange",
    "postgres-queue",
    "prometheus",
    "read-replicas",
];

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
const MAX_COUNT: u64 = 1_000_000_000;

/// Most rows of one archive object.
const MAX_SEGMENT_ROWS: u64 = 1_000_000;
const GIB: u64 = 1_024 * 1_024 * 1_024;

const fn key(path: &'static str, kind: Kind) -> Key {
    Key { path, kind }
}

/// All keys, in the order in which they are shown.
pub(super) const KEYS: [Key; 69] = [
    key("features", Kind::Texts),
    key("server.bind", Kind::Address),
    key("server.port", Kind::Number(1, 65_535)),
    key("server.public_url", Kind::WebUrl),
    key("server.root_path", Kind::Text),
    key("server.trusted_proxies", Kind::Networks),
    key("database.url", Kind::SecretUrl),
    key("database.host", Kind::Text),
    key("database.port", Kind::Number(1, 65_535)),
    key("database.username", Kind::Text),
    key("database.password", Kind::Secret),
    key("database.name", Kind::Text),
    key("database.options", Kind::Text),
    key("database.max_connections", Kind::Number(2, 10_000)),
    key("database.acquire_timeout", Kind::Length(10, HOUR)),
    key("redis.url", Kind::SecretUrl),
    key("redis.scheme", Kind::Choice(&["redis", "rediss"])),
    key("redis.host", Kind::Text),
    key("redis.port", Kind::Number(1, 65_535)),
    key("redis.username", Kind::Text),
    key("redis.password", Kind::Secret),
    key("redis.database", Kind::Number(0, 65_535)),
    key(
        "log.level",
        Kind::Choice(&["trace", "debug", "info", "warn", "error"]),
    ),
    key("log.format", Kind::Choice(&["text", "json"])),
    key("queue.max_len", Kind::Number(1_000, MAX_COUNT)),
    key("queue.visibility_timeout", Kind::Length(SECOND, DAY)),
    key("queue.max_in_flight", Kind::Number(1, 1_000_000)),
    key("queue.dead_max", Kind::Number(0, MAX_COUNT)),
    key("ingest.durability", Kind::Choice(&["redis", "postgres"])),
    key("ingest.wait_replicas", Kind::Number(0, 100)),
    key("ingest.wait_timeout", Kind::Length(1, 60 * SECOND)),
    key("ingest.max_payload_bytes", Kind::Number(1, 100 * 1_024 * 1_024)),
    key("delivery.allow_addresses", Kind::Networks),
    key("delivery.deny_addresses", Kind::Networks),
    key("delivery.timeout", Kind::Length(100, HOUR)),
    key(
        "delivery.max_response_bytes",
        Kind::Number(0, 100 * 1_024 * 1_024),
    ),
    key("delivery.concurrency", Kind::Number(1, 1_000_000)),
    key("delivery.endpoint_concurrency", Kind::Number(1, 1_000_000)),
    key("delivery.max_retry_seconds", Kind::Number(1, 30 * 86_400)),
    key("delivery.user_agent", Kind::Text),
    key("security.encryption_key", Kind::Secret),
    key("security.session_lifetime", Kind::Length(60 * SECOND, 366 * DAY)),
    key("security.cookie_secure", Kind::Flag),
    key("security.signin_attempts", Kind::Number(1, 10_000)),
    key("security.signin_window", Kind::Length(SECOND, DAY)),
    key("partitions.days_ahead", Kind::Number(1, 366)),
    key("retention.enabled", Kind::Flag),
    key("retention.period", Kind::Length(DAY, 3_650 * DAY)),
    key("retention.deletion_at", Kind::TimeOfDay),
    key("backup.at", Kind::TimeOfDay),
    key("storage.type", Kind::Choice(&["s3", "on_prem"])),
    key("storage.s3.bucket", Kind::Text),
    key("storage.s3.prefix", Kind::Text),
    key("storage.s3.region", Kind::Text),
    key("storage.s3.endpoint", Kind::Text),
    key("storage.s3.tls", Kind::Flag),
    key("storage.s3.path_style", Kind::Flag),
    key("storage.s3.access_key", Kind::Text),
    key("storage.s3.secret_key", Kind::Secret),
    key("storage.s3.session_token", Kind::Secret),
    key("storage.s3.sse", Kind::Choice(&["none", "AES256", "aws:kms"])),
    key("storage.s3.kms_key_id", Kind::Text),
    key("storage.on_prem.path", Kind::Text),
    key("archive.segment_rows", Kind::Number(1, MAX_SEGMENT_ROWS)),
    key("archive.cache_bytes", Kind::Number(0, 64 * GIB)),
    key("archive.read_concurrency", Kind::Number(1, 1_000)),
    key("archive.read_budget_bytes", Kind::Number(1_024 * 1_024, 64 * GIB)),
    key("shutdown.grace", Kind::Length(0, HOUR)),
    key("dev.clock", Kind::Flag),
];

/// The key at `path`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The candidate that looks most like `name`, when one is near enough to be a slip.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.len() / 4).clamp(2, 5);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}
