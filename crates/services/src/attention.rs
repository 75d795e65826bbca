//! What about the life of data wants a person: backups that fail, leaves that may not leave, segments
//! that are damaged.

use chrono::{DateTime, Days, NaiveDate, Utc};
use db::backups::{self, BackupDay};
use domain::id::ProjectId;
use domain::role::Role;
use serde::Serialize;

use crate::Services;
use crate::access::Actor;
use crate::archive::maintain::gauges::OVERDUE;
use crate::error::Result;
use crate::features;

/// Leaves that are named; the page of partitions has all.
const NAMED: usize = 3;
/// Days that wait are told once they have been over for so many days: retries of a day go on that long.
const PATIENCE: Days = Days::new(2);
/// Rows in a default leaf are counted so far.
const COUNTED: i64 = 1_000_000;

/// What wants a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Wants {
    /// Days of a project cannot be backed up; nothing of them is dropped.
    BackupFailing {
        /// The first of them.
        first: NaiveDate,
        /// How many.
        days: usize,
        /// Why the first one could not.
        why: String,
    },
    /// Days of a project have waited for long to be backed up, or to be once more.
    Uncovered {
        /// The first of them.
        first: NaiveDate,
        /// How many.
        days: usize,
        /// What they wait for.
        why: String,
    },
    /// Leaves are over and could not be dropped.
    Refused {
        /// Some of them.
        leaves: Vec<String>,
        /// How many.
        count: usize,
        /// Why the first one could not.
        why: String,
    },
    /// Objects of a project's archive are damaged, or hold what nothing else holds.
    Quarantined {
        /// How many.
        segments: usize,
        /// What is wrong with the first one.
        why: String,
    },
    /// Segments were not read back for 60 days.
    Unverified {
        /// How many.
        segments: i64,
    },
    /// Rows lie outside of every day.
    InDefault {
        /// The table.
        table: &'static str,
        /// Rows, counted up to a million.
        rows: i64,
    },
    /// Projects say that their days end, but nothing is deleted on this instance.
    FeatureOff {
        /// How many projects.
        projects: usize,
    },
}

/// Something that wants a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What.
    #[serde(flatten)]
    pub wants: Wants,
    /// The project, when it is one's own.
    pub project: Option<ProjectId>,
    /// Since when, as far as it is known.
    pub since: Option<DateTime<Utc>>,
}

/// What wants a person, of the projects that the actor may look at; what is the instance's only for its
/// admins. The worst first.
///
/// # Errors
/// [`crate::Error::Unavailable`] while PostgreSQL is away.
pub async fn list(services: &Services, actor: &Actor) -> Result<Vec<Item>> {
    let may_see = |project: ProjectId| actor.require(project, Role::Viewer).is_ok();
    let mut items = quarantined(services).await?;
    let (failing, waiting) = uncovered(services).await?;
    items.extend(failing);
    items.retain(|item| item.project.is_some_and(may_see));
    if actor.require_instance().is_ok() {
        items.extend(of_instance(services).await?);
    }
    items.extend(
        waiting
            .into_iter()
            .filter(|item| item.project.is_some_and(may_see)),
    );
    Ok(items)
}

async fn quarantined(services: &Services) -> Result<Vec<Item>> {
    let mut items: Vec<Item> = Vec::new();
    for (_, project, at, why) in db::segment_figures::quarantined(&services.db).await? {
        let known = items.iter_mut().find(|item| item.project == Some(project));
        if let Some(Item {
            wants: Wants::Quarantined { segments, .. },
            ..
        }) = known
        {
            *segments += 1;
            continue;
        }
        items.push(Item {
            wants: Wants::Quarantined { segments: 1, why },
            project: Some(project),
            since: Some(at),
        });
    }
    Ok(items)
}

/// Days that failed, and days that wait although they have ended, per project.
async fn uncovered(services: &Services) -> Result<(Vec<Item>, Vec<Item>)> {
    let subjects = backups::subjects(&services.db).await?;
    let mut open = backups::uncovered(&services.db).await?;
    let today = services.clock.now().date_naive();
    open.retain(|open| open.state == "failed" || open.day + PATIENCE < today);
    let (mut failing, mut waiting) = (Vec::new(), Vec::new());
    for subject in subjects {
        let own = |failed: bool| -> Vec<&BackupDay> {
            open.iter()
                .filter(|day| day.project_id == subject.id && (day.state == "failed") == failed)
                .collect()
        };
        for (failed, items) in [(true, &mut failing), (false, &mut waiting)] {
            let own = own(failed);
            let Some(first) = own.first() else { continue };
            let mut days: Vec<NaiveDate> = own.iter().map(|day| day.day).collect();
            days.dedup();
            let (day, count, why) = (first.day, days.len(), first.error.clone().unwrap_or_default());
            let wants = if failed {
                Wants::BackupFailing {
                    first: day,
                    days: count,
                    why,
                }
            } else {
                Wants::Uncovered {
                    first: day,
                    days: count,
                    why,
                }
            };
            items.push(Item {
                wants,
                project: Some(subject.id),
                since: own.iter().filter_map(|day| day.failed_since).min(),
            });
        }
    }
    Ok((failing, waiting))
}

async fn of_instance(services: &Services) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut add = |wants, since| {
        items.push(Item {
            wants,
            project: None,
            since,
        });
    };
    let mut refused = db::partition_view::drops(&services.db, 0).await?;
    refused.retain(|leaf| leaf.state == "refused");
    refused.sort_by_key(|leaf| leaf.since);
    if let Some(first) = refused.first() {
        let wants = Wants::Refused {
            leaves: refused.iter().take(NAMED).map(|leaf| leaf.leaf.clone()).collect(),
            count: refused.len(),
            why: first.reason.clone().unwrap_or_default(),
        };
        add(wants, Some(first.since));
    }
    let now = services.clock.now();
    let figures = db::segment_figures::figures(&services.db, now - OVERDUE).await?;
    if figures.unverified > 0 {
        add(
            Wants::Unverified {
                segments: figures.unverified,
            },
            figures.oldest_verified,
        );
    }
    for (table, rows) in db::partitions::rows_in_default(&services.db, COUNTED).await? {
        if rows > 0 {
            add(Wants::InDefault { table, rows }, None);
        }
    }
    let keepers = db::partition_view::keepers(&services.db).await?;
    let ending = keepers.iter().filter(|keeper| keeper.keep_days.0 > 0).count();
    if ending > 0 && !features::retention_policy(services).await?.on {
        add(Wants::FeatureOff { projects: ending }, None);
    }
    Ok(items)
}
