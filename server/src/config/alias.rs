//! Other names for keys: the documented variables and file keys of the systems that Longhaul
//! replaces, and the ones it knows but has no use for.

/// How the text of an alias becomes the text of its key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// It is the same.
    Same,
    /// A host whose scheme may be missing.
    Host,
    /// Address and port, of which the address counts.
    Address,
    /// Address and port, of which the port counts.
    Port,
    /// A number; 0 means not set.
    ZeroIsUnset,
    /// Kilobytes, where the key takes bytes.
    Kilobytes,
    /// A level of the log; `fatal` exists.
    Level,
    /// A type of storage; `on-prem` is another spelling.
    StorageType,
}

/// Another name for a key.
#[derive(Debug)]
pub(super) struct Alias {
    /// The variable.
    pub(super) variable: Option<&'static str>,
    /// The path in a file.
    pub(super) path: Option<&'static str>,
    /// The key it sets.
    pub(super) key: &'static str,
    /// What the text means under this name.
    pub(super) meaning: Meaning,
}

const fn alias(variable: &'static str, path: &'static str, key: &'static str) -> Alias {
    Alias {
        variable: Some(variable),
        path: Some(path),
        key,
        meaning: Meaning::Same,
    }
}

const fn converted(variable: &'static str, path: &'static str, key: &'static str, meaning: Meaning) -> Alias {
    Alias {
        variable: Some(variable),
        path: Some(path),
        key,
        meaning,
    }
}

const fn variable(variable: &'static str, key: &'static str) -> Alias {
    Alias {
        variable: Some(variable),
        path: None,
        key,
        meaning: Meaning::Same,
    }
}

