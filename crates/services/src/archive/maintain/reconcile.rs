//! The index after it was lost, or after the database was restored to an older moment: made from the
//! objects themselves.
//!
//! Objects that the index does not know are sorted into groups of one project, kind, topic and day.
//! Of each group those are made to count that together hold every row ([`super::choose`]); rows that
//! PostgreSQL has as well are no trouble, because readers and backups prefer those. What does not fit is
//! left to the sweeper, which never removes a last copy. Erasures of the project are done once more,
//! and those that only the ledger in the store remembers are asked for again.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use db::backups;
use db::segment_care::{self, Adopted, Group};
use db::segments::Segment;
use domain::lifecycle::Part;
use domain::state::SegmentState;
use serde::Serialize;
use uuid::Uuid;

use super::choose::{Member, choose};
use super::contents::{self, Contents};
use super::unknown::{self, ListError, Unknown};
use super::{Place, places, tell};
use crate::Services;
use crate::backup::copy::CopyError;
use crate::backup::coverage::kinds;
use crate::error::{Error, Result};
use crate::jobs::JobContext;
use crate::storage_policies::store_for;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Objects that the index did not know.
    pub unknown: u64,
    /// Of those, the ones that count now.
    pub adopted: u64,
    /// Rows in them.
    pub rows: u64,
    /// Segments that the adopted ones stand for.
    pub replaced: u64,
    /// Erasures that only the store remembered.
    pub erasures: u64,
    /// Objects that do not fit or whose project does not exist, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// What could not be looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// Adopts every segment that the index does not know.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away. A store that is away is told in the counts.
pub async fn run(context: &JobContext) -> Result<Counts> {
    let mut counts = Counts::default();
    let (services, dry_run) = (&context.services, context.input.dry_run);
    let places = places(services, &mut counts.failed).await?;
    let groups = sort(services, &places, &mut counts).await?;
    let total = groups.len() as u64;
    for (done, (group, found)) in groups.into_iter().enumerate() {
        let at = format!("{}, {}", group.day, group.topic);
        context.progress.tell(done as u64, total, &at).await;
        match settle(services, &places, &group, &found, dry_run, &mut counts).await {
            Ok(()) => {}
            Err(Trouble::Copy(error)) => tell(&mut counts.failed, format!("{at}: {error}")),
            Err(Trouble::Service(error)) => return Err(error),
        }
    }
    if !dry_run {
        match crate::erasure::replay_ledger(services).await {
            Ok(n) => counts.erasures = n,
            Err(error) => tell(&mut counts.failed, format!("the ledger of erasures: {error}")),
        }
    }
    Ok(counts)
}

/// Why a group was left as it is.
#[derive(Debug)]
enum Trouble {
    Copy(CopyError),
    Service(Error),
}

