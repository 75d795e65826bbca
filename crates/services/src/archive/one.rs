//! One row by its id: the id tells the day, filters tell the segment, the index tells the block.

use std::sync::Arc;

use db::segment_reads::{self, ColdSegment};
use domain::id::instant_of;
use domain::segment::Kind;
use uuid::Uuid;

use super::cold::{Cold, Key};
use super::fault::Fault;
use crate::error::{Error, Result};

/// The archived row `id`, as `read` makes it out of its JSON.
///
/// # Errors
/// [`Error::Unavailable`] while its store is away; [`Error::Internal`] when its segment is damaged.
pub(super) async fn find<T: Send + 'static>(
    cold: &mut Cold<'_>,
    kind: Kind,
    id: Uuid,
    read: fn(&str) -> std::result::Result<T, serde_json::Error>,
) -> Result<Option<T>> {
    loop {
        match try_find(cold, kind, id, read).await {
            Ok(found) => return Ok(found),
            Err(fault) => cold.again(fault)?,
        }
    }
}

async fn try_find<T: Send + 'static>(
    cold: &Cold<'_>,
    kind: Kind,
    id: Uuid,
    read: fn(&str) -> std::result::Result<T, serde_json::Error>,
) -> std::result::Result<Option<T>, Fault> {
    // Ids of no known day are not in the archive.
    let Some(day) = instant_of(id).map(|at| at.date_naive()) else {
        return Ok(None);
    };
    let wanted = cold.wanted(kind, None, (id, id));
    let segments = segment_reads::of_day(&cold.services.db, wanted, day).await?;
    for segment in candidates(cold, segments, id).await? {
        let opened = cold.open(&segment).await?;
        let Some(number) = opened.index.find(id) else {
            continue;
        };
        let block = cold.block(&opened, number, true).await?;
        let found = tokio::task::spawn_blocking(move || {
            let block = Arc::clone(&block);
            block.get(id).map(|row| read(row.json)).transpose()
        });
        let found = found.await.map_err(Error::internal)?;
        let found = found.map_err(|error| Cold::unreadable(&opened, &error.to_string()))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The segments that may hold the row. One alone is looked into at once; of several, those whose
/// filters know the id.
async fn candidates(
    cold: &Cold<'_>,
    segments: Vec<ColdSegment>,
    id: Uuid,
) -> std::result::Result<Vec<ColdSegment>, Fault> {
    if segments.len() < 2 {
        return Ok(segments);
    }
    let mut candidates = Vec::new();
    for segment in segments {
        if cold.may_have(&segment, Key::Id(id)).await? {
            candidates.push(segment);
        }
    }
    Ok(candidates)
}
