//! Endpoints: where deliveries go, how they are signed, and whether they go at all.
//!
//! An address that is written out as numbers is judged when it is saved. A name is judged by what it
//! leads to when a delivery is sent, because names change their addresses. Nothing is called when it
//! is saved.

mod check;
mod model;
mod read;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use db::Txn;
use db::endpoints::EndpointFilter;
use db::entities::{endpoint, endpoint_secret};
use domain::id::{EndpointId, ProjectId, SecretId};
use domain::role::Role;
use domain::state::EndpointState;
use serde_json::{Value, json};
use uuid::Uuid;

pub use model::{
    ApiKeyInput, Authentication, AuthenticationInput, BasicAuthInput, Endpoint, EndpointQuery,
    EndpointSecret, EndpointUpdate, NewEndpoint, REDACTED, Rotation, SignatureFormat,
};

use crate::access::{Actor, ActorKind};
use crate::audit::{self, Change};
use crate::changed::{changed, now};
use crate::delivery::sender::address_policy;
use crate::error::{Error, Result};
use crate::fields::{self, Fields};
use crate::page::Page;
use crate::{Services, projects};

use check::Rules;
use read::{read, read_secret};

/// Longest time for which an older secret keeps signing, in seconds: a year.
const MAX_EXPIRATION: u32 = 366 * 86_400;
/// Most secrets that sign at once: each of them makes every delivery's header longer.
const MAX_SECRETS: usize = 5;

/// Makes an endpoint. Its secret is in the answer in clear.
///
/// # Errors
/// [`Error::Invalid`] for any field, all of them at once; [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn create(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    new: NewEndpoint,
) -> Result<Endpoint> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let (_, config) = projects::settings(&txn, project).await?;

    let mut fields = Fields::new();
    let given = new.secret.clone();
    let addresses = address_policy(&services.options.delivery)?;
    let rules = Rules {
        config: &config,
        addresses: &addresses,
        vault: &services.vault,
        at,
    };
    let row = check::new_row(&mut fields, &rules, project, new)?;
    let format = SignatureFormat::parse(&row.signature_format).unwrap_or_default();
    let secret = check::secret(&mut fields, given.as_deref(), format);
    fields.finish()?;

    let secret = secret_row(row.id, &services.vault.seal_text(&secret)?, at);
    db::endpoints::insert(&txn, row.clone()).await?;
    db::endpoints::insert_secret(&txn, secret.clone()).await?;
    let endpoint = read(services, row, &[secret], true)?;
    record(
        &txn,
        actor,
        at,
        "endpoint.created",
        &endpoint,
        json!({"url": endpoint.url}),
    )
    .await?;
    txn.commit().await?;
    changed(services, project).await;
    Ok(endpoint)
}

/// The endpoints of a project.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`] for a search text that cannot be searched for.
pub async fn list(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    query: EndpointQuery,
) -> Result<Page<Endpoint>> {
    actor.require(project, Role::Viewer)?;
    let filter = EndpointFilter {
        name: fields::search("q", query.q)?,
        owner_id: fields::search("ownerId", query.owner_id)?,
    };
    let page = db::endpoints::page(services.db.orm(), project.0, &filter, query.page).await?;
    let ids: Vec<Uuid> = page.items.iter().map(|row| row.id).collect();
    let mut secrets = secrets_of(services, &ids).await?;
    let clear = shows_secrets(actor, project);
    page.try_map(|row| {
        let secrets = secrets.remove(&row.id).unwrap_or_default();
        read(services, row, &secrets, clear)
    })
}

/// Those of `ids` that belong to the project, deleted ones included, for pages that name endpoints.
///
/// Without secrets.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn by_ids(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    ids: &[EndpointId],
) -> Result<Vec<Endpoint>> {
    actor.require(project, Role::Viewer)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = db::endpoints::by_ids(services.db.orm(), project.0, &ids).await?;
    rows.into_iter()
        .map(|row| read(services, row, &[], false))
        .collect()
}

/// An endpoint.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn get(services: &Services, actor: &Actor, project: ProjectId, id: EndpointId) -> Result<Endpoint> {
    actor.require(project, Role::Viewer)?;
    let row = db::endpoints::find(services.db.orm(), project.0, id.0)
        .await?
        .ok_or(Error::NotFound("endpoint"))?;
    let secrets = secrets_of(services, &[id.0])
        .await?
        .remove(&id.0)
        .unwrap_or_default();
    read(services, row, &secrets, shows_secrets(actor, project))
}

