//! What wants a person about keeping, copying and deleting, as rows of the attention list.

use chrono::{DateTime, Utc};
use domain::id::ProjectId;
use services::attention::{Item, Wants};

use crate::{
    context::Viewing,
    error::UiError,
    features::common::Attention,
    format::{self, Stamp},
};

/// What wants a person in one project, or with `None` in all of them and in the instance.
///
/// # Errors
/// When a store is away.
pub async fn wants(by: &Viewing, only: Option<ProjectId>) -> Result<Vec<Attention>, UiError> {
    let items = services::attention::list(&by.services, &by.actor).await?;
    let shown = items.iter().filter(|item| only.is_none() || item.project == only);
    Ok(shown
        .map(|item| {
            let mut row = row(item, by.now);
            let live = item.project.and_then(|id| by.services.catalog.project(id));
            if let Some(live) = live.filter(|_| only.is_none()) {
                row.title = format!("{}: {}", live.name, row.title);
            }
            row
        })
        .collect())
}

fn row(item: &Item, now: DateTime<Utc>) -> Attention {
    let (state, title, text) = words(&item.wants, now);
    let (action, href) = match (&item.wants, item.project) {
        (_, Some(project)) => ("See retention", format!("/projects/{project}/settings/retention")),
        (Wants::Unverified { .. }, None) => ("See jobs", "/system/jobs".to_owned()),
        (Wants::FeatureOff { .. }, None) => ("See storage", "/system/storage".to_owned()),
        (_, None) => ("See partitions", "/system/partitions".to_owned()),
    };
    Attention {
        state: state.to_owned(),
        icon: state.to_owned(),
        title,
        text,
        since: item.since.map(|at| Stamp::ago(at, now)).unwrap_or_default(),
        action: action.to_owned(),
        href,
    }
}

/// State, title and what it means.
fn words(wants: &Wants, now: DateTime<Utc>) -> (&'static str, String, String) {
    match wants {
        Wants::BackupFailing { first, days, why } => (
            "failure",
            format!("Backup of {} is failing", counted(*days, "day")),
            format!(
                "From {} on, nothing of them is dropped: {why}",
                format::day(*first, now)
            ),
        ),
        Wants::Uncovered { first, days, why } => (
            "retry",
            format!("{} still to be backed up", counted(*days, "day")),
            format!("From {} on: {why}", format::day(*first, now)),
        ),
        Wants::Refused { leaves, count, why } => (
            "failure",
            format!(
                "{} could not be dropped",
                counted_as(*count as i64, "leaf", "leaves")
            ),
            format!("{}: {why}", leaves.join(", ")),
        ),
        Wants::Quarantined { segments, why } => (
            "failure",
            format!("{} of the archive in quarantine", counted(*segments, "segment")),
            why.clone(),
        ),
        Wants::Unverified { segments } => (
            "retry",
            format!(
                "{} not read back for 60 days",
                counted_as(*segments, "segment", "segments")
            ),
            "The job scrub reads them back in turns.".to_owned(),
        ),
        Wants::InDefault { table, rows } => (
            "retry",
            format!(
                "{} of {table} outside of every day",
                counted_as(*rows, "row", "rows")
            ),
            "They go home once the partitions of their days exist.".to_owned(),
        ),
        Wants::FeatureOff { projects } => (
            "paused",
            format!(
                "Nothing is deleted, although {} asked for it",
                counted(*projects, "project")
            ),
            "The feature retention-policy is off on this instance.".to_owned(),
        ),
    }
}

fn counted(n: usize, one: &str) -> String {
    counted_as(i64::try_from(n).unwrap_or(i64::MAX), one, &format!("{one}s"))
}

fn counted_as(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", format::count(n), if n == 1 { one } else { many })
}