/// Every alias. One variable may set two keys, and one key may have several names.
pub(super) const ALIASES: [Alias; 41] = [
    alias("CONVOY_ENABLE_FEATURE_FLAG", "enable_feature_flag", "features"),
    alias("PORT", "server.http.port", "server.port"),
    converted("CONVOY_HOST", "host", "server.public_url", Meaning::Host),
    alias("CONVOY_ROOT_PATH", "root_path", "server.root_path"),
    // Set by cargo-leptos for the program that it serves.
    Alias {
        variable: Some("LEPTOS_SITE_ADDR"),
        path: None,
        key: "server.bind",
        meaning: Meaning::Address,
    },
    Alias {
        variable: Some("LEPTOS_SITE_ADDR"),
        path: None,
        key: "server.port",
        meaning: Meaning::Port,
    },
    variable("DATABASE_URL", "database.url"),
    alias("CONVOY_DB_DSN", "database.dsn", "database.url"),
    variable("CONVOY_DB_HOST", "database.host"),
    variable("CONVOY_DB_PORT", "database.port"),
    variable("CONVOY_DB_USERNAME", "database.username"),
    variable("CONVOY_DB_PASSWORD", "database.password"),
    alias("CONVOY_DB_DATABASE", "database.database", "database.name"),
    variable("CONVOY_DB_OPTIONS", "database.options"),
    converted(
        "CONVOY_DB_MAX_OPEN_CONN",
        "database.max_open_conn",
        "database.max_connections",
        Meaning::ZeroIsUnset,
    ),
    variable("REDIS_URL", "redis.url"),
    variable("CONVOY_REDIS_SCHEME", "redis.scheme"),
    variable("CONVOY_REDIS_HOST", "redis.host"),
    variable("CONVOY_REDIS_PORT", "redis.port"),
    variable("CONVOY_REDIS_USERNAME", "redis.username"),
    variable("CONVOY_REDIS_PASSWORD", "redis.password"),
    variable("CONVOY_REDIS_DATABASE", "redis.database"),
    converted("CONVOY_LOGGER_LEVEL", "logger.level", "log.level", Meaning::Level),
    alias(
        "CONVOY_CONSUMER_POOL_SIZE",
        "consumer_pool_size",
        "delivery.concurrency",
    ),
    converted(
        "CONVOY_MAX_RESPONSE_SIZE",
        "max_response_size",
        "delivery.max_response_bytes",
        Meaning::Kilobytes,
    ),
    converted(
        "CONVOY_MAX_RETRY_SECONDS",
        "max_retry_seconds",
        "delivery.max_retry_seconds",
        Meaning::ZeroIsUnset,
    ),
    alias(
        "CONVOY_DISPATCHER_ALLOW_LIST",
        "dispatcher.allow_list",
        "delivery.allow_addresses",
    ),
    alias(
        "CONVOY_DISPATCHER_BLOCK_LIST",
        "dispatcher.block_list",
        "delivery.deny_addresses",
    ),
    alias(
        "CONVOY_RETENTION_POLICY",
        "retention_policy.policy",
        "retention.period",
    ),
    alias(
        "CONVOY_RETENTION_POLICY_ENABLED",
        "retention_policy.enabled",
        "retention.enabled",
    ),
    converted(
        "CONVOY_STORAGE_POLICY_TYPE",
        "storage_policy.type",
        "storage.type",
        Meaning::StorageType,
    ),
    alias(
        "CONVOY_STORAGE_AWS_PREFIX",
        "storage_policy.s3.prefix",
        "storage.s3.prefix",
    ),
    alias(
        "CONVOY_STORAGE_AWS_BUCKET",
        "storage_policy.s3.bucket",
        "storage.s3.bucket",
    ),
    alias(
        "CONVOY_STORAGE_AWS_ACCESS_KEY",
        "storage_policy.s3.access_key",
        "storage.s3.access_key",
    ),
    alias(
        "CONVOY_STORAGE_AWS_SECRET_KEY",
        "storage_policy.s3.secret_key",
        "storage.s3.secret_key",
    ),
    alias(
        "CONVOY_STORAGE_AWS_REGION",
        "storage_policy.s3.region",
        "storage.s3.region",
    ),
    alias(
        "CONVOY_STORAGE_AWS_SESSION_TOKEN",
        "storage_policy.s3.session_token",
        "storage.s3.session_token",
    ),
    alias(
        "CONVOY_STORAGE_AWS_ENDPOINT",
        "storage_policy.s3.endpoint",
        "storage.s3.endpoint",
    ),
    alias(
        "CONVOY_STORAGE_PREM_PATH",
        "storage_policy.on_prem.path",
        "storage.on_prem.path",
    ),
    variable("STREAMS_ARCHIVE_SIZE", "archive.segment_rows"),
    // The short name of the one secret that every installation sets.
    variable("LONGHAUL_SECRET_KEY", "security.encryption_key"),
];

/// Variables of the archive of streams. Together they name a place in a store, so they count
/// together: with [`ARCHIVE_BUCKET`], and when nothing else says where to store.
pub(super) const ARCHIVE: [Alias; 9] = [
    variable(ARCHIVE_BUCKET, "storage.s3.bucket"),
    variable("S3_ENDPOINT", "storage.s3.endpoint"),
    variable("S3_SSL", "storage.s3.tls"),
    variable("S3_ACCESS_KEY", "storage.s3.access_key"),
    variable("S3_SECRET_KEY", "storage.s3.secret_key"),
    variable("S3_REGION", "storage.s3.region"),
    variable("S3_PATH_STYLE", "storage.s3.path_style"),
    variable("S3_SSE", "storage.s3.sse"),
    variable("S3_KMS_KEY_ID", "storage.s3.kms_key_id"),
];

/// The variable without which the others of [`ARCHIVE`] mean nothing.
pub(super) const ARCHIVE_BUCKET: &str = "S3_BUCKET";

/// The aliases that the variable `name` stands for.
pub(super) fn of_variable(name: &str) -> impl Iterator<Item = &'static Alias> {
    ALIASES.iter().filter(move |alias| alias.variable == Some(name))
}

