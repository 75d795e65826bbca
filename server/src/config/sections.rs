//! The sections of the configuration, one type each.
//!
//! Defaults and the full text of the manual are in `longhaul.default.toml`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ssrf::AddressPolicy;
use ipnet::IpNet;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

/// Where to listen and how this instance is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address to listen on.
    pub bind: IpAddr,
    /// Port to listen on.
    pub port: u16,
    /// Where browsers and senders reach this instance, when it was said.
    pub public_url: Option<Url>,
    /// Path that a proxy puts before every route; empty or `/something`.
    pub root_path: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl ServerConfig {
    /// Address and port to listen on.
    pub fn listen_address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }

    /// Where browsers and senders reach this instance, root path included, without a slash at its end.
    pub fn public_base(&self) -> String {
        match &self.public_url {
            Some(url) => format!("{}{}", url.as_str().trim_end_matches('/'), self.root_path),
            None => format!("http://localhost:{}{}", self.port, self.root_path),
        }
    }

    fn is_https(&self) -> bool {
        self.public_url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https")
    }
}

/// PostgreSQL.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Whole address; wins over the parts.
    pub url: Option<SecretString>,
    /// Name of the machine, or folder of a socket.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Option<SecretString>,
    /// Name of the database.
    pub name: String,
    /// Further options as in an address.
    pub options: String,
    /// Most connections of one process.
    pub max_connections: u32,
    /// Longest wait for a free connection.
    #[serde(with = "domain::duration::text")]
    pub acquire_timeout: Duration,
}

impl DatabaseConfig {
    /// The address to connect to, put together from its parts unless it was given whole.
    pub fn connection_url(&self) -> SecretString {
        if let Some(url) = &self.url {
            return url.clone();
        }
        let user = user_part(Some(&self.username), self.password.as_ref());
        let name = encoded(&self.name);
        let (host, socket) = if self.host.starts_with('/') {
            ("localhost".to_owned(), format!("host={}", encoded(&self.host)))
        } else {
            (host_part(&self.host), String::new())
        };
        let options: Vec<_> = [self.options.trim_start_matches('?'), &socket]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        let query = if options.is_empty() {
            String::new()
        } else {
            format!("?{}", options.join("&"))
        };
        format!("postgres://{user}{host}:{}/{name}{query}", self.port).into()
    }
}

/// How to talk to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedisScheme {
    /// In clear.
    Redis,
    /// Over TLS.
    Rediss,
}

/// Redis.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// Whole address; wins over the parts.
    pub url: Option<SecretString>,
    /// How to talk to it.
    pub scheme: RedisScheme,
    /// Name of the machine.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<SecretString>,
    /// Number of the database.
    pub database: u32,
}

impl RedisConfig {
    /// The address to connect to, put together from its parts unless it was given whole.
    pub fn connection_url(&self) -> SecretString {
        if let Some(url) = &self.url {
            return url.clone();
        }
        let scheme = match self.scheme {
            RedisScheme::Redis => "redis",
            RedisScheme::Rediss => "rediss",
        };
        let user = user_part(self.username.as_deref(), self.password.as_ref());
        format!(
            "{scheme}://{user}{}:{}/{}",
            host_part(&self.host),
            self.port,
            self.database
        )
        .into()
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// `name:password@` of an address, or nothing.
fn user_part(name: Option<&str>, password: Option<&SecretString>) -> String {
    let name = encoded(name.unwrap_or_default());
    match password {
        Some(password) => format!("{name}:{}@", encoded(password.expose_secret())),
        None if name.is_empty() => String::new(),
        None => format!("{name}@"),
    }
}

fn host_part(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// What helps to find a mistake.
    Debug,
    /// What happens.
    Info,
    /// What is odd.
    Warn,
    /// What went wrong.
    Error,
}

impl LogLevel {
    /// The name that log filters know it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// How much is logged.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// Queues in Redis.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueConfig {
    /// Most entries of one queue.
    pub max_len: u64,
    /// After this time without an answer an entry is given to another worker.
    #[serde(with = "domain::duration::text")]
    pub visibility_timeout: Duration,
    /// Most entries that one worker process holds at once, of all queues together.
    pub max_in_flight: usize,
    /// Most dead entries that are kept.
    pub dead_max: u64,
}

/// What a 201 waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The event is in the queue.
    Redis,
    /// The event is committed.
    Postgres,
}

/// Accepting events.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestConfig {
    /// What a 201 waits for.
    pub durability: Durability,
    /// How many replicas of Redis must confirm an event.
    pub wait_replicas: u32,
    /// How long to wait for them.
    #[serde(with = "domain::duration::text")]
    pub wait_timeout: Duration,
    /// Largest accepted payload in bytes.
    pub max_payload_bytes: usize,
}

/// Delivering events.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryConfig {
    /// Ranges that may be delivered to although they are not public.
    pub allow_addresses: Vec<IpNet>,
    /// Ranges that are refused in any case.
    pub deny_addresses: Vec<IpNet>,
    /// Longest time of one attempt, unless its endpoint says otherwise.
    #[serde(with = "domain::duration::text")]
    pub timeout: Duration,
    /// How much of an answer is read and kept, in bytes.
    pub max_response_bytes: usize,
    /// Most attempts at once of one process.
    pub concurrency: usize,
    /// Most attempts at once to one endpoint.
    pub endpoint_concurrency: usize,
    /// Longest exponential wait, in seconds.
    pub max_retry_seconds: u32,
    /// What endpoints are told who is calling; `{version}` not yet replaced.
    pub user_agent: String,
}

impl DeliveryConfig {
    /// Which addresses may be delivered to.
    pub fn address_policy(&self) -> AddressPolicy {
        AddressPolicy {
            allow: self.allow_addresses.clone(),
            deny: self.deny_addresses.clone(),
        }
    }

    /// The user agent of a program of `version`.
    pub fn user_agent(&self, version: &str) -> String {
        self.user_agent.replace("{version}", version)
    }
}

/// Secrets, sessions, sign-in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityConfig {
    /// Key that stored secrets are encrypted with, as it was written.
    pub encryption_key: Option<SecretString>,
    /// How long a sign-in lasts without use.
    #[serde(with = "domain::duration::text")]
    pub session_lifetime: Duration,
    /// Whether the session cookie is sent over https only, when it was said.
    pub cookie_secure: Option<bool>,
    /// Failed sign-ins within the window before the next one has to wait.
    pub signin_attempts: u32,
    /// The window.
    #[serde(with = "domain::duration::text")]
    pub signin_window: Duration,
}

impl SecurityConfig {
    /// The 32 bytes of the key; `None` when it is not set.
    pub fn encryption_key(&self) -> Option<[u8; 32]> {
        let text = self.encryption_key.as_ref()?.expose_secret().trim();
        let bytes = hex::decode(text).or_else(|_| STANDARD.decode(text)).ok()?;
        bytes.try_into().ok()
    }

    /// Whether the session cookie is sent over https only; follows the public address unless said.
    pub fn secure_cookies(&self, server: &ServerConfig) -> bool {
        self.cookie_secure.unwrap_or_else(|| server.is_https())
    }
}

/// Partitions of the hot tables.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionsConfig {
    /// How many days ahead they are made.
    pub days_ahead: u32,
}

/// Stopping.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownConfig {
    /// How long work in progress may take to finish.
    #[serde(with = "domain::duration::text")]
    pub grace: Duration,
}

/// Helpers for tests and demonstrations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevConfig {
    /// Whether the time of the process can be set.
    pub clock: bool,
}
