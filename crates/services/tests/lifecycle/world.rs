//! A gateway whose projects are backed up into a folder, and days that pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, TimeDelta};
use domain::clock::Clock as _;
use domain::id::EventId;
use domain::lifecycle::start_of;
use domain::state::DeliveryState;
use domain::storage::{OnPremPolicy, StoragePolicy};
use services::events::EventFilter;
use services::jobs::{Job, JobInput, Run};
use services::page::PageRequest;
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
        let policy = StoragePolicy::OnPrem(OnPremPolicy {
            path: store.path().join("archive").display().to_string(),
        });
        Self::with(store, policy).await
    }

    /// With the feature on and the instance's storage elsewhere.
    pub(crate) async fn stored_in(policy: StoragePolicy) -> Self {
        Self::with(tempfile::tempdir().expect("a folder"), policy).await
    }

    async fn with(store: TempDir, policy: StoragePolicy) -> Self {
        let mut setup = Setup::default();
        setup.options.lifecycle.retention_policy = true;
        setup.options.storage = Some(policy);
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

    /// Every event that was accepted on or after `since`, with its payload.
    pub(crate) fn accepted_since(&self, since: NaiveDate) -> BTreeMap<EventId, String> {
        let ours = self.accepted.iter().filter(|(id, _)| id.day() >= since);
        ours.map(|(id, data)| (*id, data.clone())).collect()
    }

    /// Every event since `since` that a customer can read, with its payload.
    pub(crate) async fn readable(&self, since: NaiveDate) -> BTreeMap<EventId, String> {
        let filter = EventFilter {
            from: Some(start_of(since)),
            ..EventFilter::default()
        };
        let (services, actor) = (&self.gateway.services, self.gateway.actor());
        let (mut events, mut request) = (BTreeMap::new(), PageRequest::first(100));
        loop {
            let page = services::events::list(services, &actor, self.gateway.project, &filter, request, true)
                .await
                .expect("a page");
            for event in page.items {
                let seen = events.insert(event.id, event.payload);
                assert!(seen.is_none(), "{} is listed twice", event.id);
            }
            request.cursor = page.next_cursor.filter(|_| page.has_next);
            if request.cursor.is_none() {
                return events;
            }
        }
    }

    /// Every event that PostgreSQL holds.
    pub(crate) async fn hot(&self) -> BTreeSet<EventId> {
        let ids = self.sql("SELECT id::text FROM events").await;
        ids.iter().map(|id| id.parse().expect("an id")).collect()
    }

    /// Days of which PostgreSQL holds events, oldest first.
    pub(crate) async fn hot_days(&self) -> Vec<NaiveDate> {
        let days: BTreeSet<NaiveDate> = self.hot().await.into_iter().map(EventId::day).collect();
        days.into_iter().collect()
    }

    /// The first column of every row that SQL of the test's own gives.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<String> {
        let answers = testkit::db::databases::answers(&self.gateway.services.db, sql).await;
        answers.expect("sound SQL")
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
