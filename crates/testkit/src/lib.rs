//! Test support: real stores, receivers and builders, for the tests of every crate.
//!
//! May import: everything below the edges; only tests import it.

pub mod database;
pub mod gateway;
pub mod object_store;
pub mod receiver;
mod stores;

pub use database::{TestDb, database};
pub use gateway::{Gateway, Setup};
pub use object_store::TestS3;
pub use receiver::{Received, Receiver, Reply};
pub use stores::redis_url;

// Parts that tests of an edge need to set a scene, without the edge importing them itself.
pub use db;
pub use queue;