impl From<CopyError> for Trouble {
    fn from(error: CopyError) -> Self {
        Self::Copy(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

impl From<db::DbError> for Trouble {
    fn from(error: db::DbError) -> Self {
        Self::Service(error.into())
    }
}

/// Where an unknown object lies: number of the place, and key.
type Spot = (usize, String);

/// Every unknown object by its group.
async fn sort(
    services: &Services,
    places: &[Place],
    counts: &mut Counts,
) -> Result<BTreeMap<Group, Vec<Spot>>> {
    let mut groups: BTreeMap<Group, Vec<Spot>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for (number, place) in places.iter().enumerate() {
        let found = match unknown::list(services, place).await {
            Ok(found) => found,
            Err(ListError::Service(error)) => return Err(error),
            Err(ListError::Store(error)) => {
                if place.is_used {
                    tell(
                        &mut counts.failed,
                        format!("storage policy {}: {error}", place.policy),
                    );
                }
                continue;
            }
        };
        for Unknown {
            archive_id,
            meta,
            known,
        } in found.unknown
        {
            // Two versions of a policy may mean the same place.
            if known.is_some_and(|known| !known.is_unknown) || !seen.insert(archive_id) {
                continue;
            }
            counts.unknown += 1;
            match contents::describe(place.store.as_ref(), place.policy, &meta.key).await {
                Ok(segment) => groups
                    .entry(Group::of(&segment))
                    .or_default()
                    .push((number, meta.key)),
                Err(error) if error.is_damage() => tell(&mut counts.left, format!("{}: {error}", meta.key)),
                Err(error) => tell(&mut counts.failed, format!("{}: {error}", meta.key)),
            }
        }
    }
    Ok(groups)
}

/// One segment of a group with what is in it; `None` when its object cannot be read.
struct Candidate {
    segment: Segment,
    contents: Option<Contents>,
    is_new: bool,
}

impl Candidate {
    fn ids(&self) -> &[Uuid] {
        self.contents.as_ref().map_or(&[], |contents| &contents.ids)
    }
}

/// Makes the index of one group right.
async fn settle(
    services: &Services,
    places: &[Place],
    group: &Group,
    spots: &[Spot],
    dry_run: bool,
    counts: &mut Counts,
) -> std::result::Result<(), Trouble> {
    if db::projects::find(services.db.orm(), group.project.0)
        .await?
        .is_none()
    {
        tell(
            &mut counts.left,
            format!(
                "{} objects of project {}, which does not exist",
                spots.len(),
                group.project
            ),
        );
        return Ok(());
    }
    let mut members = new_ones(places, spots, counts).await?;
    let added = members.len();
    beside(services, group, &mut members).await?;
    let (new, old) = members.split_at(added);
    let held: HashSet<Uuid> = old.iter().flat_map(Candidate::ids).copied().collect();
    if new.iter().flat_map(Candidate::ids).all(|id| held.contains(id)) {
        return Ok(());
    }
    let readable: Vec<Member<'_>> = members
        .iter()
        .map(|member| Member {
            id: member.segment.id,
            ids: member.ids(),
        })
        .collect();
    let Some(chosen) = choose(&readable).filter(|chosen| stands_for_lost(&members, chosen)) else {
        tell(
            &mut counts.left,
            format!(
                "{} objects of {}, {}: they do not fit together",
                added, group.day, group.topic
            ),
        );
        return Ok(());
    };
    let replaced: Vec<Uuid> = ids_of(old.iter().filter(|one| !chosen.contains(&one.segment.id)));
    let adopted: Vec<Adopted> = members
        .into_iter()
        .filter(|one| one.is_new && chosen.contains(&one.segment.id))
        .filter_map(adopted)
        .collect();
    counts.adopted += adopted.len() as u64;
    counts.rows += adopted
        .iter()
        .map(|one| u64::from(one.segment.row_count.unsigned_abs()))
        .sum::<u64>();
    counts.replaced += replaced.len() as u64;
    if dry_run {
        return Ok(());
    }
    if !segment_care::adopt(&services.db, group, &adopted, &replaced, services.clock.now()).await? {
        tell(
            &mut counts.failed,
            format!("{}, {}: the index changed meanwhile", group.day, group.topic),
        );
        return Ok(());
    }
    for segment in replaced {
        services.archive.forget(segment);
    }
    Ok(mark(services, group).await?)
}

fn ids_of<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Vec<Uuid> {
    candidates.map(|one| one.segment.id).collect()
}

fn adopted(candidate: Candidate) -> Option<Adopted> {
    let contents = candidate.contents?;
    Some(Adopted {
        segment: Segment {
            object_sha256: Some(contents.object_sha256),
            ..candidate.segment
        },
        filters: contents.filters,
    })
}

/// The unknown objects of a group, read as a whole. Damaged ones are left out.
async fn new_ones(
    places: &[Place],
    spots: &[Spot],
    counts: &mut Counts,
) -> std::result::Result<Vec<Candidate>, CopyError> {
    let mut members = Vec::new();
    for (number, key) in spots {
        let Some(place) = places.get(*number) else {
            continue;
        };
        let segment = contents::describe(place.store.as_ref(), place.policy, key).await?;
        match contents::read(place.store.as_ref(), &segment).await {
            Ok(contents) => members.push(Candidate {
                segment,
                contents: Some(contents),
                is_new: true,
            }),
            Err(error) if error.is_damage() => tell(&mut counts.left, format!("{key}: {error}")),
            Err(error) => return Err(error),
        }
    }
    Ok(members)
}

/// Adds the segments that count and share a stretch of ids with a new one.
async fn beside(
    services: &Services,
    group: &Group,
    members: &mut Vec<Candidate>,
) -> std::result::Result<(), Trouble> {
    let stretches: Vec<(Uuid, Uuid)> = members.iter().filter_map(|member| member.segment.ids).collect();
    for segment in segment_care::counting(&services.db, group).await? {
        let shares =
            |(first, last): (Uuid, Uuid)| stretches.iter().any(|other| first <= other.1 && other.0 <= last);
        if !segment.ids.is_some_and(shares) {
            continue;
        }
        if segment.state == SegmentState::Rewriting {
            return Err(Error::Conflict(format!("segment {} is being rewritten", segment.id)).into());
        }
        let store = store_for(services, segment.policy_id.into()).await?;
        let contents = match contents::read(store.as_ref(), &segment).await {
            Ok(contents) => Some(contents),
            Err(CopyError::Store(error)) if error.kind() == storage::ErrorKind::NotFound => None,
            Err(error) if error.is_damage() => None,
            Err(error) => return Err(error.into()),
        };
        members.push(Candidate {
            segment,
            contents,
            is_new: false,
        });
    }
    Ok(())
}

/// Whether the chosen ones have as many rows as those that cannot be read any more, where those lay.
fn stands_for_lost(members: &[Candidate], chosen: &HashSet<Uuid>) -> bool {
    let lost = members.iter().filter(|member| member.contents.is_none());
    lost.filter_map(|member| Some((member.segment.ids?, member.segment.row_count)))
        .all(|((first, last), rows)| {
            let kept: BTreeSet<Uuid> = members
                .iter()
                .filter(|member| chosen.contains(&member.segment.id))
                .flat_map(Candidate::ids)
                .filter(|id| (first..=last).contains(*id))
                .copied()
                .collect();
            kept.len() >= usize::try_from(rows).unwrap_or(usize::MAX)
        })
}

/// What is known of the day's backup now: a day of which PostgreSQL still has rows is covered once more,
/// which compares them; any other is covered.
async fn mark(services: &Services, group: &Group) -> Result<()> {
    const WHY: &str = "the index of its segments was made anew";
    let part = Part::ALL
        .into_iter()
        .find(|part| kinds(*part).contains(&group.kind))
        .unwrap_or(Part::Events);
    let (mut is_hot, mut rows, mut bytes) = (false, 0, 0);
    for kind in kinds(part) {
        is_hot |= segment_care::is_hot(&services.db, group.project, *kind, group.day).await?;
        for segment in db::segments::of_day(&services.db, group.project, *kind, group.day).await? {
            rows += i64::from(segment.row_count);
            bytes += segment.size_bytes;
        }
    }
    let day = (group.project, part, group.day);
    if is_hot {
        backups::reopen(&services.db, day, WHY).await?;
    } else {
        backups::cover(&services.db, day, rows, bytes, services.clock.now()).await?;
    }
    Ok(())
}
