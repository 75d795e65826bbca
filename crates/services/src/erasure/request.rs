//! Asking for an erasure, and asking first what it would do.

use chrono::{DateTime, Utc};
use db::erasures::{ErasureRow, objects};
use domain::erasure::{MAX_EVENTS, MAX_VALUE, Target, check_pointer};
use domain::id::{ErasureId, EventId, ProjectId};
use domain::role::Role;
use serde::Serialize;
use serde_json::json;

use super::hot::{Candidates, Holds, decide};
use super::receipt::{self, Erasure, Progress};
use super::{Open, work};
use crate::Services;
use crate::access::Actor;
use crate::audit::{self, Change};
use crate::changed::now;
use crate::error::{Error, Result};
use crate::fields::{Fields, MAX_TEXT};

/// What somebody wants to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These events.
    Events(Vec<EventId>),
    /// Every event of a person, as the project says where payloads name them.
    Subject(String),
    /// A value wherever it stands at a JSON pointer.
    Value {
        /// Where.
        pointer: String,
        /// The value.
        value: String,
    },
}

/// An erasure to ask for.
#[derive(Clone, Debug)]
pub struct NewErasure {
    /// What goes.
    pub wanted: Wanted,
    /// Why, in words. Should not name the person.
    pub reason: String,
}

/// What an erasure would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Events in PostgreSQL that would be changed.
    pub events: u64,
    /// Of those, the ones that a legal hold keeps.
    pub held_events: u64,
    /// Segments that would be read, because they may hold something.
    pub segments: i64,
    /// Bytes of their objects.
    pub size_bytes: i64,
}

/// Erases. From now on readers do not see what it means; rows in PostgreSQL are changed before this
/// returns, as far as they are there, and objects of the archive by the job `erase`.
///
/// # Errors
/// [`Error::Invalid`] for `event_ids`, `subject`, `pointer`, `value`, `reason`; [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn request(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    new: NewErasure,
) -> Result<Erasure> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let target = target_of(services, project, &new).await?;
    let row = ErasureRow {
        id: ErasureId::at(at),
        project_id: project,
        target: serde_json::to_value(receipt::seal(services, &target)?).map_err(Error::internal)?,
        reason: new.reason.trim().to_owned(),
        requested_by: actor.label.clone(),
        requested_at: at,
        state: "pending".to_owned(),
        blocked_by: None,
        receipt: serde_json::to_value(Progress::default()).map_err(Error::internal)?,
        ledger_key: None,
        done_at: None,
    };
    store(services, actor, at, &row, &target).await?;
    let id = row.id;
    let open = receipt::open(services, row)?;
    // What does not work out here is done by the job: the erasure is in force already.
    if let Err(error) = work::begin(services, open).await {
        tracing::warn!(%error, erasure = %id, "an erasure goes on with the next run of its job");
    }
    super::get(services, actor, project, id).await
}

/// Stores an erasure, and who asked for it.
pub(super) async fn store(
    services: &Services,
    actor: &Actor,
    at: DateTime<Utc>,
    row: &ErasureRow,
    target: &Target,
) -> Result<()> {
    let txn = services.db.begin().await?;
    db::erasures::insert(&txn, row, target.ids().unwrap_or_default()).await?;
    let change = Change {
        action: "erasure.requested",
        project: Some(row.project_id),
        subject: target.word(),
        subject_id: Some(row.id.0),
        // Never the value itself.
        detail: json!({"events": target.ids().map(<[EventId]>::len), "reason": row.reason}),
    };
    audit::record(&txn, actor, at, change).await?;
    Ok(txn.commit().await?)
}

/// Says what an erasure would do, and changes nothing.
///
/// # Errors
/// As [`request`].
pub async fn preview(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    new: &NewErasure,
) -> Result<Preview> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let target = target_of(services, project, new).await?;
    let holds = Holds::load(services, project).await?;
    let open = Open {
        id: ErasureId::at(at),
        project,
        target,
        requested_at: at,
        progress: Progress::default(),
        ledger_key: None,
    };
    let mut preview = Preview::default();
    let mut candidates = Candidates::new(services, &open).await?;
    while let Some(batch) = candidates.next(services, &open).await? {
        let (changes, held) = decide(&open, &holds, &batch);
        preview.events += (changes.len() + held.len()) as u64;
        preview.held_events += held.len() as u64;
    }
    (preview.segments, preview.size_bytes) = match open.target.ids() {
        Some(ids) => objects::count_around(&services.db, project, ids).await?,
        None => objects::count(&services.db, project, at).await?,
    };
    Ok(preview)
}

async fn target_of(services: &Services, project: ProjectId, new: &NewErasure) -> Result<Target> {
    let mut fields = Fields::new();
    fields.line("reason", &new.reason, MAX_TEXT);
    let target = match &new.wanted {
        Wanted::Events(ids) => {
            let known_day = ids.iter().all(|id| domain::id::instant_of(id.0).is_some());
            fields.check(
                (1..=MAX_EVENTS).contains(&ids.len()),
                "event_ids",
                "must be between 1 and 1000 ids",
            );
            fields.check(known_day, "event_ids", "must be ids of events");
            let mut ids = ids.clone();
            ids.sort_unstable();
            ids.dedup();
            Target::Events { ids }
        }
        Wanted::Subject(value) => {
            check_value(&mut fields, "subject", value);
            let pointer = subject_pointer(services, project).await?;
            fields.check(
                !pointer.is_empty(),
                "subject",
                "cannot be looked for: set subject_pointer in the project's configuration first, such as /customer/id",
            );
            Target::Subject {
                pointer,
                value: value.clone(),
            }
        }
        Wanted::Value { pointer, value } => {
            if let Err(reason) = check_pointer(pointer) {
                fields.refuse("pointer", reason);
            }
            check_value(&mut fields, "value", value);
            Target::Value {
                pointer: pointer.clone(),
                value: value.clone(),
            }
        }
    };
    fields.finish()?;
    crate::projects::require_live(services, project).await?;
    Ok(target)
}

fn check_value(fields: &mut Fields, field: &str, value: &str) {
    fields.check(!value.is_empty(), field, "is required");
    fields.check(
        value.len() <= MAX_VALUE,
        field,
        "must not be longer than 1024 bytes",
    );
    fields.check(!value.contains('\0'), field, "must not contain U+0000");
    fields.check(value != "null", field, "must be a value, not null");
}

async fn subject_pointer(services: &Services, project: ProjectId) -> Result<String> {
    let row = db::retention::find(services.db.orm(), project.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    let config: domain::project::ProjectConfig =
        serde_json::from_value(row.config).map_err(Error::internal)?;
    Ok(config.subject_pointer)
}
