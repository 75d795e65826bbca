//! Objects of segments that do not count: superseded ones and those of writers that gave up. The sweeper
//! would remove them some day; an erasure cannot wait.

use chrono::{DateTime, Utc};
use db::erasures::objects::{self, Scope};
use db::segments::Segment;
use domain::segment::Kind;
use domain::state::SegmentState;

use super::Open;
use super::rewrite::{Trouble, remove as remove_object};
use super::work::Obstacles;
use crate::Services;
use crate::error::Result;
use crate::storage_policies::store_for;

/// Removes what does not count any more; waits for writers that are still at work, whose segments will
/// not count.
pub(super) async fn remove(
    services: &Services,
    open: &Open,
    retry: DateTime<Utc>,
    obstacles: &mut Obstacles,
) -> Result<()> {
    for kind in [Kind::Events, Kind::Attempts] {
        let scope = Scope {
            erasure: open.id,
            project: open.project,
            kind,
            until: (kind == Kind::Events && open.target.ids().is_none()).then_some(open.requested_at),
            retry,
        };
        for segment in objects::leftovers(&services.db, &scope).await? {
            if matches!(segment.state, SegmentState::Planned | SegmentState::Uploaded) {
                obstacles
                    .later
                    .push(format!("a backup of {} is under way", segment.day));
                continue;
            }
            if let Some(later) = remove_one(services, open, &segment).await? {
                obstacles.later.push(later);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Says what to wait for, if anything.
async fn remove_one(services: &Services, open: &Open, segment: &Segment) -> Result<Option<String>> {
    let now = services.clock.now();
    let store = store_for(services, segment.policy_id.into()).await?;
    let (outcome, versions) = match remove_object(&store, &segment.object_key).await {
        Ok(versions) => {
            objects::removed(&services.db, segment.id).await?;
            services.archive.forget(segment.id);
            (("removed", None), versions)
        }
        Err(Trouble::Blocked(why)) => (("blocked", Some(why)), 0),
        Err(Trouble::Later(why)) => return Ok(Some(format!("segment {}: {why}", segment.id))),
        Err(Trouble::Service(error)) => return Err(error),
    };
    let outcome = (outcome.0, outcome.1.as_deref());
    objects::record(&services.db, open.id, segment.id, outcome, versions, now).await?;
    Ok(None)
}
