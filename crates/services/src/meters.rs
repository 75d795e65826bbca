//! Counters of this process for `/metrics`. What pages show comes from PostgreSQL instead, because
//! it must survive a restart.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Handles of the metrics that the delivery path writes. Taken once, so that counting is one
/// atomic addition.
pub struct Meters {
    /// Events that got a 201.
    pub accepted: Counter,
    /// Of those, the ones that went to PostgreSQL because Redis could not take them.
    pub diverted: Counter,
    /// Attempts that were answered 2xx.
    pub attempts_ok: Counter,
    /// Attempts that were not.
    pub attempts_failed: Counter,
    /// Deliveries put off because the endpoint had no free place or its rate was used up.
    pub put_off: Counter,
    /// Rows the sweeper had to bring back.
    pub swept: Counter,
    /// Attempts under way.
    pub under_way: Gauge,
    /// Accepted to delivered, in seconds, of first attempts.
    pub latency: Histogram,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            accepted: counter!("longhaul_events_accepted_total"),
            diverted: counter!("longhaul_events_diverted_total"),
            attempts_ok: counter!("longhaul_attempts_total", "outcome" => "ok"),
            attempts_failed: counter!("longhaul_attempts_total", "outcome" => "failed"),
            put_off: counter!("longhaul_deliveries_put_off_total"),
            swept: counter!("longhaul_rows_swept_total"),
            under_way: gauge!("longhaul_attempts_under_way"),
            latency: histogram!("longhaul_delivery_latency_seconds"),
        }
    }
}
