//! What every object store can do, whatever it is made of.

use std::ops::Range;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use futures::stream::BoxStream;

use crate::error::StoreError;

/// What is written.
#[derive(Clone, Debug)]
pub enum Body {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file, which must not change while it is written; read in parts.
    File {
        /// Where it lies.
        path: PathBuf,
        /// How many bytes it has.
        len: u64,
    },
}

impl Body {
    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// When a write may happen.
///
/// A store that ignores conditions is asked for the state of the object first, so that only writers at
/// the same moment can overwrite each other: keep those apart by other means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutCondition {
    /// In any case.
    Any,
    /// When there is no such object.
    IfAbsent,
    /// When the object still has this etag.
    IfMatch(String),
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Changes with every write of the key.
    pub etag: String,
    /// Name of this version, where the store keeps versions.
    pub version_id: Option<String>,
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its key, without the prefix of the policy.
    pub key: String,
    /// How many bytes it has.
    pub size: u64,
    /// Changes with every write of the key.
    pub etag: String,
    /// Name of this version, where the store keeps versions. Lists do not tell it.
    pub version_id: Option<String>,
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// An object that is being read.
pub struct Object {
    /// What is known of it.
    pub meta: Meta,
    /// Its bytes in order. A stream that ends without an error gave all of them.
    pub body: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}

impl Object {
    /// All of its bytes in memory; for objects that are known to be small.
    pub async fn bytes(self) -> Result<Bytes, StoreError> {
        let all = BytesMut::with_capacity(self.meta.size as usize);
        let add = |mut all: BytesMut, part: Bytes| async move {
            all.extend_from_slice(&part);
            Ok(all)
        };
        self.body.try_fold(all, add).await.map(BytesMut::freeze)
    }
}

/// Some objects in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Meta>,
    /// What to list after for the next page; `None` when this was the last.
    pub next: Option<String>,
}

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its name, for [`ObjectStore::delete`]; `None` where the store keeps no versions.
    pub version_id: Option<String>,
    /// Whether it is what a read gives.
    pub is_latest: bool,
    /// Whether it only says that the object was deleted.
    pub is_deletion: bool,
    /// How many bytes it has.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// A place for objects. Keys are relative to the prefix of the policy: parts joined by `/`, of which
/// none is empty, `.` or `..`, or begins or ends with `#`.
///
/// Every call tries again by itself for a moment when that may help. A write that failed with
/// [`StoreError::is_unsure`] may have happened.
#[async_trait]
pub trait ObjectStore: Send + Sync + std::fmt::Debug {
    /// Writes an object as a whole; nobody ever sees half of it.
    async fn put(&self, key: &str, body: Body, condition: PutCondition) -> Result<Stored, StoreError>;

    /// Reads an object. With `if_match`, only while it has that etag.
    async fn get(&self, key: &str, if_match: Option<&str>) -> Result<Object, StoreError>;

    /// Reads exactly these bytes. With `if_match`, only while the object has that etag.
    async fn get_range(
        &self,
        key: &str,
        range: Range<u64>,
        if_match: Option<&str>,
    ) -> Result<Bytes, StoreError>;

    /// What is known of an object; `None` when there is none.
    async fn head(&self, key: &str) -> Result<Option<Meta>, StoreError>;

    /// At most `limit` objects whose key begins with `prefix` and comes after `after`, in the order of
    /// the bytes of their keys.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError>;

    /// Every version of an object, latest first. One or none where the store keeps no versions.
    async fn versions(&self, key: &str) -> Result<Vec<Version>, StoreError>;

    /// Removes an object, or one version of it for good. Removing what is not there is no error.
    ///
    /// Without `version`, a store that keeps versions only hides the object.
    async fn delete(&self, key: &str, version: Option<&str>) -> Result<(), StoreError>;

    /// Creates the bucket or folder when it is missing; says whether it did.
    ///
    /// For the moment in which a policy is taken into use: a store that has lost its bucket later is
    /// away, and must not be replaced by an empty one.
    async fn ensure_bucket(&self) -> Result<bool, StoreError>;

    /// Removes what writes that were cut off before `before` left behind; says how many.
    async fn clear_unfinished(&self, before: DateTime<Utc>) -> Result<u64, StoreError>;
}
