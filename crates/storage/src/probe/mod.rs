//! Trying everything that backup and archive need of a store, and saying what was found.
//!
//! It goes on after a step that failed, as far as the later ones can still tell something. Its objects
//! lie under `_probe/` and are removed at the end.

mod candidate;
mod steps;

use std::future::Future;
use std::time::Instant;

use bytes::Bytes;
use domain::storage::{Outcome, ProbeReport, ProbeStep, S3Policy, StoragePolicy};
use uuid::Uuid;

use crate::error::{ErrorKind, StoreError};
use crate::on_prem::OnPremStore;
use crate::s3::{Bucket, S3Store};
use crate::store::ObjectStore;
use candidate::Candidate;

/// Size of the object that is written and read.
const SMALL: usize = 1 << 20;

/// What a step saw.
type Finding = Result<(Outcome, String), StoreError>;

/// Tries a policy's store step by step.
pub async fn run(policy: &StoragePolicy) -> ProbeReport {
    let faults = policy.validate();
    if !faults.is_empty() {
        return refused(faults);
    }
    let mut probe = Probe::new();
    match policy {
        StoragePolicy::S3(policy) => probe.s3(policy).await,
        StoragePolicy::OnPrem(policy) => probe.on_prem(&OnPremStore::new(policy)).await,
    }
    probe.report
}

/// A policy that cannot be tried.
fn refused(faults: Vec<(&'static str, String)>) -> ProbeReport {
    let steps = faults.into_iter().map(|(field, say)| ProbeStep {
        name: "Settings".to_owned(),
        outcome: Outcome::Failed,
        say: format!("{field}: {say}"),
        took_ms: 0,
    });
    ProbeReport {
        steps: steps.collect(),
        ..ProbeReport::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a step, which may also fail")]
fn passed(say: impl Into<String>) -> Finding {
    Ok((Outcome::Passed, say.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a step, which may also fail")]
fn note(say: impl Into<String>) -> Finding {
    Ok((Outcome::Note, say.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a step, which may also fail")]
fn failed(say: impl Into<String>) -> Finding {
    Ok((Outcome::Failed, say.into()))
}

/// A probe on its way.
struct Probe {
    report: ProbeReport,
    /// What the keys of this probe begin with.
    prefix: String,
    content: Bytes,
}

impl Probe {
    fn new() -> Self {
        let mut content = vec![0; SMALL];
        rand::fill(&mut content[..]);
        Self {
            report: ProbeReport::default(),
            prefix: format!("_probe/{}/", Uuid::new_v4()),
            content: content.into(),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Takes one step; whether the following can build on it.
    async fn step(&mut self, name: &str, work: impl Future<Output = Finding>) -> bool {
        let started = Instant::now();
        let (outcome, say) = work
            .await
            .unwrap_or_else(|error| (Outcome::Failed, error.to_string()));
        self.report.steps.push(ProbeStep {
            name: name.to_owned(),
            outcome,
            say,
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        outcome != Outcome::Failed
    }

    async fn s3(&mut self, policy: &S3Policy) {
        let store = S3Store::new(policy);
        if !self.step("Connect", steps::connect(policy)).await {
            return;
        }
        let mut bucket = Bucket::Exists;
        if !self.step("Sign in", sign_in(&store, &mut bucket)).await {
            return;
        }
        if !self.step("Bucket", the_bucket(&store, bucket)).await {
            return;
        }
        if self.objects(&store).await {
            let key = self.key("large.gz");
            let mut can = false;
            self.step("Multipart", steps::multipart(&store, &key, &mut can))
                .await;
            self.report.capabilities.multipart = can;
        }
        let prefix = self.prefix.clone();
        let written = self.has_written();
        self.step("List by prefix", steps::list(&store, &prefix, written))
            .await;
        let mut versioned = false;
        self.step("Versioning", steps::versioning(&store, &mut versioned))
            .await;
        self.report.capabilities.versioning = versioned;
        self.report.capabilities.object_lock = store.has_object_lock().await;
        let lock = if self.report.capabilities.object_lock {
            "Object Lock is on: what it protects cannot be erased before its time."
        } else {
            "Object Lock is off."
        };
        self.delete(&store, lock).await;
    }

    async fn on_prem(&mut self, store: &OnPremStore) {
        if !self.step("Folder", steps::folder(store)).await {
            return;
        }
        self.objects(store).await;
        let prefix = self.prefix.clone();
        let written = self.has_written();
        self.step("List by prefix", steps::list(store, &prefix, written))
            .await;
        let mut free = None;
        self.step("Free space", steps::free_space(store, &mut free)).await;
        self.report.capabilities.free_bytes = free;
        let shared = "The folder must be the same on every worker.";
        self.delete(store, shared).await;
    }

    /// Whether the step that writes the small object passed.
    fn has_written(&self) -> bool {
        let write = self.report.steps.iter().find(|step| step.name == "Write");
        write.is_some_and(|step| step.outcome != Outcome::Failed)
    }

    /// Writes and reads one object in every way; whether writing works at all.
    async fn objects(&mut self, store: &dyn Candidate) -> bool {
        let (key, content) = (self.key("small.gz"), self.content.clone());
        if !self.step("Write", steps::write(store, &key, &content)).await {
            return false;
        }
        self.step("Read back", steps::read_back(store, &key, &content))
            .await;
        let mut found = domain::storage::Capabilities::default();
        self.step(
            "Read a range",
            steps::range(store, &key, &content, &mut found.ranges),
        )
        .await;
        let can = &mut found.read_if_unchanged;
        self.step("Read if unchanged", steps::read_if_unchanged(store, &key, can))
            .await;
        let can = &mut found.write_if_absent;
        self.step(
            "Write if absent",
            steps::write_if_absent(store, &key, &content, can),
        )
        .await;
        let can = &mut found.write_if_unchanged;
        self.step(
            "Write if unchanged",
            steps::write_if_unchanged(store, &key, &content, can),
        )
        .await;
        self.report.capabilities = found;
        true
    }

    /// Deletes what was written and says what is left.
    async fn delete(&mut self, store: &dyn ObjectStore, remark: &str) {
        let prefix = self.prefix.clone();
        let removed = self.step("Delete", steps::delete(store, &prefix)).await;
        self.report.remark = if removed {
            format!("{remark} Test objects were removed.")
        } else {
            format!("{remark} Test objects may be left under {prefix}")
        };
    }
}

async fn sign_in(store: &S3Store, bucket: &mut Bucket) -> Finding {
    match store.look_at_bucket().await {
        Ok(found) => {
            *bucket = found;
            passed("Access key accepted")
        }
        // It is known, but may not list; the step for that says so.
        Err(error) if error.kind() == ErrorKind::Denied => passed("Access key accepted"),
        Err(error) => Err(error),
    }
}

async fn the_bucket(store: &S3Store, bucket: Bucket) -> Finding {
    if bucket == Bucket::Exists {
        passed("Exists, no need to create")
    } else if store.ensure_bucket().await? {
        passed("Created")
    } else {
        passed("Created by somebody else just now")
    }
}
