//! One read of the archive: opens segments, gives blocks, and counts what that takes.

use std::ops::Range;
use std::sync::Arc;

use db::segment_reads::{self, ColdSegment, FilterBits};
use domain::id::ProjectId;
use domain::segment::Kind;
use domain::state::SegmentState;
use storage::segment::{Block, BlockIndex, Bloom};
use uuid::Uuid;

use super::cache::{Filter, Version};
use super::cost::Meter;
use super::fault::Fault;
use super::object::{self, FetchError, Opened};
use crate::Services;
use crate::error::Error;
use crate::storage_policies::store_for;

/// How often a read begins again because segments changed under it.
const TRIES: u32 = 3;
/// Blocks that are fetched ahead for who reads on and on.
const AHEAD: usize = 2;

/// What a read works with.
#[derive(Debug)]
pub(super) struct Cold<'a> {
    pub(super) services: &'a Services,
    pub(super) project: ProjectId,
    pub(super) meter: Meter,
    /// Whether the reader goes on behind what it asks for now.
    pub(super) reads_on: bool,
    tries: u32,
}

impl<'a> Cold<'a> {
    /// For one answer, which may take the configured number of bytes.
    pub(super) fn new(services: &'a Services, project: ProjectId) -> Self {
        Self {
            services,
            project,
            meter: Meter::new(services.options.archive.read_budget_bytes),
            reads_on: false,
            tries: 0,
        }
    }

    /// For one step of a background run.
    pub(super) fn step(services: &'a Services, project: ProjectId) -> Self {
        Self {
            reads_on: true,
            ..Self::new(services, project)
        }
    }

    /// Whether to begin again after `fault`, which is the answer otherwise.
    pub(super) fn again(&mut self, fault: Fault) -> Result<(), Error> {
        self.tries += 1;
        match fault {
            Fault::Stale if self.tries < TRIES => Ok(()),
            other => Err(other.into()),
        }
    }

    /// The object of a segment, with its index.
    pub(super) async fn open(&self, segment: &ColdSegment) -> Result<Arc<Opened>, Fault> {
        if segment.state == SegmentState::Quarantined {
            let text = object::describe(segment.id, "it is quarantined, so its rows cannot be read");
            return Err(Fault::internal(text));
        }
        let store = store_for(self.services, segment.policy_id).await?;
        // The old object serves until it is gone; looking costs requests.
        if self.tries > 0 {
            match object::replacement(segment, &store).await {
                Ok(Some(opened)) => return Ok(Arc::new(opened)),
                Ok(None) => {}
                Err(FetchError::Fault(fault)) => return Err(fault),
                Err(FetchError::Damaged(why)) => {
                    let version = (segment.id, segment.generation);
                    return Err(self.damaged(version, segment.state, &why).await);
                }
            }
        }
        Ok(Arc::new(Opened {
            version: (segment.id, segment.generation),
            key: segment.object_key.clone(),
            etag: segment.etag.clone(),
            index: self.index(segment).await?,
            store,
            state: segment.state,
        }))
    }

    async fn index(&self, segment: &ColdSegment) -> Result<Arc<BlockIndex>, Fault> {
        let load = async {
            let bytes = segment_reads::block_index(&self.services.db, segment.id, segment.generation).await?;
            let bytes = bytes.ok_or(Fault::Stale)?;
            Ok(Arc::new(BlockIndex::from_bytes(&bytes).map_err(Fault::internal)?))
        };
        let indexes = &self.services.archive.cache.indexes;
        let (index, _) = indexes.get_or((segment.id, segment.generation), load).await?;
        Ok(index)
    }

    /// One block, from memory or with one request. When `is_bound`, only while more may be fetched.
    pub(super) async fn block(
        &self,
        opened: &Arc<Opened>,
        number: usize,
        is_bound: bool,
    ) -> Result<Arc<Block>, Fault> {
        let archive = &self.services.archive;
        let load = async {
            let entry = opened.entry(number)?;
            let length = u64::from(entry.length);
            if is_bound && !self.meter.allows(length) {
                return Err(Fault::Spent);
            }
            let mut damaged = None;
            // What is damaged on the way is not damaged in the store.
            for _ in 0..2 {
                self.meter.fetched(length);
                archive.meters.requests.increment(1);
                archive.meters.bytes.increment(length);
                match opened.fetch(&archive.gate, entry).await {
                    Ok(block) => return Ok(block),
                    Err(FetchError::Fault(fault)) => return Err(fault),
                    Err(FetchError::Damaged(why)) => damaged = Some(why),
                }
            }
            // A store that takes no conditions may have given the new object.
            if opened.state == SegmentState::Rewriting && self.tries == 0 {
                return Err(Fault::Stale);
            }
            Err(self
                .damaged(opened.version, opened.state, &damaged.unwrap_or_default())
                .await)
        };
        let (block, was_cached) = archive
            .cache
            .blocks
            .get_or((opened.version, number), load)
            .await?;
        if was_cached {
            self.meter.was_cached();
            archive.meters.hits.increment(1);
        } else {
            archive.meters.misses.increment(1);
        }
        Ok(block)
    }

