//! How long a project keeps its events, and what a change of that would do.
//!
//! Saving takes three steps, each harmless when the process dies after it: leaves of the new class
//! are made for every day that may get rows, the policy is committed, and a reclass run moves older
//! rows. Nothing leaves before the next deletion run.
//!
//! - [`policy`]: the policy, a change of it, and what is refused
//! - [`preview`]: what a change would do
//! - [`retries`]: retry schedules against the period

pub mod policy;
pub mod preview;
mod retries;

use chrono::{DateTime, Days, NaiveTime, Utc};
use db::Txn;
use db::retention::RetentionSettings;
use domain::id::ProjectId;
use domain::lifecycle::KeepDays;
use domain::role::Role;
use serde::Serialize;
use serde_json::json;

pub use policy::{Policy, PolicyChange, parse_days};
pub use preview::{Preview, preview};

use crate::access::Actor;
use crate::audit::{self, AuditQuery, Change};
use crate::changed::{changed, now};
use crate::error::{Error, Result};
use crate::features::{self, Flag};
use crate::holds::{self, Hold};
use crate::page::PageRequest;
use crate::storage_policies::{self, Place};
use crate::{Services, partitions};

/// What a change of the policy is called in the audit.
const UPDATED: &str = "retention.updated";

/// How a project keeps its events, with everything around it.
#[derive(Clone, Debug, Serialize)]
pub struct Retention {
    /// The project.
    pub project_id: ProjectId,
    /// Its name: what is typed to confirm.
    pub project_name: String,
    /// The policy.
    pub policy: Policy,
    /// Whether anything is deleted on this instance at all.
    pub flag: Flag,
    /// Where copies of the project's days lie; `None` when nobody has said.
    pub storage: Option<Place>,
    /// Since when older rows are on their way to the class of the policy.
    pub reclass_since: Option<DateTime<Utc>>,
    /// When days that are over leave next.
    pub next_deletion_at: DateTime<Utc>,
    /// When the policy was last changed, and by whom.
    pub changed: Option<(DateTime<Utc>, String)>,
    /// Holds that are in force.
    pub holds: Vec<Hold>,
}

/// A saved policy.
#[derive(Clone, Debug, Serialize)]
pub struct Saved {
    /// What is in effect now.
    pub policy: Policy,
    /// Until then nothing has left: saving the old policy undoes the change. `None` when the change
    /// lets nothing leave that would have stayed.
    pub undo_until: Option<DateTime<Utc>>,
}

/// How a project keeps its events.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(services: &Services, actor: &Actor, project: ProjectId) -> Result<Retention> {
    actor.require(project, Role::Viewer)?;
    let row = db::retention::find(services.db.orm(), project.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    let newest_change = AuditQuery {
        project: Some(project),
        action: Some(UPDATED.to_owned()),
        page: PageRequest::first(1),
        ..AuditQuery::default()
    };
    // Whoever may see the policy may see who set it, without the rest of the audit.
    let changes = audit::list(services, &Actor::system(), newest_change).await?;
    Ok(Retention {
        project_id: project,
        policy: Policy::of(&row),
        flag: features::retention_policy(services).await?,
        storage: storage_policies::place_of(services, project, row.own_storage).await?,
        reclass_since: row.reclass_since,
        next_deletion_at: next_deletion(services),
        changed: changes.items.into_iter().next().map(|row| (row.at, row.actor)),
        holds: holds::in_force(services, project).await?,
        project_name: row.name,
    })
}

