//! The archive: what segments hold, read as if nothing had moved.
//!
//! Every read looks into PostgreSQL first and into segments afterwards, and puts both together by
//! id; where both have a row, PostgreSQL's counts. Days turn cold before their first row leaves
//! PostgreSQL, so a row is always seen in one of the two.
//!
//! - [`rows`]: rows as they stand in segments
//! - [`cost`]: where an answer came from, and what it took
//! - `events`, `deliveries`: the questions that use cases ask
//! - `one`: one row by id, one ranged GET
//! - `merge`, `scan`: lists, across the border and block by block
//! - `cold`, `object`, `cache`: blocks of objects, fetched, checked and kept
//!
//! Reading the archive has its own limits on memory and requests, and never stands in the way of
//! delivery. A store that is away makes an answer fail, never shorter.

mod cache;
mod cold;
pub mod cost;
pub(crate) mod deliveries;
pub(crate) mod events;
mod fault;
pub mod maintain;
mod merge;
mod object;
mod one;
pub mod rows;
mod scan;
mod span;

use std::sync::Arc;

use metrics::{Counter, counter};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use cost::{Cost, Read, Tier};

use crate::options::ArchiveOptions;
use cache::Cache;

/// Reads segments: what was read lately, and how much may be read at once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Archive {
    cache: Arc<Cache>,
    /// Requests to stores under way.
    gate: Arc<Semaphore>,
    meters: Arc<Meters>,
}

impl Archive {
    /// With nothing read yet.
    pub fn new(options: &ArchiveOptions) -> Self {
        Self {
            cache: Arc::new(Cache::new(options.cache_bytes)),
            gate: Arc::new(Semaphore::new(options.read_concurrency.max(1))),
            meters: Arc::default(),
        }
    }

    /// Forgets everything that was read of a segment.
    pub fn forget(&self, segment: Uuid) {
        self.cache.forget(segment);
    }

    /// Bytes of memory that the cache takes.
    pub fn cached_bytes(&self) -> u64 {
        self.cache.bytes()
    }
}

/// Counters of this process for `/metrics`.
struct Meters {
    hot: Counter,
    archive: Counter,
    mixed: Counter,
    requests: Counter,
    bytes: Counter,
    hits: Counter,
    misses: Counter,
    damaged: Counter,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            hot: counter!("longhaul_reads_total", "tier" => "hot"),
            archive: counter!("longhaul_reads_total", "tier" => "archive"),
            mixed: counter!("longhaul_reads_total", "tier" => "mixed"),
            requests: counter!("longhaul_archive_requests_total"),
            bytes: counter!("longhaul_archive_bytes_total"),
            hits: counter!("longhaul_archive_cache_total", "outcome" => "hit"),
            misses: counter!("longhaul_archive_cache_total", "outcome" => "miss"),
            damaged: counter!("longhaul_archive_damaged_total"),
        }
    }
}
