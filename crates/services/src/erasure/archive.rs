//! Erasing rows in the archive: segment by segment.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use db::erasures::objects::Scope;
use db::erasures::{hot, objects};
use db::segment_reads::{self, FilterBits};
use db::segments::Segment;
use domain::erasure::Target;
use domain::id::EventId;
use domain::segment::Kind;
use storage::segment::Bloom;
use uuid::Uuid;

use super::Open;
use super::editor::{AttemptEditor, EventEditor};
use super::hot::Holds;
use super::rewrite::{Outcome, Trouble, rewrite};
use super::{object, rewrite};
use crate::Services;
use crate::error::{Error, Result};
use crate::storage_policies::store_for;

/// What looking into segments gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Segments that were rewritten.
    pub(super) rewritten: u64,
    /// Why not all could be looked into: it goes away by itself.
    pub(super) later: Vec<String>,
}

/// Looks into every segment of `kind` that may hold something, and into those that were in the way
/// before `retry`.
pub(super) async fn look_into(
    services: &Services,
    open: &Open,
    holds: &Holds,
    kind: Kind,
    retry: DateTime<Utc>,
) -> Result<Found> {
    let by_value = kind == Kind::Events && open.target.ids().is_none();
    let scope = Scope {
        erasure: open.id,
        project: open.project,
        kind,
        until: by_value.then_some(open.requested_at),
        retry,
    };
    let mut found = Found::default();
    while let Some(segment) = objects::next(&services.db, &scope).await? {
        match look_into_one(services, open, holds, &segment).await {
            Ok(Outcome {
                rewritten,
                held,
                versions,
            }) => {
                found.rewritten += u64::from(rewritten);
                let outcome = match (held, rewritten) {
                    (0, false) => ("clean", None),
                    (0, true) => ("rewritten", None),
                    (held, _) => ("blocked", Some(format!("a legal hold keeps {held} of its rows"))),
                };
                record(
                    services,
                    open,
                    &segment,
                    (outcome.0, outcome.1.as_deref()),
                    versions,
                )
                .await?;
            }
            Err(Trouble::Blocked(why)) => {
                tracing::warn!(erasure = %open.id, segment = %segment.id, why, "a segment cannot be rewritten");
                record(services, open, &segment, ("blocked", Some(&why)), 0).await?;
            }
            Err(Trouble::Later(why)) => {
                found.later.push(format!("segment {}: {why}", segment.id));
                // The store is the same for most segments: no use in asking it for each.
                break;
            }
            Err(Trouble::Service(error)) => return Err(error),
        }
    }
    Ok(found)
}

async fn record(
    services: &Services,
    open: &Open,
    segment: &Segment,
    outcome: (&str, Option<&str>),
    versions: i32,
) -> Result<()> {
    let now = services.clock.now();
    Ok(objects::record(&services.db, open.id, segment.id, outcome, versions, now).await?)
}

async fn look_into_one(
    services: &Services,
    open: &Open,
    holds: &Holds,
    segment: &Segment,
) -> std::result::Result<Outcome, Trouble> {
    if segment.kind == Kind::Events {
        if !may_hold(services, open, segment).await? {
            return Ok(Outcome::default());
        }
        let make = || EventEditor::new(open, holds);
        return rewrite(services, open.id, segment, make).await;
    }
    let deliveries = Arc::new(deliveries_of(services, open, segment).await?);
    let held = held_events(services, open, segment).await?;
    let whole = open.target.is_whole();
    let make = || AttemptEditor::new(Arc::clone(&deliveries), whole);
    let outcome = rewrite(services, open.id, segment, make).await?;
    Ok(Outcome { held, ..outcome })
}

/// Whether the filter of a segment knows one of the ids; a segment that is being rewritten is always
/// looked into.
async fn may_hold(services: &Services, open: &Open, segment: &Segment) -> Result<bool> {
    let Target::Events { ids } = &open.target else {
        return Ok(true);
    };
    // Old versions of a rewritten object may still be there.
    if segment.pending.is_some() || segment.generation > 1 {
        return Ok(true);
    }
    Ok(
        match segment_reads::filter(&services.db, segment.id, "id").await? {
            FilterBits::Bits(bits) => {
                let bloom = Bloom::from_bytes(&bits).map_err(Error::internal)?;
                ids.iter().any(|id| bloom.may_have_id(id.0))
            }
            FilterBits::Nothing | FilterBits::Unknown => true,
        },
    )
}

async fn held_events(services: &Services, open: &Open, segment: &Segment) -> Result<u64> {
    let Some(at) = segment.at else {
        return Ok(0);
    };
    Ok(hot::held_between(&services.db, open.id, at).await?)
}

/// The deliveries of the events that are meant and not held, as far as the segment may have attempts of
/// them: from PostgreSQL and from segments of deliveries.
async fn deliveries_of(
    services: &Services,
    open: &Open,
    segment: &Segment,
) -> std::result::Result<HashMap<Uuid, EventId>, Trouble> {
    let Some(at) = segment.at else {
        return Ok(HashMap::new());
    };
    let events = objects::free_events(&services.db, open.id, at)
        .await
        .map_err(Error::from)?;
    let mut deliveries = HashMap::new();
    for chunk in events.chunks(500) {
        let hot = hot::deliveries_of(&services.db, open.project, chunk)
            .await
            .map_err(Error::from)?;
        deliveries.extend(hot.into_iter().map(|id| (id, EventId(Uuid::nil()))));
    }
    if events.is_empty() {
        return Ok(deliveries);
    }
    let segments = objects::deliveries_between(&services.db, open.project, at)
        .await
        .map_err(Error::from)?;
    for segment in segments {
        let segment = object::settle(services, segment).await?;
        let store = store_for(services, segment.policy_id.into()).await?;
        let fetched = rewrite::fetch(store.as_ref(), &segment).await?;
        let wanted: std::collections::HashSet<Uuid> = events.iter().map(|id| id.0).collect();
        let found = tokio::task::spawn_blocking(move || object::deliveries_in(fetched, &wanted));
        let found = found.await.map_err(Error::internal)?;
        deliveries.extend(found.map_err(|error| Trouble::Blocked(error.to_string()))?);
    }
    Ok(deliveries)
}
