//! So many deliveries in so many seconds, per endpoint or subscription and over all processes.

use std::time::Duration;

use domain::project::RateLimitConfig;
use uuid::Uuid;

use super::engine::Engine;

/// How long a delivery waits when the limiter itself cannot be asked.
const BLIND: Duration = Duration::from_secs(1);

impl Engine {
    /// Takes one delivery out of the window of `whose`, or tells how long to wait for the next.
    ///
    /// While Redis is away nothing goes where there is a limit: late is better than too much.
    pub(super) async fn within_rate(&self, whose: Uuid, limit: &RateLimitConfig) -> Result<(), Duration> {
        let window = Duration::from_secs(u64::from(limit.duration.max(1)));
        let now = self.services.clock.now();
        match self
            .services
            .queues
            .limiter
            .take(&whose.to_string(), limit.count, window, now)
            .await
        {
            Ok(None) => Ok(()),
            // Those who wait must not all come back in the same instant.
            Ok(Some(wait)) => Err(wait + window.mul_f64(rand::random::<f64>())),
            Err(error) => {
                tracing::debug!(%error, "the rate limiter cannot be asked");
                Err(BLIND)
            }
        }
    }
}
