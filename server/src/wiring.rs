//! From configuration to running parts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use db::pool::DbOptions;
use domain::clock::{Clock, DevClock, SystemClock};
use queue::{Redis, RedisOptions};
use secrecy::ExposeSecret;
use services::Services;
use services::options::{
    ArchiveOptions, DeliveryOptions, Durability, IngestOptions, LifecycleOptions, Options, PartitionOptions,
    SignInOptions,
};
use services::queues::{QueueSettings, Queues};
use services::vault::Vault;
use worker::queues::QueueWorkers;

use crate::config::{self, Config};

/// How long a worker waits for first attempts before it writes an event as in flight.
const FIRST_ATTEMPT_GRACE: Duration = Duration::from_millis(20);

/// The clock of this process.
pub fn clock(config: &Config) -> Arc<dyn Clock> {
    if config.dev.clock {
        Arc::new(DevClock::default())
    } else {
        Arc::new(SystemClock)
    }
}

/// The database. It may be away.
///
/// # Errors
/// When the address cannot be read.
pub fn database(config: &Config) -> anyhow::Result<db::Db> {
    let url = config.database.connection_url();
    let options = DbOptions {
        max_connections: config.database.max_connections,
        acquire_timeout: config.database.acquire_timeout,
        ..DbOptions::new(url.expose_secret())
    };
    db::Db::connect_lazy(&options).context("database: the address cannot be read")
}

/// Redis. It may be away.
///
/// # Errors
/// When the address cannot be read.
pub fn redis(config: &Config) -> anyhow::Result<Redis> {
    let url = config.redis.connection_url();
    Redis::new(RedisOptions::new(url.expose_secret())).context("redis: the address cannot be read")
}

/// Everything that use cases work with. Must be called inside a tokio runtime.
///
/// # Errors
/// When a setting cannot be used.
pub fn services(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<Services>> {
    let Some(key) = config.security.encryption_key() else {
        bail!(
            "security.encryption_key is not set. Secrets are encrypted with it; make one with \
             `openssl rand -base64 32`, keep it safe, and set LONGHAUL_SECURITY_ENCRYPTION_KEY"
        );
    };
    let settings = QueueSettings {
        max_len: (config.queue.max_len > 0).then_some(config.queue.max_len),
        dead_limit: config.queue.dead_max,
        wait_replicas: config.ingest.wait_replicas,
        wait_timeout: config.ingest.wait_timeout,
        ..QueueSettings::default()
    };
    let queues = Queues::open(&redis(config)?, &settings, &clock)?;
    Ok(Arc::new(Services::new(
        database(config)?,
        queues,
        clock,
        Vault::new(&key),
        options(config),
    )))
}

/// How queue entries are handled.
pub fn queue_workers(config: &Config) -> QueueWorkers {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    QueueWorkers {
        workers,
        max_in_flight: share_of(config.queue.max_in_flight, workers),
        visibility_timeout: config.queue.visibility_timeout,
        drain_limit: config.shutdown.grace,
    }
}

/// What one worker may hold so that the process keeps to `max_in_flight`: `workers` on the queue of
/// events, and one on the queue of deliveries. At least one entry each.
fn share_of(max_in_flight: usize, workers: usize) -> usize {
    (max_in_flight / (workers + 1)).max(1)
}

fn options(config: &Config) -> Options {
    let networks = |list: &[ipnet::IpNet]| list.iter().map(ToString::to_string).collect();
    Options {
        public_url: config.server.public_base(),
        ingest: IngestOptions {
            durability: match config.ingest.durability {
                config::Durability::Redis => Durability::Redis,
                config::Durability::Postgres => Durability::Postgres,
            },
            max_payload_bytes: config.ingest.max_payload_bytes as u32,
        },
        delivery: DeliveryOptions {
            allow_addresses: networks(&config.delivery.allow_addresses),
            deny_addresses: networks(&config.delivery.deny_addresses),
            timeout: config.delivery.timeout,
            max_response_bytes: config.delivery.max_response_bytes as u32,
            endpoint_concurrency: config.delivery.endpoint_concurrency as u32,
            concurrency: config.delivery.concurrency as u32,
            max_retry_seconds: config.delivery.max_retry_seconds,
            user_agent: config.delivery.user_agent(env!("CARGO_PKG_VERSION")),
            first_attempt_grace: FIRST_ATTEMPT_GRACE,
        },
        partitions: PartitionOptions {
            days_ahead: config.partitions.days_ahead as u16,
        },
        lifecycle: LifecycleOptions {
            retention_policy: config.has_feature(services::features::RETENTION_POLICY),
            retention_on: config.retention.enabled,
            retention_days: config.retention.days(),
            backup_at: config.backup.at,
            deletion_at: config.retention.deletion_at,
        },
        archive: ArchiveOptions {
            segment_rows: config.archive.segment_rows,
            cache_bytes: config.archive.cache_bytes,
            read_concurrency: config.archive.read_concurrency,
            read_budget_bytes: config.archive.read_budget_bytes,
        },
        storage: config.storage.policy(),
        sign_in: SignInOptions {
            session_idle: config.security.session_lifetime,
            failures_allowed: config.security.signin_attempts,
            failure_window: config.security.signin_window,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_together_hold_what_the_process_may_hold() {
        for workers in 1..=4 {
            let held = share_of(1_000, workers) * (workers + 1);
            assert!(
                held <= 1_000 && held > 1_000 - (workers + 1),
                "{workers} workers hold {held}"
            );
        }
        assert_eq!(share_of(1, 4), 1);
    }
}
