//! A gateway whose projects are backed up into a folder, and days that pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, TimeDelta};
use domain::clock::Clock as _;
use domain::id::EventId;
use domain::state::DeliveryState;
use domain::storage::{OnPremPolicy, StoragePolicy};
use services::jobs::{Job, JobInput, Run};
use services::retention::PolicyChange;
use tempfile::TempDir;
use testkit::{Gateway, Receiver, Setup};

/// A gateway, a receiver that takes everything, and a folder for segments.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    _receiver: Receiver,
    pub(crate) endpoint: domain::id::EndpointId,
    store: TempDir,
    /// Every event ever accepted, with its payload.
    pub(crate) accepted: BTreeMap<EventId, String>,
}

impl World {
    /// With the feature on and the instance's storage in a folder.
    pub(crate) async fn new() -> Self {
        let store = tempfile::tempdir().expect("a folder");
        let mut setup = Setup::default();
        setup.options.lifecycle.retention_policy = true;
        setup.options.storage = Some(StoragePolicy::OnPrem(OnPremPolicy {
            path: store.path().join("archive").display().to_string(),
        }));
        let gateway = Gateway::with(setup).await;
        services::storage_policies::sync_configuration(&gateway.services)
            .await
            .expect("a policy");
        let receiver = Receiver::start().await;
        let endpoint = gateway.endpoint(&receiver.url("/ok")).await;
        Self {
            gateway,
            _receiver: receiver,
            endpoint,
            store,
            accepted: BTreeMap::new(),
        }
    }

    /// Where segments lie.
    pub(crate) fn folder(&self) -> PathBuf {
        self.store.path().join("archive")
    }

    /// Keeps the project's events for so many days, with backup.
    pub(crate) async fn keep(&self, days: u16) {
        let change = PolicyChange {
            on: Some(true),
            days: Some(days.to_string()),
            backup: Some(true),
            own_storage: None,
        };
        let gateway = &self.gateway;
        services::retention::save(
            &gateway.services,
            &gateway.actor(),
            gateway.project,
            &change,
            Some("Checkout"),
        )
        .await
        .expect("saved");
    }

    /// Sends `n` events and waits until they are delivered.
    pub(crate) async fn send(&mut self, n: usize) {
        let mut sent = Vec::new();
        for i in 0..n {
            let data = format!("{{ \"n\": {i}, \"at\":\"{}\" }}", self.gateway.clock.now());
            let id = self.gateway.send(self.endpoint, &data).await;
            self.accepted.insert(id, data);
            sent.push(id);
        }
        for id in sent {
            self.gateway.wait_for(id, DeliveryState::Success).await;
        }
    }

    /// The next day begins, and its partitions are there.
    pub(crate) async fn next_day(&self) {
        self.gateway.pass(TimeDelta::days(1));
        services::partitions::keep_ahead(&self.gateway.services)
            .await
            .expect("partitions");
    }

    /// Runs a job to its end.
    pub(crate) async fn run(&self, job: &str) -> Run {
        let job = Job::called(job).expect("a job");
        let gateway = &self.gateway;
        services::jobs::run_now(&gateway.services, &gateway.actor(), job, JobInput::default())
            .await
            .expect("a run")
    }

    /// Today by the gateway's clock.
    pub(crate) fn today(&self) -> NaiveDate {
        self.gateway.clock.now().date_naive()
    }
}

/// Every object below a folder.
pub(crate) fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|end| end == "gz") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
