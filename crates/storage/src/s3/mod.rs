//! A bucket of an S3-compatible store.
//!
//! Retries are our own, because whether a write may have happened matters here. Bodies are signed with
//! their SHA-256, so that the store refuses what was damaged on the way.

mod answers;
mod client;
mod errors;
mod read;
mod write;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::storage::S3Policy;

use crate::error::{ErrorKind, StoreError};
use crate::retry::{READ_TRIES, WRITE_TRIES, retrying};
use crate::store::{Body, Meta, Object, ObjectStore, Page, PutCondition, Stored, Version};
use errors::{Asked, LOOK, attempt};

/// A bucket of an S3-compatible store.
#[derive(Clone, Debug)]
pub struct S3Store {
    client: Client,
    place: Arc<Place>,
}

/// Where the store is and how objects are written there.
#[derive(Debug)]
struct Place {
    policy: S3Policy,
    /// `host:port` or the name of AWS, for messages.
    host: String,
    /// Empty, or ending in a slash.
    prefix: String,
}

impl Place {
    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The key as callers know it; `None` for what lies outside the prefix.
    fn bare<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(self.prefix.as_str())
    }
}

/// What a look at the bucket found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bucket {
    Exists,
    Missing,
}

impl S3Store {
    /// The store of a policy. Nothing is asked of it yet.
    pub fn new(policy: &S3Policy) -> Self {
        let host = match policy.endpoint_url() {
            Some(url) => url,
            None => format!("AWS S3 in {}", policy.signing_region()),
        };
        Self {
            client: client::build(policy),
            place: Arc::new(Place {
                prefix: policy.key_prefix(),
                policy: policy.clone(),
                host,
            }),
        }
    }

    fn bucket(&self) -> &str {
        self.place.policy.bucket.trim()
    }

    /// Whether the bucket is there. Lists, because an answer to HEAD does not say what is wrong.
    pub(crate) async fn look_at_bucket(&self) -> Result<Bucket, StoreError> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(self.bucket())
            .prefix(&self.place.prefix)
            .max_keys(1);
        match attempt(&self.place, Asked::LIST, LOOK, request.send()).await {
            Ok(_) => Ok(Bucket::Exists),
            Err(error) if error.kind() == ErrorKind::NoBucket => Ok(Bucket::Missing),
            Err(error) => Err(error),
        }
    }

    async fn create_bucket(&self) -> Result<(), StoreError> {
        let region = self.place.policy.signing_region();
        // The first region of AWS is the one that must not be named.
        let placed = (region != domain::storage::DEFAULT_REGION).then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region))
                .build()
        });
        let request = self
            .client
            .create_bucket()
            .bucket(self.bucket())
            .set_create_bucket_configuration(placed);
        attempt(&self.place, Asked::CREATE_BUCKET, LOOK, request.send()).await?;
        Ok(())
    }

    /// Whether the bucket keeps old versions.
    pub(crate) async fn has_versioning(&self) -> Result<bool, StoreError> {
        let request = self.client.get_bucket_versioning().bucket(self.bucket());
        let answer = attempt(&self.place, Asked::VERSIONING, LOOK, request.send()).await?;
        Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
    }

    /// Whether the bucket protects new objects by itself. A store that does not know the question does not.
    pub(crate) async fn has_object_lock(&self) -> bool {
        let request = self.client.get_object_lock_configuration().bucket(self.bucket());
        let answer = attempt(&self.place, Asked::VERSIONING, LOOK, request.send()).await;
        answer.is_ok_and(|answer| {
            answer
                .object_lock_configuration()
                .is_some_and(|lock| lock.object_lock_enabled().is_some())
        })
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put(&self, key: &str, body: Body, condition: PutCondition) -> Result<Stored, StoreError> {
        self.write(key, &body, &condition).await
    }

    async fn get(&self, key: &str, if_match: Option<&str>) -> Result<Object, StoreError> {
        self.read(key, if_match).await
    }

    async fn get_range(
        &self,
        key: &str,
        range: Range<u64>,
        if_match: Option<&str>,
    ) -> Result<Bytes, StoreError> {
        retrying(READ_TRIES, || self.read_range(key, range.clone(), if_match)).await
    }

    async fn head(&self, key: &str) -> Result<Option<Meta>, StoreError> {
        retrying(READ_TRIES, || self.look_at(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.list_objects(prefix, after, limit).await
    }

    async fn versions(&self, key: &str) -> Result<Vec<Version>, StoreError> {
        self.list_versions(key).await
    }

    async fn delete(&self, key: &str, version: Option<&str>) -> Result<(), StoreError> {
        let deleted = retrying(WRITE_TRIES, || async {
            let request = self
                .client
                .delete_object()
                .bucket(self.bucket())
                .key(self.place.key(key))
                .set_version_id(version.map(str::to_owned));
            attempt(&self.place, Asked::DELETE, LOOK, request.send()).await
        })
        .await;
        match deleted {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn ensure_bucket(&self) -> Result<bool, StoreError> {
        if retrying(READ_TRIES, || self.look_at_bucket()).await? == Bucket::Exists {
            return Ok(false);
        }
        match retrying(WRITE_TRIES, || self.create_bucket()).await {
            Ok(()) => Ok(true),
            // Somebody else created it, or an earlier try of ours did although it seemed to fail.
            Err(error) => match self.look_at_bucket().await {
                Ok(Bucket::Exists) => Ok(false),
                _ => Err(error),
            },
        }
    }

    async fn clear_unfinished(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.abort_uploads(before).await
    }
}
