//! Logs and metrics of the process.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Upper bounds of latency buckets in seconds.
const LATENCY_BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0,
];

/// Time between two rounds of putting samples into buckets.
const UPKEEP_PAUSE: Duration = Duration::from_secs(5);

/// Starts logging to standard error.
pub fn start_logs(config: &Config) {
    let level = config.log.level.as_str();
    // Statements and pool chatter of libraries help only when everything is wanted.
    let filter = EnvFilter::new(format!(
        "{level},sqlx=warn,hyper=warn,h2=warn,rustls=warn,tower=warn"
    ));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match config.log.format {
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
        LogFormat::Text => logs.with_target(false).try_init(),
    };
    if let Err(error) = started {
        // A test may have started them before.
        tracing::debug!(%error, "logs run already");
    }
}

/// Starts collecting metrics; the handle renders them. Must be called inside a tokio runtime.
///
/// # Errors
/// When metrics run already or a bucket is wrong.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &LATENCY_BUCKETS)?
        .install_recorder()?;
    tokio::spawn(keep_up(handle.clone()));
    Ok(handle)
}

/// Puts samples into their buckets. They would pile up in memory where nobody reads `/metrics`.
async fn keep_up(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP_PAUSE);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}
