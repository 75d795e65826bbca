//! What the object of a segment is now, when the row may be behind: after a death in the middle of a
//! rewrite, or after the database was restored to an older moment.

use std::collections::{HashMap, HashSet};
use std::fs::File;

use db::erasures::objects::{self, Generation, Keys};
use db::segments::Segment;
use domain::id::EventId;
use domain::state::SegmentState;
use serde::Deserialize;
use storage::segment::{Footer, Identity, POINTER_BYTES, Whole, read_footer, read_object, read_pointer};
use storage::{Meta, ObjectStore};
use uuid::Uuid;

use super::rewrite::{Trouble, as_segment, fetch, reload};
use crate::Services;
use crate::backup::copy::{CopyError, Fetched};
use crate::error::Error;
use crate::storage_policies::store_for;

/// The segment with nothing under way: an announced generation counts when it was written, and is taken
/// back when it was not.
pub(super) async fn settle(services: &Services, segment: Segment) -> Result<Segment, Trouble> {
    match segment.state {
        SegmentState::Rewriting => {}
        SegmentState::Quarantined => return Err(Trouble::Blocked("it is quarantined".to_owned())),
        _ => return Ok(segment),
    }
    let store = store_for(services, segment.policy_id.into()).await?;
    let meta = head(store.as_ref(), &segment).await?;
    if Some(&meta.etag) != segment.etag.as_ref() {
        return adopt(services, &segment).await;
    }
    objects::take_back(&services.db, &segment).await?;
    reload(services, segment.id).await
}

async fn head(store: &dyn ObjectStore, segment: &Segment) -> Result<Meta, Trouble> {
    let meta = store.head(&segment.object_key).await?;
    meta.ok_or_else(|| Trouble::Blocked("its object is missing in the store".to_owned()))
}

/// Takes the object that is there for the segment's, after it was read as a whole: it has to be the same
/// segment with as many rows.
pub(super) async fn adopt(services: &Services, segment: &Segment) -> Result<Segment, Trouble> {
    let store = store_for(services, segment.policy_id.into()).await?;
    let meta = head(store.as_ref(), segment).await?;
    let footer = footer(store.as_ref(), segment, &meta).await?;
    footer.identity.check(&Identity {
        archive_id: segment.id,
        kind: segment.kind,
        tenant: segment.project_id.to_string(),
        topic: segment.topic.clone(),
    })?;
    let number = i32::try_from(footer.generation).unwrap_or(0);
    if i32::try_from(footer.index.rows()) != Ok(segment.row_count) || number < segment.generation {
        return Err(Trouble::Blocked(
            "its object is not the one that was written".to_owned(),
        ));
    }
    let mut new = Generation {
        number,
        etag: meta.etag,
        version_id: meta.version_id,
        size_bytes: i64::try_from(meta.size).unwrap_or(i64::MAX),
        raw_bytes: i64::try_from(footer.index.raw_bytes()).unwrap_or(i64::MAX),
        object_sha256: Vec::new(),
        content_sha256: footer.content_sha256.to_vec(),
        block_index: footer.index.to_bytes(),
        keys: Keys::AsBefore,
    };
    let fetched = fetch(store.as_ref(), &as_segment(segment, &new)).await?;
    let whole = tokio::task::spawn_blocking(move || check(&fetched))
        .await
        .map_err(Error::internal)??;
    new.object_sha256 = whole.object_sha256.to_vec();
    let adopted = objects::swap(&services.db, segment, &new, services.clock.now()).await?;
    services.archive.forget(segment.id);
    tracing::info!(segment = %segment.id, adopted, generation = number, "the object of a segment was taken over");
    reload(services, segment.id).await
}

async fn footer(store: &dyn ObjectStore, segment: &Segment, meta: &Meta) -> Result<Footer, Trouble> {
    let (key, etag) = (&segment.object_key, Some(meta.etag.as_str()));
    let tail = meta.size.saturating_sub(POINTER_BYTES as u64)..meta.size;
    let place = read_pointer(&store.get_range(key, tail, etag).await?, meta.size)?;
    let offset = place.start;
    Ok(read_footer(&store.get_range(key, place, etag).await?, offset)?)
}

fn check(fetched: &Fetched) -> Result<Whole, CopyError> {
    let file = File::open(&fetched.file)?;
    Ok(read_object(fetched.footer.clone(), file, |_| Ok(()))?)
}

#[derive(Deserialize)]
struct OfEvent {
    event_id: Uuid,
}

/// The deliveries of these events in a segment of deliveries.
pub(super) fn deliveries_in(
    fetched: Fetched,
    events: &HashSet<Uuid>,
) -> Result<HashMap<Uuid, EventId>, CopyError> {
    let mut found = HashMap::new();
    let mut unreadable = false;
    let file = File::open(&fetched.file)?;
    read_object(fetched.footer, file, |block| {
        for row in block.rows() {
            match serde_json::from_str::<OfEvent>(row.json) {
                Ok(OfEvent { event_id }) if events.contains(&event_id) => {
                    found.insert(row.id, EventId(event_id));
                }
                Ok(_) => {}
                Err(_) => unreadable = true,
            }
        }
        Ok(())
    })?;
    if unreadable {
        return Err(CopyError::Differs("a row"));
    }
    Ok(found)
}
