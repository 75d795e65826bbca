//! Tables of Longhaul: entities, repositories, partitions and set-based writes.
//!
//! The only crate that knows SQL. Settings-like tables (projects, endpoints, users, ...) go through
//! sea-orm entities; the hot tables (events, deliveries, attempts) through statements that write
//! and read whole sets.
//!
//! May import: `domain`, and `migration` for the schema.

pub mod api_keys;
pub mod attempts;
pub mod audit;
pub mod batches;
pub mod catalog;
pub mod counts;
pub mod databases;
pub mod deliveries;
pub mod endpoints;
pub mod entities;
pub mod error;
pub mod event_types;
pub mod events;
pub mod filters;
pub mod hot;
pub mod idempotency;
pub mod leases;
pub mod organisations;
pub mod page;
mod paging;
pub mod partitions;
pub mod pool;
pub mod projects;
mod rows;
pub mod runs;
pub mod sessions;
pub mod sign_in_failures;
pub mod sources;
pub mod subscriptions;
mod txn;
pub mod users;

pub use error::DbError;
pub use pool::Db;
pub use txn::Txn;