/// Changes how a project keeps its events.
///
/// A change that lets events leave earlier needs the project's name in `confirm`.
///
/// # Errors
/// [`Error::Invalid`] for `days`, `backup_enabled`, `own_storage` and `confirm`;
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Unavailable`] while the leaves of a new class
/// cannot be made: nothing has changed then.
pub async fn save(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    change: &PolicyChange,
    confirm: Option<&str>,
) -> Result<Saved> {
    actor.require(project, Role::ProjectAdmin)?;
    let (before, after) = judge_now(services, project, change, confirm).await?;
    if before == after {
        return Ok(Saved {
            policy: after,
            undo_until: None,
        });
    }
    // Before the transaction: it takes locks of its own, and leaves too many do no harm.
    if before.class() != after.class() {
        partitions::use_class(services, after.class()).await?;
    }
    let at = now(services);
    let txn = services.db.begin().await?;
    let row = db::retention::lock(&txn, project.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    let (before, judged) = policy::judge(services, &txn, &row, change, confirm).await?;
    if judged.class() != after.class() {
        return Err(Error::Conflict(
            "somebody else changed the retention just now; look at it again".to_owned(),
        ));
    }
    db::retention::update(&txn, project.0, settings(judged), at).await?;
    if before.class() != judged.class() {
        db::retention::request_reclass(&txn, project.0, at).await?;
    }
    let change = Change {
        action: UPDATED,
        project: Some(project),
        subject: &row.name,
        subject_id: Some(project.0),
        detail: audit::difference(&before, &judged),
    };
    audit::record(&txn, actor, at, change).await?;
    txn.commit().await?;
    changed(services, project).await;
    Ok(Saved {
        policy: judged,
        undo_until: judged.shortens(before).then(|| next_deletion(services)),
    })
}

/// The policy before and after `change`, as things stand.
async fn judge_now(
    services: &Services,
    project: ProjectId,
    change: &PolicyChange,
    confirm: Option<&str>,
) -> Result<(Policy, Policy)> {
    let txn = services.db.begin().await?;
    let row = db::retention::find(txn.orm(), project.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    policy::judge(services, &txn, &row, change, confirm).await
}

/// The class of a new project's rows.
pub(crate) fn default_class(services: &Services) -> KeepDays {
    default_policy(services).class()
}

/// Makes the leaves of [`default_class`], before a project may have it.
pub(crate) async fn prepare_default(services: &Services) -> Result<()> {
    match default_class(services) {
        KeepDays::FOR_EVER => Ok(()),
        class => partitions::use_class(services, class).await,
    }
}

/// Gives a new project the policy that the configuration says, in the transaction that makes it.
/// Days are copied first when there is a place for copies.
pub(crate) async fn apply_default(
    services: &Services,
    txn: &Txn,
    project: ProjectId,
    at: DateTime<Utc>,
) -> Result<()> {
    let policy = default_policy(services);
    let has_place = db::storage_policies::newest(txn.orm(), None).await?.is_some();
    let policy = Policy {
        backup: policy.on && has_place,
        ..policy
    };
    Ok(db::retention::update(txn, project.0, settings(policy), at).await?)
}

fn default_policy(services: &Services) -> Policy {
    let options = &services.options.lifecycle;
    Policy {
        on: options.retention_on,
        days: options.retention_days.clamp(1, policy::MOST_DAYS),
        backup: false,
        own_storage: false,
    }
}

fn settings(policy: Policy) -> RetentionSettings {
    RetentionSettings {
        on: policy.on,
        days: policy.days.cast_signed(),
        backup: policy.backup,
        own_storage: policy.own_storage,
        class: policy.class(),
    }
}

/// Puts the project's own storage policy to use, or the instance's, inside of a larger change.
pub(crate) async fn use_own_storage(
    txn: &Txn,
    actor: &Actor,
    project: ProjectId,
    own: bool,
    at: DateTime<Utc>,
) -> Result<()> {
    let row = db::retention::lock(txn, project.0)
        .await?
        .ok_or(Error::NotFound("project"))?;
    let before = Policy::of(&row);
    if before.own_storage == own {
        return Ok(());
    }
    let after = Policy {
        own_storage: own,
        ..before
    };
    db::retention::update(txn, project.0, settings(after), at).await?;
    let change = Change {
        action: UPDATED,
        project: Some(project),
        subject: &row.name,
        subject_id: Some(project.0),
        detail: json!({"own_storage": {"from": before.own_storage, "to": own}}),
    };
    audit::record(txn, actor, at, change).await
}

/// When the next deletion run is due.
pub fn next_deletion(services: &Services) -> DateTime<Utc> {
    next_daily(services.clock.now(), services.options.lifecycle.deletion_at)
}

/// The first moment after `now` at which a day's clock shows `time`, in UTC.
fn next_daily(now: DateTime<Utc>, time: NaiveTime) -> DateTime<Utc> {
    let today = now.date_naive();
    let due = today.and_time(time).and_utc();
    if due > now {
        return due;
    }
    let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
    tomorrow.and_time(time).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daily_moment_is_today_until_it_has_come() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let time = NaiveTime::from_hms_opt(2, 15, 0).expect("a time");
        assert_eq!(
            next_daily(at("2026-11-20T02:14:59Z"), time),
            at("2026-11-20T02:15:00Z")
        );
        assert_eq!(
            next_daily(at("2026-11-20T02:15:00Z"), time),
            at("2026-11-21T02:15:00Z")
        );
    }
}
