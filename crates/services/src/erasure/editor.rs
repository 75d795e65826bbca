//! What becomes of rows in a segment.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::erasure::{Edit, Member, Target, erased_by, mark, rebuild};
use domain::id::{ErasureId, EventId, instant_of};
use serde::Deserialize;
use serde_json::value::RawValue;
use storage::segment::{Block, Row};
use uuid::Uuid;

use super::Open;
use super::hot::Holds;

/// What becomes of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays as it is.
    Keep,
    /// It would change, but a hold keeps it; the event that it is of.
    Held(EventId),
    /// It becomes this; the event that it is of.
    Become(String, EventId),
}

/// Says what becomes of the rows of one segment.
pub(super) trait Editor: Send + 'static {
    /// Whether a row of the block may change: `false` is certain.
    fn may_touch(&self, block: &Block) -> bool;

    /// What becomes of a row.
    fn fate(&self, row: Row<'_>) -> Result<Fate, serde_json::Error>;
}

/// Changes events.
pub(super) struct EventEditor {
    erasure: ErasureId,
    target: Target,
    until: DateTime<Utc>,
    holds: Holds,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

impl EventEditor {
    pub(super) fn new(open: &Open, holds: &Holds) -> Self {
        Self {
            erasure: open.id,
            target: open.target.clone(),
            until: open.requested_at,
            holds: holds.clone(),
        }
    }
}

impl Editor for EventEditor {
    fn may_touch(&self, block: &Block) -> bool {
        match self.target.ids() {
            Some(ids) => ids.iter().any(|id| block.get(id.0).is_some()),
            None => self.target.may_stand_in(block.text()),
        }
    }

    fn fate(&self, row: Row<'_>) -> Result<Fate, serde_json::Error> {
        let event = EventId(row.id);
        let meant = match self.target.ids() {
            Some(ids) => ids.contains(&event),
            None => event.instant() <= self.until && self.target.may_stand_in(row.json),
        };
        if !meant {
            return Ok(Fate::Keep);
        }
        let Data { data } = serde_json::from_str(row.json)?;
        let Some(edit) = self.target.edit(event, data.get()) else {
            return Ok(Fate::Keep);
        };
        if self.holds.cover(event.instant()) {
            return Ok(Fate::Held(event));
        }
        let changed = rebuild(row.json, |key, value| match (&edit, key) {
            (Edit::Whole, "data") if erased_by(value).is_some() => Member::Keep,
            (Edit::Whole, "data") => Member::Become(mark(self.erasure)),
            (Edit::Whole, "headers" | "owner_id" | "idempotency_key") => Member::Drop,
            (Edit::Payload(payload), "data") => Member::Become(payload.clone()),
            _ => Member::Keep,
        })?;
        Ok(if changed == row.json {
            Fate::Keep
        } else {
            Fate::Become(changed, event)
        })
    }
}

/// Clears what attempts kept of requests and answers.
pub(super) struct AttemptEditor {
    deliveries: Arc<HashMap<Uuid, EventId>>,
    whole: bool,
}

#[derive(Deserialize)]
struct OfDelivery {
    delivery_id: Uuid,
}

impl AttemptEditor {
    pub(super) fn new(deliveries: Arc<HashMap<Uuid, EventId>>, whole: bool) -> Self {
        Self { deliveries, whole }
    }
}

impl Editor for AttemptEditor {
    fn may_touch(&self, block: &Block) -> bool {
        let (first, last) = (block.rows().next(), block.rows().next_back());
        let span = first
            .and_then(|row| instant_of(row.id))
            .zip(last.and_then(|row| instant_of(row.id)));
        span.is_none_or(|(first, last)| {
            // Attempts, deliveries and events share their millisecond.
            let within = |id: &Uuid| instant_of(*id).is_none_or(|at| first <= at && at <= last);
            self.deliveries.keys().any(within)
        })
    }

    fn fate(&self, row: Row<'_>) -> Result<Fate, serde_json::Error> {
        let OfDelivery { delivery_id } = serde_json::from_str(row.json)?;
        let Some(event) = self.deliveries.get(&delivery_id) else {
            return Ok(Fate::Keep);
        };
        let changed = rebuild(row.json, |key, value| match key {
            "response_headers" | "response_body" | "response_body_base64" => Member::Drop,
            // Readers ask for it.
            "request_headers" if self.whole && value != "\"\"" => Member::Become("\"\"".to_owned()),
            _ => Member::Keep,
        })?;
        Ok(if changed == row.json {
            Fate::Keep
        } else {
            Fate::Become(changed, *event)
        })
    }
}
