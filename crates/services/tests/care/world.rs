//! A gateway whose days are copied into a store, and a look behind the scenes.

use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use domain::clock::Clock as _;
use domain::id::EventId;
use domain::run::RunState;
use domain::state::DeliveryState;
use services::attention::{Item, list};
use services::jobs::{Job, JobInput, Run};
use services::retention::PolicyChange;
use testkit::{Gateway, Receiver, Setup, TestS3};

pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) s3: TestS3,
    endpoint: domain::id::EndpointId,
    _receiver: Receiver,
    /// Every event with its payload, oldest first.
    pub(crate) sent: Vec<(EventId, String)>,
}

impl World {
    /// Keeps events for one day behind theirs, in segments of few rows.
    pub(crate) async fn new() -> Self {
        let s3 = TestS3::start().await;
        let mut setup = Setup::default();
        setup.options.lifecycle.retention_policy = true;
        setup.options.storage = Some(s3.policy());
        setup.options.archive.segment_rows = 4;
        let gateway = Gateway::with(setup).await;
        let services = &gateway.services;
        services::storage_policies::sync_configuration(services)
            .await
            .expect("a policy");
        let receiver = Receiver::start().await;
        let endpoint = gateway.endpoint(&receiver.url("/ok")).await;
        let change = PolicyChange {
            on: Some(true),
            days: Some("1".to_owned()),
            backup: Some(true),
            own_storage: None,
        };
        services::retention::save(
            services,
            &gateway.actor(),
            gateway.project,
            &change,
            Some("Checkout"),
        )
        .await
        .expect("saved");
        Self {
            gateway,
            s3,
            endpoint,
            _receiver: receiver,
            sent: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, n: usize) {
        for _ in 0..n {
            let payload = format!("{{ \"n\": {} }}", self.sent.len());
            let id = self.gateway.send(self.endpoint, &payload).await;
            self.gateway.wait_for(id, DeliveryState::Success).await;
            self.sent.push((id, payload));
        }
    }

    pub(crate) async fn next_day(&self) {
        self.gateway.pass(TimeDelta::days(1));
        services::partitions::keep_ahead(&self.gateway.services)
            .await
            .expect("partitions");
    }

    /// A day with `n` events that was copied; nothing has left yet.
    pub(crate) async fn copied(n: usize) -> Self {
        let mut world = Self::new().await;
        world.send(n).await;
        world.next_day().await;
        world.run("backup").await;
        world
    }

    /// A day with `n` events that was copied and has left.
    pub(crate) async fn archived(n: usize) -> Self {
        let world = Self::copied(n).await;
        world.next_day().await;
        world.run("backup").await;
        let run = world.run("deletion").await;
        assert!(run.counts["leaves"].as_u64() > Some(0), "{run:?}");
        world
    }

    /// An event of yesterday is written today, as one that lay in a queue over midnight; then its day is
    /// over for good and copied once more.
    pub(crate) async fn come_late(&mut self) {
        let yesterday = self.now() - TimeDelta::days(1);
        self.gateway.clock.set(yesterday);
        self.send(1).await;
        self.gateway.clock.set(yesterday);
        for _ in 0..2 {
            self.next_day().await;
        }
        self.run("backup").await;
        assert!(self.states().contains("replaced"), "{}", self.states());
    }

    pub(crate) async fn try_run(&self, job: &str, input: JobInput) -> Run {
        let job = Job::called(job).expect("a job");
        let (services, actor) = (&self.gateway.services, self.gateway.actor());
        services::jobs::run_now(services, &actor, job, input)
            .await
            .expect("a run")
    }

    pub(crate) async fn run(&self, job: &str) -> Run {
        let run = self.try_run(job, JobInput::default()).await;
        assert_eq!(run.state, RunState::Done, "{run:?}");
        run
    }

    /// One count of a run, 0 when it has none.
    pub(crate) async fn count(&self, job: &str, what: &str) -> u64 {
        let run = self.run(job).await;
        run.counts[what]
            .as_u64()
            .unwrap_or_else(|| panic!("{what}: {run:?}"))
    }

    /// Runs SQL, for what no use case does.
    pub(crate) fn sql(&self, sql: &str) -> String {
        let url = self.gateway.database_url();
        let output = Command::new("psql")
            .args([url, "-v", "ON_ERROR_STOP=1", "-Atqc", sql])
            .output();
        let output = output.expect("psql runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn states(&self) -> String {
        self.sql("SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM segments GROUP BY 1) s")
    }

    /// Keys of objects that hold events.
    pub(crate) fn event_objects(&self) -> Vec<String> {
        let mut keys = self.s3.keys();
        keys.retain(|key| !key.contains("/_"));
        keys
    }

    /// Asserts that every event reads as it was sent.
    pub(crate) async fn assert_whole(&self) {
        let (services, actor) = (&self.gateway.services, self.gateway.actor());
        for (id, payload) in &self.sent {
            let event = services::events::get(services, &actor, self.gateway.project, *id).await;
            assert_eq!(event.expect("an event").payload, *payload, "{id}");
        }
    }

    pub(crate) async fn attention(&self) -> Vec<Item> {
        list(&self.gateway.services, &self.gateway.actor())
            .await
            .expect("a list")
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.gateway.clock.now()
    }

    pub(crate) fn pass(&self, time: TimeDelta) {
        self.gateway.clock.set(self.now() + time);
    }

    /// Writes an object into the store as another process would.
    pub(crate) async fn put(&self, key: &str, bytes: bytes::Bytes) {
        self.store()
            .put(key, storage::Body::Bytes(bytes), storage::PutCondition::Any)
            .await
            .expect("stored");
    }

    pub(crate) async fn remove(&self, key: &str) {
        self.store().delete(key, None).await.expect("removed");
    }

    fn store(&self) -> std::sync::Arc<dyn storage::ObjectStore> {
        storage::open(&self.s3.policy())
    }
}