/// The alias at `path` in a file.
pub(super) fn of_path(path: &str) -> Option<&'static Alias> {
    ALIASES.iter().find(|alias| alias.path == Some(path))
}

impl Meaning {
    /// The text of the key; `Ok(None)` means not set.
    ///
    /// # Errors
    /// What the text must be.
    pub(super) fn apply(self, text: &str) -> Result<Option<String>, &'static str> {
        let text = text.trim();
        Ok(Some(match self {
            Self::Host => with_scheme(text),
            Self::Address => socket(text)?.ip().to_string(),
            Self::Port => socket(text)?.port().to_string(),
            Self::ZeroIsUnset if text == "0" => return Ok(None),
            Self::Kilobytes => {
                let kilobytes: u64 = text.parse().map_err(|_| "must be a whole number of kilobytes")?;
                kilobytes.saturating_mul(1_024).to_string()
            }
            Self::Level if text.eq_ignore_ascii_case("fatal") => "error".to_owned(),
            Self::StorageType if text.eq_ignore_ascii_case("on-prem") => "on_prem".to_owned(),
            Self::Same | Self::ZeroIsUnset | Self::Level | Self::StorageType => text.to_owned(),
        }))
    }
}

fn with_scheme(host: &str) -> String {
    if host.contains("://") {
        return host.to_owned();
    }
    let name = host.split(':').next().unwrap_or(host);
    let scheme = if name == "localhost" || name == "127.0.0.1" {
        "http"
    } else {
        "https"
    };
    format!("{scheme}://{host}")
}

fn socket(address: &str) -> Result<std::net::SocketAddr, &'static str> {
    address
        .parse()
        .map_err(|_| "must be an address with a port, such as 127.0.0.1:5005")
}

/// Documented variables that this version knows and does not use. An entry that ends in `_` stands
/// for all names that start with it.
const UNUSED_VARIABLES: [&str; 70] = [
    "AGENT_PORT",
    "CONVOY_ANALYTICS_ENABLED",
    "CONVOY_API_KEY_CONFIG",
    "CONVOY_API_RATE_LIMIT",
    "CONVOY_API_VERSION",
    "CONVOY_BACKUP_INTERVAL",
    "CONVOY_BASIC_AUTH_CONFIG",
    "CONVOY_BILLING_",
    "CONVOY_CDC_BACKUP_ENABLED",
    "CONVOY_CIRCUIT_BREAKER_",
    "CONVOY_CUSTOM_DOMAIN_SUFFIX",
    "CONVOY_DATADOG_AGENT_URL",
    "CONVOY_DB_CONN_MAX_LIFETIME",
    "CONVOY_DB_MAX_IDLE_CONN",
    "CONVOY_DB_READ_REPLICAS",
    "CONVOY_DB_SCHEME",
    "CONVOY_DB_TYPE",
    "CONVOY_DISPATCHER_CACERT_PATH",
    "CONVOY_DISPATCHER_CACERT_STRING",
    "CONVOY_DISPATCHER_INSECURE_SKIP_VERIFY",
    "CONVOY_DISPATCHER_PING_METHODS",
    "CONVOY_DISPATCHER_SKIP_PING_VALIDATION",
    "CONVOY_ENABLE_PROFILING",
    "CONVOY_ENABLE_PYROSCOPE_PROFILING",
    "CONVOY_ENV",
    "CONVOY_GOOGLE_OAUTH_",
    "CONVOY_HCP_",
    "CONVOY_INGEST_RATE",
    "CONVOY_INSTANCE_INGEST_RATE",
    "CONVOY_JWT_EXPIRY",
    "CONVOY_JWT_REALM_ENABLED",
    "CONVOY_JWT_REFRESH_EXPIRY",
    "CONVOY_JWT_REFRESH_SECRET",
    "CONVOY_JWT_SECRET",
    "CONVOY_LICENSE_",
    "CONVOY_METRICS_",
    "CONVOY_NATIVE_REALM_ENABLED",
    "CONVOY_OTEL_",
    "CONVOY_PAYMENT_PROVIDER_",
    "CONVOY_PORTAL_REALM_ENABLED",
    "CONVOY_POSTGRES_CACHE_",
    "CONVOY_POSTGRES_QUEUE_",
    "CONVOY_PROM_DSN",
    "CONVOY_PYROSCOPE_",
    "CONVOY_QUEUE_PROVIDER",
    "CONVOY_READ_REPLICA_DSN",
    "CONVOY_REDIS_ADDRESSES",
    "CONVOY_REDIS_CLUSTER_ADDRESSES",
    "CONVOY_REDIS_SENTINEL_",
    "CONVOY_REDIS_TLS_",
    "CONVOY_REPLICATION_DSN",
    "CONVOY_SENTRY_",
    "CONVOY_SIGNUP_ENABLED",
    "CONVOY_SMTP_",
    "CONVOY_SSL_CERT_FILE",
    "CONVOY_SSL_KEY_FILE",
    "CONVOY_SSO_",
    "CONVOY_STORAGE_AZURE_",
    "CONVOY_TRACER_PROVIDER",
    "CONVOY_VERIFY_DYNAMIC_EVENTS_TIMEOUT",
    "CONVOY_WORKER_EXECUTION_MODE",
    "DOMAIN_PORT",
    "INGEST_PORT",
    "PACT_BROKER_DATABASE_CLEAN_",
    "S3_STORAGE_CLASS",
    "SOCKET_PORT",
    "STREAMS_ARCHIVE",
    "STREAMS_ARCHIVE_INTERVAL_SECONDS",
    "STREAMS_ARCHIVE_OLDER_THAN_DAYS",
    "WORKER_PORT",
];

