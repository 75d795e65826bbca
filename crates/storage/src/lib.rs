//! Object stores and the format of archive segments.
//!
//! [`open`] turns a storage policy into an [`ObjectStore`], whose calls are the same for a bucket and for
//! a folder; [`probe::run`] tries every one of them and says what it found.
//!
//! May import: `domain`. The only crate that knows S3 and how a folder is made a store.

mod error;
mod on_prem;
pub mod probe;
mod retry;
mod s3;
pub mod segment;
mod store;

use std::sync::Arc;

use domain::storage::StoragePolicy;

pub use error::{ErrorKind, StoreError};
pub use on_prem::OnPremStore;
pub use s3::S3Store;
pub use store::{Body, Meta, Object, ObjectStore, Page, PutCondition, Stored, Version};

/// The store of a policy. Nothing is asked of it yet: a wrong policy shows with the first call.
pub fn open(policy: &StoragePolicy) -> Arc<dyn ObjectStore> {
    match policy {
        StoragePolicy::S3(policy) => Arc::new(S3Store::new(policy)),
        StoragePolicy::OnPrem(policy) => Arc::new(OnPremStore::new(policy)),
    }
}
