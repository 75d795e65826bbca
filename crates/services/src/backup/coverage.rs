//! Whether segments hold what PostgreSQL holds: asked before anything is dropped.
//!
//! Both sides tell rows and digest per keep class. Equal figures mean the same rows in the same
//! state; anything else means that rows came or changed after the day was backed up.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use db::segments::{ClassDigests, digests, stored_digests};
use domain::id::ProjectId;
use domain::lifecycle::{KeepDays, Part};
use domain::segment::Kind;

use crate::Services;
use crate::error::Result;

/// The kinds of segments that a part is made of.
pub fn kinds(part: Part) -> &'static [Kind] {
    match part {
        Part::Events => &[Kind::Events],
        Part::Deliveries => &[Kind::Deliveries, Kind::Attempts],
    }
}

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Projects that have rows in PostgreSQL.
    pub projects: BTreeSet<ProjectId>,
    /// What no segment holds as it is now.
    pub uncovered: Vec<(ProjectId, Part)>,
}

/// Compares the projects' day with its segments; with `class`, only the rows of that keep class.
///
/// # Errors
/// [`crate::Error::Unavailable`] while PostgreSQL is away.
pub async fn compare(
    services: &Services,
    projects: &[ProjectId],
    day: NaiveDate,
    class: Option<KeepDays>,
) -> Result<Compared> {
    let mut compared = Compared::default();
    for part in Part::ALL {
        let mut missing = BTreeSet::new();
        for kind in kinds(part) {
            let hot = digests(&services.db, projects, *kind, day, class).await?;
            let stored = stored_digests(&services.db, projects, *kind, day).await?;
            missing.extend(differing(&hot, &stored, class));
            compared.projects.extend(hot.into_keys());
        }
        compared
            .uncovered
            .extend(missing.into_iter().map(|project| (project, part)));
    }
    Ok(compared)
}

fn differing(
    hot: &BTreeMap<ProjectId, ClassDigests>,
    stored: &BTreeMap<ProjectId, ClassDigests>,
    class: Option<KeepDays>,
) -> Vec<ProjectId> {
    let differs = |(project, classes): (&ProjectId, &ClassDigests)| {
        let stored = stored.get(project);
        classes
            .iter()
            .filter(|(keep_days, _)| class.is_none_or(|class| class.0 == **keep_days))
            .any(|(keep_days, digest)| stored.and_then(|stored| stored.get(keep_days)) != Some(digest))
            .then_some(*project)
    };
    hot.iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::segments::ClassDigest;
    use uuid::Uuid;

    #[test]
    fn a_class_that_differs_is_found_and_others_do_not_matter() {
        let project = ProjectId(Uuid::from_u128(1));
        let digest = |rows, sum| ClassDigest { rows, sum };
        let hot = BTreeMap::from([(
            project,
            ClassDigests::from([(7, digest(2, 5)), (30, digest(1, 1))]),
        )]);
        let stored = BTreeMap::from([(project, ClassDigests::from([(7, digest(2, 5))]))]);
        assert_eq!(differing(&hot, &stored, None), [project]);
        assert_eq!(differing(&hot, &stored, Some(KeepDays(30))), [project]);
        assert!(differing(&hot, &stored, Some(KeepDays(7))).is_empty());
    }
}
