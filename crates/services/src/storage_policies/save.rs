//! New versions of a policy: tried out first, and written down with their secrets encrypted.

use chrono::{DateTime, Utc};
use db::Txn;
use db::entities::storage_policy;
use domain::id::StoragePolicyId;
use domain::role::Role;
use domain::storage::{ProbeReport, StoragePolicy};
use serde_json::{Value, json};

use super::{Effective, Origin, Scope, newest, open, test};
use crate::Services;
use crate::access::Actor;
use crate::audit::{self, Change};
use crate::changed::{changed, now};
use crate::error::{Error, Result};

/// What came of saving.
#[derive(Clone, Debug)]
pub enum Saved {
    /// The policy is in effect.
    Done {
        /// The version; an older one when nothing was changed.
        id: StoragePolicyId,
        /// Its number.
        version: i32,
        /// What the try found.
        report: ProbeReport,
    },
    /// The policy does not work as it is; what was in effect before still is.
    Unfit(ProbeReport),
}

/// Saves a policy as a new version and puts it to use, for a project as its own. Masked secrets are
/// those of the version before.
///
/// The policy is tried out first. One that fails is not saved, unless `even_if_unfit`.
///
/// # Errors
/// [`Error::Invalid`] by the names of the documented JSON, `s3.bucket` and the like;
/// [`Error::Conflict`] while the configuration decides; [`Error::NotFound`], [`Error::Forbidden`].
pub async fn save(
    services: &Services,
    actor: &Actor,
    scope: Scope,
    origin: Origin,
    policy: StoragePolicy,
    even_if_unfit: bool,
) -> Result<Saved> {
    scope.require(services, actor, Role::ProjectAdmin).await?;
    if scope == Scope::Instance && services.options.storage.is_some() {
        return Err(Error::Conflict(
            "the configuration says where copies lie; change it there (storage, CONVOY_STORAGE_...)"
                .to_owned(),
        ));
    }
    let before = newest(services, scope).await?;
    let policy = policy.with_secrets_of(before.as_ref().map(|before| &before.policy));
    test::check(services, actor, &policy).await?;
    let report = test::probe(&policy).await;
    if !report.is_ready() && !even_if_unfit {
        return Ok(Saved::Unfit(report));
    }
    let made = Made {
        scope,
        origin,
        policy,
        report: Some(report.clone()),
    };
    let (id, version) = add(services, actor, made).await?;
    Ok(Saved::Done { id, version, report })
}

/// Makes the configured storage the instance's newest version, when it is not. To be called when a
/// process starts; `None` when the configuration names no storage.
///
/// # Errors
/// As every statement.
pub async fn sync_configuration(services: &Services) -> Result<Option<StoragePolicyId>> {
    let Some(policy) = services.options.storage.clone() else {
        return Ok(None);
    };
    let made = Made {
        scope: Scope::Instance,
        origin: Origin::Configuration,
        policy,
        report: None,
    };
    let (id, _) = add(services, &Actor::system(), made).await?;
    Ok(Some(id))
}

/// A version to add.
struct Made {
    scope: Scope,
    origin: Origin,
    policy: StoragePolicy,
    report: Option<ProbeReport>,
}

/// Adds a version, unless the newest one says the same.
async fn add(services: &Services, actor: &Actor, made: Made) -> Result<(StoragePolicyId, i32)> {
    let at = now(services);
    let txn = services.db.begin().await?;
    db::storage_policies::lock(&txn).await?;
    let before = db::storage_policies::newest(txn.orm(), made.scope.column())
        .await?
        .map(|row| open(services, row))
        .transpose()?;
    let (id, version) = match &before {
        Some(before) if before.policy == made.policy => (before.id, before.version),
        _ => insert(services, &txn, actor, before.as_ref(), &made, at).await?,
    };
    if let Scope::Project(project) = made.scope {
        crate::retention::use_own_storage(&txn, actor, project, true, at).await?;
    }
    txn.commit().await?;
    if let Some(report) = &made.report {
        let report = serde_json::to_value(report).map_err(Error::internal)?;
        db::storage_policies::record_probe(&services.db, id.0, &report, at).await?;
    }
    if let Scope::Project(project) = made.scope {
        changed(services, project).await;
    }
    Ok((id, version))
}

async fn insert(
    services: &Services,
    txn: &Txn,
    actor: &Actor,
    before: Option<&Effective>,
    made: &Made,
    at: DateTime<Utc>,
) -> Result<(StoragePolicyId, i32)> {
    let id = StoragePolicyId::at(at);
    let version = before.map_or(1, |before| before.version + 1);
    let (settings, secrets) = made.policy.split();
    let sealed = match &secrets {
        Some(secrets) => {
            let clear = serde_json::to_vec(secrets).map_err(Error::internal)?;
            Some(services.vault.seal(&clear)?)
        }
        None => None,
    };
    let row = storage_policy::Model {
        id: id.0,
        project_id: made.scope.column(),
        version,
        kind: made.policy.kind().to_owned(),
        settings,
        secrets: sealed,
        origin: made.origin.as_str().to_owned(),
        probe: None,
        probed_at: None,
        created_at: at,
        created_by: actor.label.clone(),
    };
    db::storage_policies::insert(txn, row).await?;
    let old = before.map_or_else(|| json!({}), |before| parts(&before.policy));
    let change = Change {
        action: "storage.updated",
        project: made.scope.project(),
        subject: &made.policy.place(),
        subject_id: Some(id.0),
        detail: audit::difference(&old, &parts(&made.policy)),
    };
    audit::record(txn, actor, at, change).await?;
    Ok((id, version))
}

/// What the audit compares. Of `secrets` it tells only that they changed.
fn parts(policy: &StoragePolicy) -> Value {
    let (settings, secrets) = policy.split();
    json!({"policy": settings, "secrets": secrets})
}
