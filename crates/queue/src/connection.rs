//! Connections to Redis that find their own way back.
//!
//! The only module that opens connections. A [`Redis`] is one shared, pipelined connection: when it
//! breaks, the next command opens a new one; while Redis cannot be reached, commands fail at once and
//! a try is made per back-off interval only, so that callers with another way out are not held up.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ScriptInvocation,
    ServerErrorKind, Value,
};
use tokio::time::Instant;

use crate::backoff::RECONNECT;
use crate::error::QueueError;

/// Where Redis is and how long to wait for it.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://` or `rediss://` address; may hold a password, so it is never printed.
    pub url: String,
    /// Longest time to open a connection.
    pub connect_timeout: Duration,
    /// Longest time to wait for an answer.
    pub response_timeout: Duration,
}

impl RedisOptions {
    /// Defaults for the server at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(2),
        }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisOptions")
            .field("url", &"***")
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .finish()
    }
}

/// A handle to Redis; clones share one connection.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    options: Arc<RedisOptions>,
    link: Arc<Link>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redis")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// One connection at a time, replaced when it breaks.
struct Link {
    response_timeout: Duration,
    current: Mutex<Current>,
    gate: tokio::sync::Mutex<Gate>,
}

/// The open connection and its number, which tells a broken one from its successor.
#[derive(Default)]
struct Current {
    number: u64,
    connection: Option<MultiplexedConnection>,
}

/// Lets one caller at a time connect, and not before the back-off has passed.
#[derive(Default)]
struct Gate {
    failures: u32,
    closed_until: Option<Instant>,
    reason: Arc<str>,
}

impl Redis {
    /// Checks the options; connects with the first command, not here.
    pub fn new(options: RedisOptions) -> Result<Self, QueueError> {
        if options.url.starts_with("rediss:") {
            // Without a process-wide choice the TLS library would panic; an earlier choice stays.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = Client::open(options.url.as_str())?;
        let link = Arc::new(Link::new(options.response_timeout));
        Ok(Self {
            client,
            options: Arc::new(options),
            link,
        })
    }

    /// The options it was made with.
    pub fn options(&self) -> &RedisOptions {
        &self.options
    }

    /// The same server over a connection of its own, for commands that hold up those behind them.
    ///
    /// `extra` is how long such a command may block beyond the usual response time.
    #[must_use]
    pub fn dedicated(&self, extra: Duration) -> Self {
        let link = Arc::new(Link::new(self.options.response_timeout + extra));
        Self {
            client: self.client.clone(),
            options: Arc::clone(&self.options),
            link,
        }
    }

    /// Runs one command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, QueueError> {
        let (number, mut connection) = self.connection().await?;
        let answer = command.query_async(&mut connection).await;
        self.checked(number, answer)
    }

    /// Runs commands in one round trip. The answers stand in the order of the commands, each either
    /// a value or a [`Value::ServerError`]; an `Err` means that no answer is known.
    pub async fn pipeline(&self, commands: &Pipeline) -> Result<Vec<Value>, QueueError> {
        let (number, mut connection) = self.connection().await?;
        let answers = connection.req_packed_commands(commands, 0, commands.len()).await;
        let answers = self.checked(number, answers)?;
        let read_only =
            |value: &Value| matches!(value, Value::ServerError(error) if error.code() == "READONLY");
        if answers.iter().any(read_only) {
            self.link.discard(number);
        }
        Ok(answers)
    }

    /// Runs a script, loading it into Redis when it is not there yet.
    pub async fn invoke<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, QueueError> {
        let (number, mut connection) = self.connection().await?;
        let answer = script.invoke_async(&mut connection).await;
        self.checked(number, answer)
    }

    /// Whether Redis answers and accepts commands.
    pub async fn ping(&self) -> Result<(), QueueError> {
        self.query(&redis::cmd("PING")).await
    }

    fn checked<T>(&self, number: u64, answer: Result<T, RedisError>) -> Result<T, QueueError> {
        answer.map_err(|error| {
            if connection_is_spent(&error) {
                self.link.discard(number);
            }
            QueueError::from(error)
        })
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection), QueueError> {
        if let Some(open) = self.link.open() {
            return Ok(open);
        }
        let mut gate = self.link.gate.lock().await;
        if let Some(open) = self.link.open() {
            return Ok(open);
        }
        if gate.closed_until.is_some_and(|until| Instant::now() < until) {
            return Err(QueueError::Unavailable(Arc::clone(&gate.reason)));
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            .set_response_timeout(Some(self.link.response_timeout));
        match self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await
        {
            Ok(connection) => {
                if gate.failures > 0 {
                    tracing::info!(tries = gate.failures, "connected to Redis again");
                }
                *gate = Gate::default();
                Ok(self.link.put(connection))
            }
            Err(error) => {
                gate.failures = gate.failures.saturating_add(1);
                gate.closed_until = Some(Instant::now() + RECONNECT.delay(gate.failures));
                gate.reason = Arc::from(error.to_string());
                if gate.failures == 1 {
                    tracing::warn!(%error, "cannot connect to Redis");
                }
                Err(QueueError::from(error))
            }
        }
    }
}

/// Whether a new connection is needed: this one is broken or silent, or leads to a demoted primary.
fn connection_is_spent(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => kind == ServerErrorKind::ReadOnly,
        ErrorKind::Extension | ErrorKind::UnexpectedReturnType => false,
        _ => true,
    }
}

impl Link {
    fn new(response_timeout: Duration) -> Self {
        Self {
            response_timeout,
            current: Mutex::default(),
            gate: tokio::sync::Mutex::default(),
        }
    }

    fn open(&self) -> Option<(u64, MultiplexedConnection)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current
            .connection
            .clone()
            .map(|connection| (current.number, connection))
    }

    fn put(&self, connection: MultiplexedConnection) -> (u64, MultiplexedConnection) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.number += 1;
        current.connection = Some(connection.clone());
        (current.number, connection)
    }

    fn discard(&self, number: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            current.connection = None;
        }
    }
}
