//! Every kind of store passes the same suite; what only one kind can do stands apart.

mod faults;
mod messages;
mod on_prem;
mod probe;
mod suite;
mod versions;

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::storage::{OnPremPolicy, StoragePolicy};
use storage::{Body, ObjectStore, PutCondition, StoreError, Stored};
use tempfile::TempDir;

/// After everything that a test does.
const LATER: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

/// A store in a folder that is removed when dropped.
struct Folder {
    dir: TempDir,
    store: Arc<dyn ObjectStore>,
}

impl Folder {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = storage::open(&folder_policy(&dir));
        store.ensure_bucket().await.expect("writable");
        Self { dir, store }
    }
}

fn folder_policy(dir: &TempDir) -> StoragePolicy {
    let path = dir.path().join("archive").display().to_string();
    StoragePolicy::OnPrem(OnPremPolicy { path })
}

/// Bytes that differ everywhere and do not compress.
fn content(len: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

async fn put(store: &dyn ObjectStore, key: &str, bytes: &Bytes) -> Stored {
    let body = Body::Bytes(bytes.clone());
    store.put(key, body, PutCondition::Any).await.expect("written")
}

async fn put_if_absent(store: &dyn ObjectStore, key: &str, bytes: &Bytes) -> Result<Stored, StoreError> {
    let body = Body::Bytes(bytes.clone());
    store.put(key, body, PutCondition::IfAbsent).await
}

async fn read(store: &dyn ObjectStore, key: &str) -> Bytes {
    let object = store.get(key, None).await.expect("there");
    object.bytes().await.expect("whole")
}

async fn keys(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let page = store.list(prefix, None, 1_000).await.expect("a list");
    page.objects.into_iter().map(|object| object.key).collect()
}
