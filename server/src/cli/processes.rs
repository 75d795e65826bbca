//! The processes: which roles run, and how they stop.
//!
//! Stopping: nothing new is accepted or begun, what is under way ends within the grace, and what
//! does not is handed back to the queue and the leases.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use clap::Args;
use migration::{Migrator, MigratorTrait};
use services::Services;
use services::delivery::Engine;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Failure, Outcome};
use crate::config::{Config, FlagValue};
use crate::{http, telemetry, wiring};

/// Pause between two tries to reach PostgreSQL at the start.
const START_PAUSE: Duration = Duration::from_secs(2);

/// Flags of every process.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Serve {
    /// Port to listen on.
    #[arg(long)]
    port: Option<u16>,
    /// Address to listen on.
    #[arg(long)]
    bind: Option<String>,
    /// Roles to combine instead of those of the command: server, worker, scheduler.
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    roles: Vec<String>,
    /// Apply pending schema steps before starting.
    #[arg(long, env = "LONGHAUL_MIGRATE", value_parser = clap::builder::FalseyValueParser::new())]
    migrate: bool,
}

impl Serve {
    /// What stands on the command line, as settings.
    pub(super) fn flags(&self) -> Vec<FlagValue> {
        let flag = |flag: &str, key: &str, value: String| FlagValue {
            flag: flag.to_owned(),
            key: key.to_owned(),
            value,
        };
        let port = self
            .port
            .map(|port| flag("--port", "server.port", port.to_string()));
        let bind = self.bind.clone().map(|bind| flag("--bind", "server.bind", bind));
        port.into_iter().chain(bind).collect()
    }
}

/// Which roles a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Roles {
    server: bool,
    worker: bool,
    scheduler: bool,
}

impl Roles {
    pub(super) const ALL: Self = Self {
        server: true,
        worker: true,
        scheduler: true,
    };
    pub(super) const SERVER: Self = Self {
        server: true,
        worker: false,
        scheduler: false,
    };
    pub(super) const WORKER: Self = Self {
        server: false,
        worker: true,
        scheduler: false,
    };
    pub(super) const SCHEDULER: Self = Self {
        server: false,
        worker: false,
        scheduler: true,
    };

    fn named(names: &[String]) -> Result<Self, Failure> {
        let mut roles = Self {
            server: false,
            worker: false,
            scheduler: false,
        };
        for name in names {
            match name.as_str() {
                "server" => roles.server = true,
                "worker" => roles.worker = true,
                "scheduler" => roles.scheduler = true,
                other => {
                    let text =
                        format!("--roles: there is no role {other}; there are server, worker and scheduler");
                    return Err(Failure::BadArguments(text));
                }
            }
        }
        Ok(roles)
    }
}

pub(super) async fn run(config: &Config, roles: Roles, serve: &Serve) -> Outcome {
    let roles = if serve.roles.is_empty() {
        roles
    } else {
        Roles::named(&serve.roles)?
    };
    telemetry::start_logs(config);
    let metrics = telemetry::start_metrics()?;
    let services = wiring::services(config, wiring::clock(config))?;
    let stop = CancellationToken::new();
    tokio::spawn(on_signal(stop.clone()));
    if !prepare(&services, serve.migrate, &stop).await? {
        return Ok(());
    }
    let address = config.server.listen_address();
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (server.bind, server.port)"))?;
    tracing::info!(%address, ?roles, version = env!("CARGO_PKG_VERSION"), "longhaul runs");
    if config.dev.clock {
        tracing::warn!("the development clock is on: anybody who reaches this port can move time");
    }
    let router = if roles.server {
        http::router(config, &services, Some(metrics), true)?
    } else {
        health_only(&services, metrics)
    };
    run_roles(config, roles, &services, listener, router, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Workers and schedulers answer only whether they are well.
fn health_only(services: &Arc<Services>, metrics: metrics_exporter_prometheus::PrometheusHandle) -> Router {
    use axum::routing::get;
    Router::new()
        .route("/healthz", get(http::health::live))
        .route("/readyz", get(http::health::ready))
        .route("/metrics", get(move || async move { metrics.render() }))
        .with_state(Arc::clone(services))
}

async fn run_roles(
    config: &Config,
    roles: Roles,
    services: &Arc<Services>,
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let grace = config.shutdown.grace;
    let mut tasks = JoinSet::new();
    {
        let (services, stop) = (Arc::clone(services), stop.clone());
        tasks.spawn(async move { services.catalog.follow(stop).await });
    }
    let engine = if roles.worker {
        Some(Engine::start(Arc::clone(services))?)
    } else {
        None
    };
    if let Some(engine) = engine.clone() {
        let (services, settings, token) = (Arc::clone(services), wiring::queue_workers(config), stop.clone());
        tasks.spawn(async move {
            tokio::join!(
                worker::queues::run(&engine, &services.queues, &settings, &token),
                worker::loops::run(&engine, &services, &token),
            );
        });
    }
    if roles.scheduler {
        tasks.spawn(worker::schedule::run(Arc::clone(services), stop.clone()));
    }
    let served = http::serve(listener, router, stop.clone(), grace).await;
    // A listener that broke takes the rest down in order, too.
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    services.jobs.close().await;
    if let Some(engine) = engine {
        engine.drain(grace).await;
    }
    services.db.close().await;
    served
}

/// Waits for PostgreSQL, checks the schema, makes today's leaves and loads the catalog. `false`
/// when the process was told to stop meanwhile.
async fn prepare(services: &Services, migrate: bool, stop: &CancellationToken) -> Result<bool, Failure> {
    loop {
        match services.db.ping().await {
            Ok(()) => break,
            Err(error) if error.is_transient() => {
                let cause = std::error::Error::source(&error)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                tracing::warn!(cause, "waiting for PostgreSQL");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(START_PAUSE) => {}
        }
    }
    if migrate {
        Migrator::up(services.db.orm(), None).await?;
    }
    let pending = Migrator::get_pending_migrations(services.db.orm()).await?;
    if !pending.is_empty() {
        let text = format!(
            "{} schema steps are pending; run `longhaul migrate up`",
            pending.len()
        );
        return Err(Failure::Failed(anyhow::anyhow!(text)));
    }
    services::partitions::keep_ahead(services).await?;
    services::storage_policies::sync_configuration(services).await?;
    services.catalog.reload().await?;
    Ok(true)
}

/// SIGINT or SIGTERM stops; a second one ends at once.
async fn on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return tracing::error!("signals cannot be heard");
    };
    let mut told = false;
    loop {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        if told {
            std::process::exit(1);
        }
        told = true;
        tracing::info!("stopping; a second signal ends at once");
        stop.cancel();
    }
}
