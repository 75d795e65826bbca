//! Parts of segments that were read lately, within a bound of bytes. Who asks for a part that
//! somebody else is fetching waits for it instead of fetching it, too.
//!
//! A part is known by its segment and generation, and no generation ever changes: nothing here is
//! stale.

use std::hash::Hash;
use std::sync::Arc;

use quick_cache::sync::{Cache as Sync, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Weighter};
use storage::segment::{Block, BlockIndex, Bloom, Entry};
use uuid::Uuid;

use super::fault::Fault;

/// Segment and generation.
pub(super) type Version = (Uuid, i32);

/// Out of so many parts of the memory, one is for indexes and one for filters.
const SHARES: u64 = 10;
/// With so few parts expected, all lie in one shard: a large block is not refused by a small share.
const ONE_SHARD: usize = 32;

/// Memory of a part.
pub(super) trait Weigh {
    fn bytes(&self) -> u64;
}

impl Weigh for Arc<Block> {
    fn bytes(&self) -> u64 {
        self.memory() as u64
    }
}

impl Weigh for Arc<BlockIndex> {
    fn bytes(&self) -> u64 {
        size_of_val(self.entries()) as u64 + size_of::<Entry>() as u64
    }
}

impl Weigh for Filter {
    fn bytes(&self) -> u64 {
        let bits = match self {
            Self::Keys(bloom) => u64::from(bloom.keys()) * 10 / 8,
            Self::Nothing | Self::Unknown => 0,
        };
        bits + size_of::<Self>() as u64
    }
}

#[derive(Clone, Debug)]
struct ByBytes;

impl<K, V: Weigh> Weighter<K, V> for ByBytes {
    fn weight(&self, _: &K, part: &V) -> u64 {
        part.bytes()
    }
}

/// What is known of the keys in a segment.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    /// Some of these.
    Keys(Arc<Bloom>),
    /// There are none.
    Nothing,
    /// Nothing is known.
    Unknown,
}

/// One kind of parts.
#[derive(Debug)]
pub(super) struct Parts<K, V>(Sync<K, V, ByBytes>);

impl<K, V> Parts<K, V>
where
    K: Hash + Eq + Clone,
    V: Weigh + Clone,
{
    fn new(bytes: u64) -> Self {
        let hasher = DefaultHashBuilder::default();
        Self(Sync::with(
            ONE_SHARD,
            bytes,
            ByBytes,
            hasher,
            DefaultLifecycle::default(),
        ))
    }

    /// The part, and whether it was here.
    pub(super) async fn get_or(
        &self,
        key: K,
        load: impl Future<Output = Result<V, Fault>>,
    ) -> Result<(V, bool), Fault> {
        match self.0.get_value_or_guard_async(&key).await {
            Ok(part) => Ok((part, true)),
            Err(place) => {
                let part = load.await?;
                // It may have been forgotten meanwhile.
                let _ = place.insert(part.clone());
                Ok((part, false))
            }
        }
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }
}

/// All parts.
#[derive(Debug)]
pub(super) struct Cache {
    /// By version and number.
    pub(super) blocks: Parts<(Version, usize), Arc<Block>>,
    pub(super) indexes: Parts<Version, Arc<BlockIndex>>,
    /// By segment and what they are of.
    pub(super) filters: Parts<(Uuid, &'static str), Filter>,
}

impl Cache {
    pub(super) fn new(bytes: u64) -> Self {
        let share = bytes / SHARES;
        Self {
            blocks: Parts::new(bytes - 2 * share),
            indexes: Parts::new(share),
            filters: Parts::new(share),
        }
    }

    /// Forgets a segment.
    pub(super) fn forget(&self, segment: Uuid) {
        self.blocks.0.retain(|((id, _), _), _| *id != segment);
        self.indexes.0.retain(|(id, _), _| *id != segment);
        self.filters.0.retain(|(id, _), _| *id != segment);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.blocks.0.weight() + self.indexes.0.weight() + self.filters.0.weight()
    }
}
