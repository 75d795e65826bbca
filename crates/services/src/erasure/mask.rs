//! What readers see of rows that an erasure means and that were not changed yet.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use db::attempts::Attempt;
use db::events::Event;
use domain::erasure::{Edit, erased_by, mark};
use domain::id::{EventId, ProjectId};
use uuid::Uuid;

use super::{Open, receipt};
use crate::Services;
use crate::error::Result;

/// The erasures of a project that are not done. To be loaded before rows are read: what is done by then
/// is not in any row or object any more.
#[derive(Clone, Debug, Default)]
pub struct Masks {
    open: Vec<Open>,
    /// Events that are known to be meant and that a hold keeps: masked also where the payload was not
    /// read.
    held: HashSet<Uuid>,
}

impl Masks {
    /// Those in force now.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] while PostgreSQL is away: then nothing may be shown.
    pub async fn load(services: &Services, project: ProjectId) -> Result<Self> {
        let rows = db::erasures::open(&services.db, Some(project)).await?;
        if rows.is_empty() {
            return Ok(Self::default());
        }
        let open: Result<Vec<Open>> = rows.into_iter().map(|row| receipt::open(services, row)).collect();
        Ok(Self {
            open: open?,
            held: db::erasures::held(&services.db, project)
                .await?
                .into_iter()
                .collect(),
        })
    }

    /// Masks an event, whatever it was read from.
    pub fn event(&self, event: &mut Event) {
        for open in &self.open {
            if !open.reaches(event.id) {
                continue;
            }
            match open.target.edit(event.id, &event.payload) {
                None if event.payload.is_empty() && self.held.contains(&event.id.0) => clear(event),
                None => {}
                Some(Edit::Payload(payload)) => event.payload = payload,
                Some(Edit::Whole) => {
                    // Lists leave payloads out.
                    if !event.payload.is_empty() && erased_by(&event.payload).is_none() {
                        event.payload = mark(open.id);
                    }
                    clear(event);
                }
            }
        }
    }

    /// Masks attempts. As long as not all events that an erasure means are known, all attempts that it
    /// reaches are masked.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] while PostgreSQL is away.
    pub async fn attempts(&self, services: &Services, attempts: &mut [Attempt]) -> Result<()> {
        let instants: Vec<DateTime<Utc>> = attempts.iter().map(|attempt| attempt.id.instant()).collect();
        let (Some(first), Some(last), Some(attempt)) =
            (instants.iter().min(), instants.iter().max(), attempts.first())
        else {
            return Ok(());
        };
        if self.open.is_empty() {
            return Ok(());
        }
        let known: HashSet<DateTime<Utc>> =
            db::erasures::meant(&services.db, attempt.project_id, (*first, *last))
                .await?
                .into_iter()
                .collect();
        for attempt in attempts {
            let at = attempt.id.instant();
            let unknown = |open: &Open| {
                open.target.ids().is_none() && !open.progress.events_known && at <= open.requested_at
            };
            if known.contains(&at) || self.open.iter().any(unknown) {
                attempt.response_body = None;
                attempt.response_headers = None;
                attempt.request_headers.clear();
            }
        }
        Ok(())
    }
}

/// Clears what stands beside the payload.
fn clear(event: &mut Event) {
    event.headers = None;
    event.owner_id = None;
    event.idempotency_key = None;
}

impl Open {
    /// Whether the erasure may mean an event accepted then.
    fn reaches(&self, event: EventId) -> bool {
        self.target.ids().is_some() || event.instant() <= self.requested_at
    }
}
