//! A store as a probe sees it: conditions are left to the store itself.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{ErrorKind, StoreError};
use crate::on_prem::OnPremStore;
use crate::s3::S3Store;
use crate::store::{Body, ObjectStore, PutCondition, Stored};

/// An etag that no object has.
pub(super) const STALE: &str = "0123456789abcdef0123456789abcdef";

#[async_trait]
pub(super) trait Candidate: ObjectStore {
    /// Writes with one request, without the looks that make up for a store that ignores conditions.
    async fn put_plainly(
        &self,
        key: &str,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<Stored, StoreError>;

    /// Whether the store reads parts of objects.
    async fn reads_ranges(&self, key: &str) -> Result<bool, StoreError>;

    /// Whether the store refuses to read an object that has another etag.
    async fn refuses_stale_read(&self, key: &str) -> Result<bool, StoreError>;
}

#[async_trait]
impl Candidate for S3Store {
    async fn put_plainly(
        &self,
        key: &str,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<Stored, StoreError> {
        self.write_once(key, bytes, &condition, "").await
    }

    async fn reads_ranges(&self, key: &str) -> Result<bool, StoreError> {
        self.answers_ranges(key).await
    }

    async fn refuses_stale_read(&self, key: &str) -> Result<bool, StoreError> {
        self.refuses_read_of(key, STALE).await
    }
}

#[async_trait]
impl Candidate for OnPremStore {
    async fn put_plainly(
        &self,
        key: &str,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<Stored, StoreError> {
        self.put(key, Body::Bytes(bytes), condition).await
    }

    async fn reads_ranges(&self, _key: &str) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn refuses_stale_read(&self, key: &str) -> Result<bool, StoreError> {
        match self.get(key, Some(STALE)).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Precondition => Ok(true),
            Err(error) => Err(error),
        }
    }
}
