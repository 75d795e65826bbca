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
pub mod backups;
pub mod batches;
pub mod catalog;
mod collision;
pub mod conversion;
pub mod counts;
pub mod databases;
pub mod deliveries;
pub mod endpoints;
pub mod entities;
pub mod erasures;
pub mod error;
pub mod event_types;
pub mod events;
pub mod expiry;
pub mod export;
pub mod filters;
pub mod holds;
pub mod hot;
pub mod idempotency;
pub mod instance_settings;
pub mod leases;
mod matching;
pub mod organisations;
pub mod page;
mod paging;
pub mod partition_view;
pub mod partitions;
pub mod pool;
pub mod projects;
pub mod reach;
pub mod retention;
mod rows;
pub mod runs;
pub mod segment_care;
pub mod segment_figures;
pub mod segment_reads;
pub mod segments;
pub mod sessions;
pub mod sign_in_failures;
pub mod sources;
pub mod storage_policies;
pub mod subscriptions;
mod txn;
pub mod users;

pub use error::DbError;
pub use pool::Db;
pub use txn::Txn;
