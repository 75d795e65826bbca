//! From the use cases to the audit page.

use domain::id::ProjectId;
use serde_json::Value;
use services::audit::{self, AuditQuery, AuditRow as Change};

use super::dto::{AuditDto, AuditRow};
use crate::{
    context::{Viewing, viewing},
    error::UiError,
    features::query::ListQuery,
    format::{self, Stamp},
    ui::load::Place,
};

/// Filter words of the list.
const KEYS: &[&str] = &["action", "actor", "project"];

/// What the audit page shows.
///
/// # Errors
/// When the viewer is no instance admin or a store is away.
pub async fn list(place: Place) -> Result<AuditDto, UiError> {
    let by = viewing().await?;
    by.actor.require_instance()?;
    let query = ListQuery::parse(&place.query, KEYS, "actor");
    let project = query.word("project").map(|text| project_called(&by, text));
    let wanted = AuditQuery {
        project,
        actor: query.word("actor").map(str::to_owned),
        action: query.word("action").map(str::to_owned),
        page: query.page(),
    };
    let started = std::time::Instant::now();
    let page = audit::list(&by.services, &by.actor, wanted).await?;
    let took = format::duration_ms(started.elapsed().as_millis() as u64);
    let note = match page.items.len() {
        1 => "1 row".to_owned(),
        n => format!("{n} rows"),
    };
    Ok(AuditDto {
        filter: query.filter(false),
        pager: query.pager(&page, note, format!("Query took {took}")),
        rows: page.items.iter().map(|change| row(change, &by)).collect(),
    })
}

/// A project by name or id; one that nobody is called matches nothing.
fn project_called(by: &Viewing, text: &str) -> ProjectId {
    let named = by
        .viewer
        .projects
        .iter()
        .find(|p| p.name.eq_ignore_ascii_case(text) || p.id.to_string() == text);
    named.map_or(ProjectId(uuid::Uuid::nil()), |p| p.id)
}

fn row(change: &Change, by: &Viewing) -> AuditRow {
    let project = change.project_id.map(|id| {
        by.viewer
            .projects
            .iter()
            .find(|p| p.id == id)
            .map_or_else(|| id.to_string(), |p| p.name.clone())
    });
    AuditRow {
        action: change.action.clone(),
        actor: change.actor.clone(),
        target: change.subject.clone(),
        project: project.unwrap_or_default(),
        detail: brief(&change.detail),
        ip: change.address.clone().unwrap_or_default(),
        at: Stamp::row(change.at, by.now),
    }
}

/// A difference in one line: `name: a to b, config.strategy.retry_count: 5 to 10`.
fn brief(detail: &Value) -> String {
    let mut parts = Vec::new();
    flatten("", detail, &mut parts);
    parts.join(", ")
}

fn flatten(path: &str, value: &Value, parts: &mut Vec<String>) {
    let Value::Object(map) = value else {
        parts.push(format!("{path}: {}", plain(value)));
        return;
    };
    if let (Some(from), Some(to)) = (map.get("from"), map.get("to")) {
        parts.push(format!("{path}: {} to {}", plain(from), plain(to)));
    } else if map.get("changed") == Some(&Value::Bool(true)) {
        parts.push(format!("{path}: changed"));
    } else {
        for (key, child) in map {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            flatten(&path, child, parts);
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::brief;
    use serde_json::json;

    #[test]
    fn a_difference_is_told_in_one_line() {
        let detail = json!({
            "name": { "from": "a", "to": "b" },
            "config": { "strategy": { "retry_count": { "from": 5, "to": 10 } } },
            "secret": { "changed": true },
            "owner_id": { "from": null, "to": "" },
        });
        assert_eq!(
            brief(&detail),
            "config.strategy.retry_count: 5 to 10, name: a to b, owner_id: none to empty, secret: changed"
        );
    }
}
