//! Erasure: values of persons leave PostgreSQL, the archive and what readers see.
//!
//! An erasure takes effect for readers when it is asked for ([`Masks`]), and is done physically by steps
//! that may be repeated at any time:
//!
//! 1. `ledger`: an object in the store says what was asked for, so that a database that is restored to
//!    an older moment hears of it again.
//! 2. `hot`: rows in PostgreSQL. Repeated until the queue holds no event from before the erasure, so
//!    that an event which was still on the road is met, too.
//! 3. `archive`: every segment that may hold something is read; blocks that do are written anew in
//!    place (`rewrite`), and old versions of the object are removed.
//! 4. `leftovers`: objects that do not count any more are removed.
//!
//! Backups cannot undo it: each step that changed something outdates those that have read before
//! (`projects.erasure_version`), and what was committed meanwhile is looked into before the end.
//!
//! Rows under a legal hold and objects that the store protects stay, masked. The erasure is then
//! blocked, says by what, and goes on when it can; it is never called done before.

mod archive;
mod editor;
mod hot;
mod ledger;
mod leftovers;
mod mask;
mod object;
mod receipt;
mod request;
mod rewrite;
mod work;

use chrono::{DateTime, TimeDelta, Utc};
use domain::erasure::Target;
use domain::id::{ErasureId, ProjectId};
use domain::role::Role;
use serde::Serialize;

pub use ledger::replay_ledger;
pub use mask::Masks;
pub use receipt::{Erasure, ErasureState, Receipt, SegmentReceipt};
pub use request::{NewErasure, Preview, Wanted, preview, request};

use crate::Services;
use crate::access::Actor;
use crate::error::{Error, Result};
use crate::jobs::JobContext;
use receipt::Progress;

/// How long what is in the way stays there before it is tried again.
const RETRY: TimeDelta = TimeDelta::hours(1);
/// Most erasures of one answer.
const LIST: i64 = 200;

/// An erasure under way, with its value in clear.
#[derive(Clone, Debug)]
struct Open {
    id: ErasureId,
    project: ProjectId,
    target: Target,
    requested_at: DateTime<Utc>,
    progress: Progress,
    ledger_key: Option<String>,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Erasures of which nothing is left.
    pub done: u64,
    /// Erasures that something is in the way of.
    pub blocked: u64,
    /// Events changed in PostgreSQL.
    pub events: u64,
    /// Segments that were rewritten.
    pub segments: u64,
}

/// Goes on with every erasure that is not done.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away. That one erasure cannot go on is told in its row
/// and is no other's trouble.
pub async fn run(context: &JobContext) -> Result<Counts> {
    go_on(&context.services, context.input.project).await
}

/// As [`run`], for one project or all. May be dropped at any await.
///
/// # Errors
/// As [`run`].
pub async fn go_on(services: &Services, only: Option<ProjectId>) -> Result<Counts> {
    let mut counts = Counts::default();
    for row in db::erasures::open(&services.db, only).await? {
        let open = receipt::open(services, row)?;
        work::advance(services, open, &mut counts).await?;
    }
    Ok(counts)
}

/// An erasure of a project, with its receipt.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(services: &Services, actor: &Actor, project: ProjectId, id: ErasureId) -> Result<Erasure> {
    actor.require(project, Role::Viewer)?;
    let row = db::erasures::find(&services.db, project, id).await?;
    receipt::read(services, row.ok_or(Error::NotFound("erasure"))?).await
}

/// Erasures of a project, newest first.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn list(services: &Services, actor: &Actor, project: ProjectId) -> Result<Vec<Erasure>> {
    actor.require(project, Role::Viewer)?;
    crate::projects::require_live(services, project).await?;
    let mut erasures = Vec::new();
    for row in db::erasures::list(&services.db, project, LIST).await? {
        erasures.push(receipt::read(services, row).await?);
    }
    Ok(erasures)
}
