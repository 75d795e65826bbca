//! What nobody brought back in time.
//!
//! Every row that is not final has a due time. The sweeper takes, without input, whatever is
//! overdue: events that were stored because Redis was away, retries whose queue entry was lost,
//! leases of dead workers. While Redis is away it is the only road, so it then takes work as soon
//! as it is due.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use chrono::{DateTime, TimeDelta, Utc};
use db::events::Event;
use queue::payload::{AcceptedEvent, Facts};
use tokio_util::sync::CancellationToken;

use super::due::{LEASE, stored_headers};
use super::engine::Engine;
use super::pipeline::Hand;
use super::replay::target_of;
use crate::error::Result;

/// Pause between two looks when nothing was found.
const EVERY: Duration = Duration::from_secs(1);
/// Rows taken at once.
const BATCH: usize = 500;
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
            let pause = if found >= BATCH { Duration::ZERO } else { EVERY };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes one batch of each kind, as far as there is room; returns how many rows were found.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] while PostgreSQL is away.
    pub async fn sweep_once(&self) -> Result<usize> {
        let now = self.services.clock.now();
        let redis_works = self.services.queues.redis.ping().await.is_ok();
        let before = if redis_works { now - FORGOTTEN } else { now };
        let deliveries = self.sweep_deliveries(before).await?;
        let events = self.sweep_events(before).await?;
        self.services.meters.swept.increment((deliveries + events) as u64);
        Ok(deliveries.max(events))
    }

    async fn sweep_deliveries(&self, before: DateTime<Utc>) -> Result<usize> {
        let room = self.taken_up.available_permits().min(BATCH);
        let overdue = db::deliveries::overdue(&self.services.db, before, room as i64).await?;
        let until = self.services.clock.now() + LEASE;
        let leased = db::deliveries::lease(&self.services.db, &overdue, before, until).await?;
        let found = leased.len();
        for leased in leased {
            // The semaphore is never closed.
            let Ok(room) = Arc::clone(&self.taken_up).acquire_owned().await else {
                break;
            };
            self.start_due(leased, room);
        }
        Ok(found)
    }

    async fn sweep_events(&self, before: DateTime<Utc>) -> Result<usize> {
        let room = self.taken_up.available_permits().min(BATCH);
        let overdue = db::events::overdue(&self.services.db, before, room as i64).await?;
        let until = self.services.clock.now() + LEASE;
        let claimed = db::events::claim(&self.services.db, &overdue, before, until).await?;
        let found = claimed.len();
        for event in claimed {
            let Ok(room) = Arc::clone(&self.taken_up).acquire_owned().await else {
                break;
            };
            let engine = self.clone();
            self.running.spawn(async move {
                engine.do_stored(event).await;
                drop(room);
            });
        }
        Ok(found)
    }

    /// An event that PostgreSQL knew before it was matched.
    async fn do_stored(&self, event: Event) {
        let id = event.id;
        let existing = db::deliveries::of_event(&self.services.db, id).await;
        let done = match existing {
            Ok(deliveries) if !deliveries.is_empty() => self.close_stored(&event).await,
            Ok(_) => self.process(as_accepted(event), Hand::Claimed).await,
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
