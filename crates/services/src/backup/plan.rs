//! Which days a backup has to cover, oldest first.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use db::backups::{self, Subject};
use domain::id::ProjectId;
use domain::lifecycle::{Part, next_day};

use super::coverage;
use crate::Services;
use crate::error::Result;

/// One day and part, for every project that needs it: their rows are read in one pass.
#[derive(Debug)]
pub(super) struct Step {
    /// The day.
    pub(super) day: NaiveDate,
    /// What of it.
    pub(super) part: Part,
    /// For whom.
    pub(super) subjects: Vec<Subject>,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (day, part, projects) = (self.day, self.part.as_str(), self.subjects.len());
        write!(f, "{day}, {part} of {projects} projects")
    }
}

/// Every ended day behind the watermarks, and covered days of which rows came or changed since and
/// that are about to leave.
///
/// # Errors
/// As every statement.
pub(super) async fn steps(
    services: &Services,
    subjects: &[Subject],
    now: DateTime<Utc>,
) -> Result<Vec<Step>> {
    let mut wanted: BTreeMap<(NaiveDate, Part), BTreeSet<ProjectId>> = BTreeMap::new();
    let today = now.date_naive();
    if let Some(first) = backups::first_day(&services.db).await? {
        for subject in subjects {
            for part in Part::ALL {
                let begin = begin(subject, part, first);
                let covered = covered(services, subject.id, part, begin, today).await?;
                let days = std::iter::successors(Some(begin), |day| Some(next_day(*day)));
                for day in days
                    .take_while(|day| *day < today)
                    .filter(|day| !covered.contains(day))
                {
                    wanted.entry((day, part)).or_default().insert(subject.id);
                }
            }
        }
    }
    for open in backups::uncovered(&services.db).await? {
        if open.day < today && subjects.iter().any(|subject| subject.id == open.project_id) {
            wanted
                .entry((open.day, open.part))
                .or_default()
                .insert(open.project_id);
        }
    }
    changed_before_they_leave(services, subjects, now, &mut wanted).await?;
    let step = |((day, part), ids): ((NaiveDate, Part), BTreeSet<ProjectId>)| Step {
        day,
        part,
        subjects: subjects
            .iter()
            .filter(|subject| ids.contains(&subject.id))
            .cloned()
            .collect(),
    };
    Ok(wanted.into_iter().map(step).collect())
}

/// The first day that the project may need: behind its watermark, or its first day with rows.
fn begin(subject: &Subject, part: Part, first: NaiveDate) -> NaiveDate {
    let through = match part {
        Part::Events => subject.through[0],
        Part::Deliveries => subject.through[1],
    };
    // Imported events may be older than their project.
    through.map_or(first, next_day)
}

async fn covered(
    services: &Services,
    project: ProjectId,
    part: Part,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<BTreeSet<NaiveDate>> {
    let days = backups::days(&services.db, project, from, to).await?;
    let covered = days
        .into_iter()
        .filter(|day| day.part == part && day.state == "covered");
    Ok(covered.map(|day| day.day).collect())
}

/// Leaves whose period is over are compared once more, so that a late row does not keep its leaf for
/// another night.
async fn changed_before_they_leave(
    services: &Services,
    subjects: &[Subject],
    now: DateTime<Utc>,
    wanted: &mut BTreeMap<(NaiveDate, Part), BTreeSet<ProjectId>>,
) -> Result<()> {
    let ids: Vec<ProjectId> = subjects.iter().map(|subject| subject.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let expired: BTreeSet<NaiveDate> = crate::deletion::expired(services, now)
        .await?
        .into_iter()
        .map(|unit| unit.day)
        .collect();
    for day in expired {
        for (project, part) in coverage::compare(services, &ids, day, None).await?.uncovered {
            wanted.entry((day, part)).or_default().insert(project);
        }
    }
    Ok(())
}