    /// Begins to fetch the blocks that a reader comes to next, while there are free places.
    pub(super) fn look_ahead(&self, opened: &Arc<Opened>, left: &Range<usize>, down: bool) {
        if !self.reads_on {
            return;
        }
        let next: Vec<usize> = if down {
            left.clone().rev().take(AHEAD).collect()
        } else {
            left.clone().take(AHEAD).collect()
        };
        for number in next {
            let (archive, opened) = (self.services.archive.clone(), Arc::clone(opened));
            let key = (opened.version, number);
            if archive.cache.blocks.has(&key) || archive.gate.available_permits() == 0 {
                continue;
            }
            tokio::spawn(async move {
                let load = async {
                    let entry = opened.entry(number)?;
                    archive.meters.requests.increment(1);
                    archive.meters.bytes.increment(u64::from(entry.length));
                    // Who needs the block meets the same trouble, and tells of it.
                    opened.fetch(&archive.gate, entry).await.map_err(|_| Fault::Stale)
                };
                let _ = archive.cache.blocks.get_or(key, load).await;
            });
        }
    }

    /// Whether a segment may hold an id or an idempotency key.
    pub(super) async fn may_have(&self, segment: &ColdSegment, key: Key<'_>) -> Result<bool, Fault> {
        let what = key.what();
        let load = async {
            let bits = segment_reads::filter(&self.services.db, segment.id, what).await?;
            Ok(match bits {
                FilterBits::Bits(bits) => {
                    Filter::Keys(Arc::new(Bloom::from_bytes(&bits).map_err(Fault::internal)?))
                }
                FilterBits::Nothing => Filter::Nothing,
                FilterBits::Unknown => Filter::Unknown,
            })
        };
        let filters = &self.services.archive.cache.filters;
        let (filter, _) = filters.get_or((segment.id, what), load).await?;
        Ok(match (filter, key) {
            (Filter::Keys(bloom), Key::Id(id)) => bloom.may_have_id(id),
            (Filter::Keys(bloom), Key::Text(text)) => bloom.may_have_text(text),
            (Filter::Nothing, Key::Text(_)) => false,
            (Filter::Nothing, Key::Id(_)) | (Filter::Unknown, _) => true,
        })
    }

    /// A row that is not what a segment of this kind holds.
    pub(super) fn unreadable(opened: &Opened, why: &str) -> Fault {
        Fault::internal(object::describe(opened.version.0, why))
    }

    /// Takes the segment out of use, and tells why.
    async fn damaged(&self, (segment, generation): Version, state: SegmentState, why: &str) -> Fault {
        let archive = &self.services.archive;
        match segment_reads::quarantine(&self.services.db, segment, generation, state, why).await {
            // It was replaced meanwhile.
            Ok(false) => return Fault::Stale,
            Ok(true) => {}
            Err(error) => return error.into(),
        }
        archive.meters.damaged.increment(1);
        archive.forget(segment);
        tracing::error!(%segment, why, "a segment is damaged and was quarantined");
        Fault::internal(object::describe(segment, why))
    }

    /// What to look for in the index of segments.
    pub(super) fn wanted<'q>(
        &self,
        kind: Kind,
        topic: Option<&'q str>,
        ids: (Uuid, Uuid),
    ) -> segment_reads::Wanted<'q> {
        segment_reads::Wanted {
            project: self.project,
            kind,
            topic,
            ids,
        }
    }
}

/// What a filter is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    Id(Uuid),
    Text(&'a str),
}

impl Key<'_> {
    fn what(self) -> &'static str {
        match self {
            Self::Id(_) => "id",
            Self::Text(_) => "key",
        }
    }
}