/// Changes an endpoint.
///
/// # Errors
/// [`Error::Invalid`] for any field, all of them at once; [`Error::NotFound`],
/// [`Error::Forbidden`].
pub async fn update(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EndpointId,
    update: EndpointUpdate,
) -> Result<Endpoint> {
    change(
        services,
        actor,
        project,
        id,
        "endpoint.updated",
        async |txn, row, at| {
            let (_, config) = projects::settings(txn, project).await?;
            let mut fields = Fields::new();
            let addresses = address_policy(&services.options.delivery)?;
            let rules = Rules {
                config: &config,
                addresses: &addresses,
                vault: &services.vault,
                at,
            };
            check::apply(&mut fields, &rules, row, update)?;
            fields.finish()
        },
    )
    .await
}

/// Deletes an endpoint and its subscriptions. What waits for it is not sent any more.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn delete(services: &Services, actor: &Actor, project: ProjectId, id: EndpointId) -> Result<()> {
    change(
        services,
        actor,
        project,
        id,
        "endpoint.deleted",
        async |txn, row, at| {
            row.deleted_at = Some(at);
            row.updated_at = at;
            db::subscriptions::delete_of_endpoint(txn, row.id, at).await?;
            Ok(())
        },
    )
    .await?;
    Ok(())
}

/// Adds a signing secret. The older ones keep signing for `expiration` seconds and then go.
///
/// # Errors
/// [`Error::Invalid`] for `secret` and `expiration`; [`Error::Conflict`] when too many secrets
/// would sign at once; [`Error::NotFound`], [`Error::Forbidden`].
pub async fn rotate_secret(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EndpointId,
    rotation: Rotation,
) -> Result<Endpoint> {
    let rotated = change(
        services,
        actor,
        project,
        id,
        "endpoint.secret_rotated",
        async |txn, row, at| {
            let mut fields = Fields::new();
            fields.number("expiration", rotation.expiration, 0, MAX_EXPIRATION);
            let format = SignatureFormat::parse(&row.signature_format).unwrap_or_default();
            let secret = check::secret(&mut fields, rotation.secret.as_deref(), format);
            fields.finish()?;

            let until = at + TimeDelta::seconds(i64::from(rotation.expiration));
            db::endpoints::expire_secrets(txn, row.id, until, at).await?;
            let signing = db::endpoints::secrets(txn.orm(), &[row.id], at).await?.len();
            if signing >= MAX_SECRETS {
                return Err(Error::Conflict(format!(
                    "{signing} secrets sign already; wait until one expires, or rotate with expiration 0"
                )));
            }
            let sealed = services.vault.seal_text(&secret)?;
            db::endpoints::insert_secret(txn, secret_row(row.id, &sealed, at)).await?;
            row.updated_at = at;
            Ok(())
        },
    )
    .await?;
    let secrets = open_secrets(services, id).await?;
    Ok(Endpoint { secrets, ..rotated })
}

/// Holds the deliveries of an active endpoint, or lets those of a paused one go.
///
/// # Errors
/// [`Error::Conflict`] when it is inactive; [`Error::NotFound`], [`Error::Forbidden`].
pub async fn toggle_pause(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EndpointId,
) -> Result<Endpoint> {
    let endpoint = change(
        services,
        actor,
        project,
        id,
        "endpoint.pause_toggled",
        async |_, row, at| {
            let (state, reason) = match EndpointState::from_code(row.state) {
                Some(EndpointState::Active) => (EndpointState::Paused, Some("held by a person")),
                Some(EndpointState::Paused) => (EndpointState::Active, None),
                Some(EndpointState::Inactive) | None => {
                    return Err(Error::Conflict(
                        "the endpoint is inactive; activate it first".to_owned(),
                    ));
                }
            };
            check::set_state(row, state, reason, at);
            Ok(())
        },
    )
    .await?;
    release_held(services, project, &endpoint);
    Ok(endpoint)
}

/// Lets an inactive or paused endpoint take deliveries.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn activate(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EndpointId,
) -> Result<Endpoint> {
    let endpoint = change(
        services,
        actor,
        project,
        id,
        "endpoint.activated",
        async |_, row, at| {
            check::set_state(row, EndpointState::Active, None, at);
            Ok(())
        },
    )
    .await?;
    release_held(services, project, &endpoint);
    Ok(endpoint)
}

