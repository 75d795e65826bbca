//! A light S3 server in the process, which can be told to misbehave.
//!
//! It speaks the part of S3 that archives need: objects with ranges and conditions, lists, versions,
//! uploads in parts. Of a signature it checks the access key, the region, the time and the digest of the
//! body, not the signature itself.

mod bucket;
mod faults;
mod garage;
mod operations;
mod server;
mod uploads;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use chrono::TimeDelta;
use domain::storage::{S3Policy, Secret, StoragePolicy};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use bucket::Bucket;
pub use faults::{Fault, Faults};
pub use garage::Garage;
use uploads::Uploads;

const BUCKET: &str = "longhaul-test";

/// What a store does with `If-Match` and `If-None-Match`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conditions {
    /// What it should.
    #[default]
    Honoured,
    /// Nothing, silently, as some gateways do.
    Ignored,
    /// It answers 501.
    Refused,
}

/// How the store behaves.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Conditions of writes.
    pub write_conditions: Conditions,
    /// Conditions of reads.
    pub read_conditions: Conditions,
    /// Whether `Range` is ignored.
    pub ignores_ranges: bool,
    /// Whether old versions are kept. Otherwise they cannot be listed either.
    pub versioning: bool,
    /// Whether versions are protected from removal.
    pub object_lock: bool,
    /// Whether uploads have no room.
    pub full: bool,
    /// The region that it serves.
    pub region: String,
    /// The one access key that it knows.
    pub access_key: String,
    /// Whether every signature is taken for wrong.
    pub refuses_signatures: bool,
    /// Operations that the access key may not do: `PutObject`.
    pub denied: Vec<&'static str>,
    /// How far its clock is ahead.
    pub clock_ahead: TimeDelta,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            write_conditions: Conditions::default(),
            read_conditions: Conditions::default(),
            ignores_ranges: false,
            versioning: false,
            object_lock: false,
            full: false,
            region: "us-east-1".to_owned(),
            access_key: "TESTACCESSKEY".to_owned(),
            refuses_signatures: false,
            denied: Vec::new(),
            clock_ahead: TimeDelta::zero(),
        }
    }
}

/// One request that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name in S3: `GetObject`.
    pub operation: &'static str,
    /// The object that it is about, with the prefix; empty for the bucket.
    pub key: String,
    /// The range that was asked for.
    pub range: Option<String>,
    /// Bytes of its body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Status of the answer; 0 when there was none.
    pub status: u16,
}

/// What came in so far.
#[derive(Clone, Debug, Default)]
pub struct Calls(pub Vec<Call>);

impl Calls {
    /// How many requests of this name came.
    pub fn count(&self, operation: &str) -> usize {
        self.0.iter().filter(|call| call.operation == operation).count()
    }

    /// How many bytes their answers had.
    pub fn bytes_out(&self, operation: &str) -> u64 {
        let ours = self.0.iter().filter(|call| call.operation == operation);
        ours.map(|call| call.bytes_out).sum()
    }
}

#[derive(Debug, Default)]
struct State {
    settings: Settings,
    bucket: Option<Bucket>,
    uploads: Uploads,
    calls: Vec<Call>,
    /// Counts writes; makes version ids and times that differ.
    serial: u64,
}

/// An S3 server on a free port; gone when dropped.
#[derive(Debug)]
pub struct TestS3 {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    faults: Arc<Faults>,
    serving: JoinHandle<()>,
}

impl Drop for TestS3 {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl TestS3 {
    /// A store with an empty bucket that behaves.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State {
            bucket: Some(Bucket::default()),
            ..State::default()
        }));
        let faults = Arc::new(Faults::default());
        let serving = tokio::spawn(server::serve(listener, Arc::clone(&state), Arc::clone(&faults)));
        Self {
            address,
            state,
            faults,
            serving,
        }
    }

    /// What a gateway writes to it with.
    pub fn s3_policy(&self) -> S3Policy {
        let settings = self.state().settings.clone();
        S3Policy {
            bucket: BUCKET.to_owned(),
            access_key: settings.access_key,
            secret_key: Secret::new("test-secret-key"),
            region: settings.region,
            endpoint: format!("http://{}", self.address),
            ..S3Policy::default()
        }
    }

    /// The same as a storage policy.
    pub fn policy(&self) -> StoragePolicy {
        StoragePolicy::S3(self.s3_policy())
    }

    /// How it is made to fail.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Changes how it behaves.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// What came in since the start or [`forget_calls`](Self::forget_calls).
    pub fn calls(&self) -> Calls {
        Calls(self.state().calls.clone())
    }

    /// Begins to count anew.
    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// The keys of all objects, with the prefix, in order.
    pub fn keys(&self) -> Vec<String> {
        let state = self.state();
        let bucket = state.bucket.iter();
        bucket.flat_map(Bucket::keys).map(str::to_owned).collect()
    }

    /// An object's bytes; the key has the prefix.
    pub fn object(&self, key: &str) -> Option<Bytes> {
        let state = self.state();
        let object = state.bucket.as_ref()?.current(key)?;
        Some(object.bytes.clone())
    }

    /// The headers that come back with an object; the key has the prefix.
    pub fn headers(&self, key: &str) -> Vec<(String, String)> {
        let state = self.state();
        let object = state.bucket.as_ref().and_then(|bucket| bucket.current(key));
        object.map(|object| object.headers.clone()).unwrap_or_default()
    }

    /// Every version of every object with these bytes in it, by key; for looking what erasure left.
    pub fn versions_containing(&self, bytes: &[u8]) -> Vec<String> {
        let state = self.state();
        let all = state.bucket.iter().flat_map(Bucket::versions);
        all.filter(|(_, version)| version.bytes.windows(bytes.len()).any(|part| part == bytes))
            .map(|(key, _)| key.to_owned())
            .collect()
    }

    /// Changes an object's bytes behind everybody's back: the etag stays.
    ///
    /// # Panics
    /// When there is no such object.
    pub fn damage(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let object = state.bucket.as_mut().and_then(|bucket| bucket.current_mut(key));
        let object = object.expect("an object to damage");
        let mut bytes = object.bytes.to_vec();
        change(&mut bytes);
        object.bytes = bytes.into();
    }

    /// Loses the bucket with everything in it.
    pub fn remove_bucket(&self) {
        self.state().bucket = None;
    }

    /// How many uploads in parts are unfinished.
    pub fn unfinished_uploads(&self) -> usize {
        self.state().uploads.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
