//! Who changed what: written in the transaction of the change, never changed after.

use chrono::{DateTime, Utc};
use domain::id::{AuditId, ProjectId};
use domain::role::Role;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::access::{Actor, ActorKind};
use crate::fields;
use crate::page::{Page, PageRequest};
use crate::{Result, Services};

/// Keys of which an audit row tells only that they changed.
const CONFIDENTIAL: [&str; 5] = [
    "authentication",
    "secret",
    "secrets",
    "slack_webhook_url",
    "teams_webhook_url",
];

/// One change and who made it.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRow {
    /// Its id.
    pub id: AuditId,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// User or API key.
    pub actor_id: Option<Uuid>,
    /// Name of the actor at that time.
    pub actor: String,
    /// `endpoint.created` and the like.
    pub action: String,
    /// The project that it happened in.
    pub project_id: Option<ProjectId>,
    /// Name of the changed thing at that time.
    pub subject: String,
    /// The changed thing.
    pub subject_id: Option<Uuid>,
    /// What changed, key by key: `{"name": {"from": "a", "to": "b"}}`. Never a secret.
    pub detail: Value,
    /// Network address of the client.
    pub address: Option<String>,
}

/// Which rows to list; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// What happened in this project. Without: everything, only for instance admins.
    pub project: Option<ProjectId>,
    /// Part of the actor's name, in any case of letters.
    pub actor: Option<String>,
    /// The action, or its first part: `endpoint` finds `endpoint.created`.
    pub action: Option<String>,
    /// Which page.
    pub page: PageRequest,
}

/// Changes, newest first unless asked otherwise.
///
/// # Errors
/// [`crate::Error::Forbidden`] for whoever is no admin of the project, or, without a project, of
/// the instance.
pub async fn list(services: &Services, actor: &Actor, query: AuditQuery) -> Result<Page<AuditRow>> {
    match query.project {
        Some(project) => actor.require(project, Role::ProjectAdmin)?,
        None => actor.require_instance()?,
    }
    let filter = db::audit::AuditFilter {
        project: query.project.map(|id| id.0),
        actor: fields::search("actor", query.actor)?,
        action: fields::search("action", query.action)?,
    };
    let page = db::audit::page(services.db.orm(), &filter, query.page).await?;
    Ok(page.map(|row| AuditRow {
        id: AuditId(row.id),
        at: row.at,
        actor_id: row.actor_id,
        actor: row.actor,
        action: row.action,
        project_id: row.project_id.map(ProjectId),
        subject: row.subject,
        subject_id: row.subject_id,
        detail: row.detail,
        address: row.address,
    }))
}

/// A change to write down.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// `endpoint.created` and the like: the thing, a dot, what was done.
    pub action: &'a str,
    /// The project that it happens in.
    pub project: Option<ProjectId>,
    /// Name of the changed thing.
    pub subject: &'a str,
    /// The changed thing.
    pub subject_id: Option<Uuid>,
    /// What changed; see [`difference`].
    pub detail: Value,
}

/// Writes a change down, in the transaction that makes it.
///
/// # Errors
/// As every statement.
pub async fn record(txn: &db::Txn, actor: &Actor, at: DateTime<Utc>, change: Change<'_>) -> Result<()> {
    let actor_id = match actor.kind {
        ActorKind::User(id) => Some(id.0),
        ActorKind::ApiKey(id) => Some(id.0),
        ActorKind::System => None,
    };
    let row = db::entities::audit::Model {
        id: AuditId::at(at).0,
        at,
        actor_id,
        actor: actor.label.clone(),
        action: change.action.to_owned(),
        project_id: change.project.map(|id| id.0),
        subject: change.subject.to_owned(),
        subject_id: change.subject_id,
        detail: change.detail,
        address: actor.address.clone(),
    };
    Ok(db::audit::insert(txn, row).await?)
}

/// Writes down an act that has no transaction of its own, such as a resend.
///
/// # Errors
/// As every statement.
pub(crate) async fn note(
    services: &Services,
    actor: &Actor,
    action: &str,
    project: Option<ProjectId>,
    (subject, subject_id): (&str, Option<Uuid>),
) -> Result<()> {
    let txn = services.db.begin().await?;
    let change = Change {
        action,
        project,
        subject,
        subject_id,
        detail: json!({}),
    };
    record(&txn, actor, services.clock.now(), change).await?;
    Ok(txn.commit().await?)
}

/// What differs between two states of a thing, key by key; of confidential keys only that they
/// differ.
pub fn difference(before: &impl Serialize, after: &impl Serialize) -> Value {
    let (Ok(Value::Object(before)), Ok(Value::Object(after))) =
        (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return json!({});
    };
    Value::Object(compare(&before, &after))
}

fn compare(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let mut changes = Map::new();
    let keys = before
        .keys()
        .chain(after.keys().filter(|key| !before.contains_key(*key)));
    for key in keys {
        let from = before.get(key).unwrap_or(&Value::Null);
        let to = after.get(key).unwrap_or(&Value::Null);
        if from == to || key == "updated_at" {
            continue;
        }
        let change = match (from, to) {
            _ if CONFIDENTIAL.contains(&key.as_str()) => json!({"changed": true}),
            (Value::Object(from), Value::Object(to)) => Value::Object(compare(from, to)),
            _ => json!({"from": from, "to": to}),
        };
        changes.insert(key.clone(), change);
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_changed_and_hides_what_is_secret() {
        let before = json!({"name": "a", "url": "x", "config": {"n": 1, "secret": "old"}, "updated_at": 1});
        let after = json!({"name": "b", "url": "x", "config": {"n": 2, "secret": "new"}, "updated_at": 2});
        let told = difference(&before, &after);
        assert_eq!(
            told,
            json!({
                "name": {"from": "a", "to": "b"},
                "config": {"n": {"from": 1, "to": 2}, "secret": {"changed": true}},
            })
        );
    }
}