/// Documented paths of files that this version knows and does not use. A name without a dot stands
/// for everything below it as well.
const UNUSED_PATHS: [&str; 46] = [
    "analytics",
    "api_rate_limit",
    "api_version",
    "auth",
    "billing",
    "circuit_breaker",
    "custom_domain_suffix",
    "database.conn_max_lifetime",
    "database.max_idle_conn",
    "database.read_replicas",
    "database.scheme",
    "database.type",
    "dispatcher.ca_cert_path",
    "dispatcher.ca_cert_string",
    "dispatcher.insecure_skip_verify",
    "dispatcher.ping_methods",
    "dispatcher.skip_ping_validation",
    "enable_profiling",
    "env",
    "hcp_vault",
    "instance_ingest_rate",
    "license_key",
    "license_service",
    "metrics",
    "pyroscope",
    "queue_provider",
    "redis.addresses",
    "redis.master_name",
    "redis.sentinel_password",
    "redis.sentinel_username",
    "redis.tls_ca_cert_file",
    "redis.tls_cert_file",
    "redis.tls_key_file",
    "redis.tls_skip_verify",
    "retention_policy.backup_interval",
    "retention_policy.cdc_backup_enabled",
    "retention_policy.replication_dsn",
    "server.http.agent_port",
    "server.http.ingest_port",
    "server.http.ssl",
    "server.http.worker_port",
    "smtp",
    "storage_policy.azure_blob",
    "tracer",
    "verify_dynamic_events_timeout",
    "worker_execution_mode",
];

/// Whether the variable `name` is documented but not used.
pub(super) fn is_unused_variable(name: &str) -> bool {
    UNUSED_VARIABLES
        .iter()
        .any(|known| match known.strip_suffix('_') {
            Some(_) => name.starts_with(known),
            None => name == *known,
        })
}

/// Whether the path `path` of a file is documented but not used.
pub(super) fn is_unused_path(path: &str) -> bool {
    UNUSED_PATHS.iter().any(|known| {
        path.strip_prefix(known)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
