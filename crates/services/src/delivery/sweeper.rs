//! What nobody brought back in time.
//!
//! Every row that is not final has a due time. The sweeper takes, without input, whatever is
//! overdue: events that were stored because Redis was away, retries whose queue entry was lost,
//! leases of dead workers. While Redis is away it is the only road, so it then takes work as soon
//! as it is due.

use std::time::Duration;

use bytestring::ByteString;
use chrono::TimeDelta;
use db::events::Event;
use queue::payload::{AcceptedEvent, Facts};
use tokio_util::sync::CancellationToken;

use super::due::{LEASE, stored_headers};
use super::engine::Engine;
use super::replay::target_of;
use crate::error::Result;

/// Pause between two looks when nothing was found.
const EVERY: Duration = Duration::from_millis(1000);
/// Rows taken at once.
const BATCH: i64 = 500;
/// How far behind its time something is before it counts as forgotten by the queue.
const FORGOTTEN: TimeDelta = TimeDelta::seconds(10);

impl Engine {
    /// Sweeps until `stop`.
    pub async fn sweep(&self, stop: CancellationToken) {
        loop {
            let found = match self.sweep_once().await {
                Ok(found) => found,
                Err(error) => {
                    tracing::debug!(%error, "nothing can be swept now");
                    0
                }
            };
            // A full batch says that there is more.
            let pause = if found >= BATCH as usize { Duration::ZERO } else { EVERY };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes one batch of each kind; returns how many rows were found.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] while PostgreSQL is away.
    pub async fn sweep_once(&self) -> Result<usize> {
        let now = self.services.clock.now();
        let redis_works = self.services.queues.redis.ping().await.is_ok();
        let before = if redis_works { now - FORGOTTEN } else { now };
        let deliveries = db::deliveries::claim_due(&self.services.db, before, now + LEASE, BATCH).await?;
        let mut found = deliveries.len();
        self.services.meters.swept.increment(found as u64);
        for leased in deliveries {
            self.start_due(leased);
        }
        let events = db::events::claim_due(&self.services.db, before, now + LEASE, BATCH).await?;
        found = found.max(events.len());
        self.services.meters.swept.increment(events.len() as u64);
        for event in events {
            let engine = self.clone();
            self.running.spawn(async move { engine.do_stored(event).await });
        }
        Ok(found)
    }

    /// An event that PostgreSQL knew before it was matched.
    async fn do_stored(&self, event: Event) {
        let id = event.id;
        let existing = db::deliveries::of_event(&self.services.db, id).await;
        let done = match existing {
            Ok(deliveries) if !deliveries.is_empty() => self.close_stored(id).await,
            Ok(_) => self.process(as_accepted(event), false).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = done {
            tracing::warn!(event = %id, %error, "a stored event is left to its next turn");
        }
    }
}

fn as_accepted(event: Event) -> AcceptedEvent {
    let target = target_of(&event);
    AcceptedEvent {
        facts: Facts {
            id: event.id,
            project: event.project_id,
            catalog_version: 0,
            target,
            event_type: event.event_type,
            headers: stored_headers(event.headers.as_deref()),
            idempotency_key: event.idempotency_key,
            stored: true,
        },
        payload: ByteString::from(event.payload),
    }
}