/// Switches an endpoint off because it does not answer; done by the product itself.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away.
pub(crate) async fn switch_off(
    services: &Services,
    project: ProjectId,
    id: EndpointId,
    reason: &str,
) -> Result<()> {
    let actor = Actor::system();
    change(
        services,
        &actor,
        project,
        id,
        "endpoint.switched_off",
        async |_, row, at| {
            check::set_state(row, EndpointState::Inactive, Some(reason), at);
            Ok(())
        },
    )
    .await
    .map(drop)
}

/// What waited for the endpoint goes out now.
fn release_held(services: &Services, project: ProjectId, endpoint: &Endpoint) {
    if endpoint.state == EndpointState::Active {
        crate::delivery::replay::release(services, project, endpoint.id);
    }
}

/// The secrets of an endpoint in clear. That they were looked at is written down.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn reveal_secrets(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EndpointId,
) -> Result<Vec<EndpointSecret>> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let row = db::endpoints::find(txn.orm(), project.0, id.0)
        .await?
        .ok_or(Error::NotFound("endpoint"))?;
    let endpoint = read(services, row, &[], false)?;
    record(&txn, actor, at, "endpoint.secrets_revealed", &endpoint, json!({})).await?;
    txn.commit().await?;
    open_secrets(services, id).await
}

/// Changes one row under its lock, with its audit row.
async fn change(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    id: EndpointId,
    action: &str,
    apply: impl AsyncFnOnce(&Txn, &mut endpoint::Model, DateTime<Utc>) -> Result<()>,
) -> Result<Endpoint> {
    actor.require(project, Role::ProjectAdmin)?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let mut row = db::endpoints::lock(&txn, project.0, id.0)
        .await?
        .ok_or(Error::NotFound("endpoint"))?;
    let before = read(services, row.clone(), &[], false)?;
    let sealed_before = row.authentication.clone();
    apply(&txn, &mut row, at).await?;
    db::endpoints::update(&txn, row.clone()).await?;
    let secrets = db::endpoints::secrets(txn.orm(), &[id.0], at).await?;
    let after = read(services, row.clone(), &[], false)?;
    let mut detail = audit::difference(&before, &after);
    if row.authentication != sealed_before {
        // Both sides are masked, so that a new password alone would not show.
        detail["authentication"] = json!({"changed": true});
    }
    record(&txn, actor, at, action, &after, detail).await?;
    txn.commit().await?;
    changed(services, project).await;
    read(services, row, &secrets, shows_secrets(actor, project))
}

/// Whether lists and answers show secrets in clear: clients that hold an admin's key of the project
/// read them there. People ask for them, and that is written down.
fn shows_secrets(actor: &Actor, project: ProjectId) -> bool {
    matches!(actor.kind, ActorKind::ApiKey(_)) && actor.require(project, Role::ProjectAdmin).is_ok()
}

async fn open_secrets(services: &Services, id: EndpointId) -> Result<Vec<EndpointSecret>> {
    let rows = db::endpoints::secrets(services.db.orm(), &[id.0], now(services)).await?;
    rows.iter()
        .map(|row| read_secret(&services.vault, row, true))
        .collect()
}

async fn secrets_of(services: &Services, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<endpoint_secret::Model>>> {
    let mut secrets: HashMap<Uuid, Vec<endpoint_secret::Model>> = HashMap::new();
    for row in db::endpoints::secrets(services.db.orm(), ids, now(services)).await? {
        secrets.entry(row.endpoint_id).or_default().push(row);
    }
    Ok(secrets)
}

fn secret_row(endpoint: Uuid, sealed: &[u8], at: DateTime<Utc>) -> endpoint_secret::Model {
    endpoint_secret::Model {
        id: SecretId::at(at).0,
        endpoint_id: endpoint,
        value: sealed.to_vec(),
        expires_at: None,
        created_at: at,
        updated_at: at,
    }
}

async fn record(
    txn: &Txn,
    actor: &Actor,
    at: DateTime<Utc>,
    action: &str,
    endpoint: &Endpoint,
    detail: Value,
) -> Result<()> {
    let change = Change {
        action,
        project: Some(endpoint.project_id),
        subject: &endpoint.name,
        subject_id: Some(endpoint.id.0),
        detail,
    };
    audit::record(txn, actor, at, change).await
}
