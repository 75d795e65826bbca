//! Use cases of Longhaul: what can be done, by whom, and in which order.
//!
//! Every function takes the [`Services`] it works with and the [`Actor`](access::Actor) it works
//! for, checks that the actor may, and returns plain data. No axum, no Leptos, no SQL.
//!
//! May import: `domain`, `db`, `queue`, `storage`.

pub mod access;
pub mod api_keys;
pub mod archive;
pub mod attention;
pub mod audit;
pub mod backup;
pub mod batches;
pub mod bootstrap;
pub mod catalog;
mod changed;
pub mod conversion;
pub mod deletion;
pub mod deliveries;
pub mod delivery;
pub mod endpoints;
pub mod erasure;
pub mod error;
pub mod event_types;
pub mod events;
pub mod features;
mod fields;
pub mod filters;
mod grouping;
pub mod holds;
pub mod ingest;
pub mod jobs;
pub mod meters;
pub mod options;
pub mod organisations;
pub mod overview;
pub mod page;
pub mod partitions;
mod password;
pub mod patch;
pub mod projects;
pub mod queues;
pub mod retention;
pub mod sessions;
pub mod sign_in;
pub mod storage_policies;
pub mod subscriptions;
pub mod users;
pub mod vault;

use std::sync::Arc;

pub use error::{Error, Result};
pub use options::Options;

use domain::clock::Clock;

/// What every use case works with. Made once by the binary, shared by reference count.
#[derive(Debug)]
pub struct Services {
    /// The tables.
    pub db: db::Db,
    /// The road to the workers.
    pub queues: queues::Queues,
    /// Projects, endpoints and subscriptions in memory.
    pub catalog: catalog::Catalog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Encrypts secrets at rest.
    pub vault: vault::Vault,
    /// Counters of this process.
    pub meters: meters::Meters,
    /// Limits and switches from the configuration.
    pub options: Options,
    /// Opened stores of the archive.
    pub stores: storage_policies::Stores,
    /// Reads the archive.
    pub archive: archive::Archive,
    /// Jobs that run in this process.
    pub jobs: jobs::RunningJobs,
    /// Rows that a caller waits for: tells at once when PostgreSQL is away.
    intake: delivery::journal::Journal,
}

impl Services {
    /// Puts the parts together. Must be called inside a tokio runtime; no store is asked yet.
    pub fn new(
        db: db::Db,
        queues: queues::Queues,
        clock: Arc<dyn Clock>,
        vault: vault::Vault,
        options: Options,
    ) -> Self {
        let catalog = catalog::Catalog::new(
            db.clone(),
            vault.clone(),
            options.delivery.clone(),
            Arc::clone(&clock),
        );
        let intake = delivery::journal::Journal::start(db.clone(), delivery::journal::Patience::Asks);
        Self {
            db,
            queues,
            catalog,
            clock,
            vault,
            meters: meters::Meters::default(),
            archive: archive::Archive::new(&options.archive),
            options,
            stores: storage_policies::Stores::default(),
            jobs: jobs::RunningJobs::default(),
            intake,
        }
    }
}
