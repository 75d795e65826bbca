//! Tables of Longhaul: entities, repositories, partitions and set-based writes.
//!
//! The only crate that knows SQL. Settings-like tables (projects, endpoints, users, ...) go through
//! sea-orm entities; the hot tables (events, deliveries, attempts) through statements that write
//! and read whole sets.
//!
//! May import: `domain`, and `migration` for the schema.

pub mod attempts;
pub mod batches;
pub mod catalog;
pub mod counts;
pub mod deliveries;
pub mod events;
pub mod idempotency;
pub mod leases;
pub mod page;
pub mod runs;
pub mod error;
pub mod hot;
pub mod partitions;
pub mod pool;

pub use error::DbError;
pub use pool::Db;
