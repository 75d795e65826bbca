//! Whether the rows of one day and keep class may leave.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use db::expiry::Blocker;
use db::partitions::LeafId;
use db::segments::ClassDigest;
use domain::id::ProjectId;
use domain::lifecycle::{KeepDays, Part};
use domain::segment::Kind;

use crate::Services;
use crate::backup::coverage;
use crate::error::Result;

/// Why rows stay although their period is over.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// Projects hold them, or keep them longer by now.
    Blocked(Vec<Blocker>),
    /// No segment holds them as they are.
    Uncovered(Vec<(ProjectId, Part)>),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Blocked(blockers) => {
                let texts: Vec<String> = blockers.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("; "))
            }
            Self::Uncovered(parts) => {
                let texts: Vec<String> = parts
                    .iter()
                    .map(|(project, part)| format!("{} of project {project}", part.as_str()))
                    .collect();
                write!(f, "not in the archive as they are: {}", texts.join(", "))
            }
        }
    }
}

/// What a look at a unit found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Why it stays.
    pub(super) refusal: Option<Refusal>,
    /// Projects with backup that have rows in it.
    pub(super) projects: Vec<ProjectId>,
}

/// Looks for everything that keeps the rows of `day` and `class` from leaving, whatever the layout of
/// the tables.
///
/// # Errors
/// As every statement.
pub(super) async fn look(services: &Services, day: NaiveDate, class: KeepDays) -> Result<Found> {
    let blockers = db::expiry::blockers(&services.db, day, class).await?;
    if !blockers.is_empty() {
        return Ok(Found {
            refusal: Some(Refusal::Blocked(blockers)),
            projects: Vec::new(),
        });
    }
    let backed_up = db::expiry::backed_up(&services.db).await?;
    let compared = coverage::compare(services, &backed_up, day, Some(class)).await?;
    Ok(Found {
        refusal: (!compared.uncovered.is_empty()).then_some(Refusal::Uncovered(compared.uncovered)),
        projects: compared.projects.into_iter().collect(),
    })
}

/// What of a leaf, attached or not, no segment holds.
///
/// # Errors
/// As every statement.
pub(super) async fn uncovered(services: &Services, leaf: &LeafId) -> Result<Vec<(ProjectId, Part)>> {
    let Some((kind, part)) = kind_of(leaf.table) else {
        return Ok(Vec::new());
    };
    let backed_up = db::expiry::backed_up(&services.db).await?;
    if backed_up.is_empty() {
        return Ok(Vec::new());
    }
    let held = db::expiry::leaf_digests(&services.db, kind, leaf.day, leaf.keep_days, &backed_up).await?;
    let projects: Vec<ProjectId> = held.keys().copied().collect();
    let stored = stored(services, kind, leaf, &projects).await?;
    let missing = held
        .iter()
        .filter(|(project, digest)| stored.get(project) != Some(digest))
        .map(|(project, _)| (*project, part));
    Ok(missing.collect())
}

async fn stored(
    services: &Services,
    kind: Kind,
    leaf: &LeafId,
    projects: &[ProjectId],
) -> Result<BTreeMap<ProjectId, ClassDigest>> {
    let KeepDays(class) = leaf.keep_days;
    let stored = db::segments::stored_digests(&services.db, projects, kind, leaf.day).await?;
    let of_class = stored
        .into_iter()
        .filter_map(|(project, classes)| Some((project, *classes.get(&class)?)));
    Ok(of_class.collect())
}

/// Which segments hold the rows of a table; `None` for the search index, which is made from events.
fn kind_of(table: &str) -> Option<(Kind, Part)> {
    match table {
        "events" => Some((Kind::Events, Part::Events)),
        "event_deliveries" => Some((Kind::Deliveries, Part::Deliveries)),
        "delivery_attempts" => Some((Kind::Attempts, Part::Deliveries)),
        _ => None,
    }
}

/// Asks for whatever removes the refusal: a reclass run, or another backup of the day.
///
/// # Errors
/// As every statement.
pub(super) async fn ask_for_remedy(
    services: &Services,
    day: NaiveDate,
    refusal: &Refusal,
    now: DateTime<Utc>,
) -> Result<()> {
    match refusal {
        Refusal::Blocked(blockers) => {
            let projects: Vec<ProjectId> = blockers.iter().map(Blocker::project).collect();
            db::expiry::ask_for_reclass(&services.db, &projects, now).await?;
        }
        Refusal::Uncovered(parts) => {
            for (project, part) in parts {
                let why = "rows came or changed after the day was backed up";
                db::backups::reopen(&services.db, (*project, *part, day), why).await?;
            }
        }
    }
    Ok(())
}
