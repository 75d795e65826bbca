//! What an erasure did, and how far it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use db::erasures::ErasureRow;
use domain::erasure::Target;
use domain::id::{ErasureId, EventId, ProjectId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Open;
use crate::Services;
use crate::error::{Error, Result};

/// Where an erasure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// Readers see nothing any more; rows and objects are being changed.
    Pending,
    /// Readers see nothing any more; something keeps rows or objects from being changed.
    Blocked,
    /// Nothing is left.
    Done,
}

impl ErasureState {
    /// The name in storage and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Blocked => "blocked",
            Self::Done => "done",
        }
    }

    fn parse(name: &str) -> Self {
        match name {
            "done" => Self::Done,
            "blocked" => Self::Blocked,
            _ => Self::Pending,
        }
    }
}

/// An erasure as its project sees it. The value that was looked for is never shown again.
#[derive(Clone, Debug, Serialize)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// The project.
    pub project_id: ProjectId,
    /// `events`, `subject` or `value`.
    pub what: &'static str,
    /// The events that were named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event_ids: Vec<EventId>,
    /// Where the value was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// Who asked for it.
    pub requested_by: String,
    /// When; events accepted later are not meant, unless they were named.
    pub requested_at: DateTime<Utc>,
    /// Where it stands.
    pub state: ErasureState,
    /// What it waits for.
    pub blocked_by: Option<String>,
    /// What was done so far.
    pub receipt: Receipt,
    /// Name of the object in the store that remembers it.
    pub ledger_key: Option<String>,
    /// When nothing was left.
    pub done_at: Option<DateTime<Utc>>,
}

/// What an erasure did.
#[derive(Clone, Debug, Serialize)]
pub struct Receipt {
    /// Events changed in PostgreSQL.
    pub events: u64,
    /// Deliveries that were live and were ended.
    pub deliveries: u64,
    /// Attempts whose requests and answers were cleared in PostgreSQL.
    pub attempts: u64,
    /// Events that a legal hold keeps.
    pub held_events: u64,
    /// Segments that were looked into.
    pub segments_read: i64,
    /// Rows changed in segments.
    pub archived_rows: i64,
    /// Old versions of objects that were removed.
    pub versions_removed: i64,
    /// Segments that held something.
    pub segments: Vec<SegmentReceipt>,
}

/// What an erasure did to one segment.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentReceipt {
    /// The segment.
    pub id: Uuid,
    /// Name of its object.
    pub object_key: String,
    /// `rewriting`, `rewritten`, `removed` or `blocked`.
    pub outcome: String,
    /// Blocks that were written anew, counted from 0.
    pub blocks: Vec<i32>,
    /// Rows changed in them.
    pub rows: i32,
    /// Old versions of the object that were removed.
    pub versions_removed: i32,
    /// What stands in the way.
    pub reason: Option<String>,
}

/// The part of a receipt that is written down on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    pub(super) events: u64,
    pub(super) deliveries: u64,
    pub(super) attempts: u64,
    pub(super) held_events: u64,
    /// When a look at PostgreSQL began that missed nothing.
    pub(super) hot_done_at: Option<DateTime<Utc>>,
    /// Before this, answers to requests that were under way may still be written.
    pub(super) settled_at: Option<DateTime<Utc>>,
    /// When PostgreSQL was last looked through.
    pub(super) hot_tried_at: Option<DateTime<Utc>>,
    /// Every segment of events was looked into once: all events that are meant are known.
    pub(super) events_known: bool,
}

/// Puts the value of a target under the instance's key, as it is stored.
pub(super) fn seal(services: &Services, target: &Target) -> Result<Target> {
    target.try_with_value(|value| Ok(STANDARD.encode(services.vault.seal_text(value)?)))
}

/// The opposite of [`seal`].
pub(super) fn unseal(services: &Services, target: &Target) -> Result<Target> {
    target.try_with_value(|sealed| {
        services
            .vault
            .open_text(&STANDARD.decode(sealed).map_err(Error::internal)?)
    })
}

/// An erasure to work on.
pub(super) fn open(services: &Services, row: ErasureRow) -> Result<Open> {
    let stored: Target = serde_json::from_value(row.target).map_err(Error::internal)?;
    Ok(Open {
        id: row.id,
        project: row.project_id,
        target: unseal(services, &stored)?,
        requested_at: row.requested_at,
        progress: serde_json::from_value(row.receipt).map_err(Error::internal)?,
        ledger_key: row.ledger_key,
    })
}

/// An erasure to show.
pub(super) async fn read(services: &Services, row: ErasureRow) -> Result<Erasure> {
    let target: Target = serde_json::from_value(row.target).map_err(Error::internal)?;
    let progress: Progress = serde_json::from_value(row.receipt).map_err(Error::internal)?;
    let (done, looked) = db::erasures::objects::done(&services.db, row.id).await?;
    let segments: Vec<SegmentReceipt> = done
        .into_iter()
        .map(|done| SegmentReceipt {
            id: done.segment,
            object_key: done.object_key,
            outcome: done.outcome,
            blocks: done.blocks,
            rows: done.rows,
            versions_removed: done.versions_removed,
            reason: done.reason,
        })
        .collect();
    let what = target.word();
    let (event_ids, pointer) = match target {
        Target::Events { ids } => (ids, None),
        Target::Subject { pointer, .. } | Target::Value { pointer, .. } => (Vec::new(), Some(pointer)),
    };
    Ok(Erasure {
        id: row.id,
        project_id: row.project_id,
        what,
        event_ids,
        pointer,
        reason: row.reason,
        requested_by: row.requested_by,
        requested_at: row.requested_at,
        state: ErasureState::parse(&row.state),
        blocked_by: row.blocked_by,
        receipt: Receipt {
            events: progress.events,
            deliveries: progress.deliveries,
            attempts: progress.attempts,
            held_events: progress.held_events,
            segments_read: looked,
            archived_rows: segments.iter().map(|one| i64::from(one.rows)).sum(),
            versions_removed: segments.iter().map(|one| i64::from(one.versions_removed)).sum(),
            segments,
        },
        ledger_key: row.ledger_key,
        done_at: row.done_at,
    })
}
