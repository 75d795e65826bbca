//! A gateway whose days are copied into a store that keeps versions, and persons in its events.

use std::process::Command;

use chrono::TimeDelta;
use domain::clock::Clock as _;
use domain::event::Target;
use domain::id::{EndpointId, ErasureId, EventId};
use domain::run::RunState;
use domain::state::DeliveryState;
use services::erasure::{self, Erasure, ErasureState, NewErasure, Wanted};
use services::events::Event;
use services::ingest::NewEvent;
use services::jobs::{Job, JobInput, Run};
use services::projects::ProjectUpdate;
use services::retention::PolicyChange;
use testkit::object_store::Conditions;
use testkit::{Gateway, Receiver, Reply, Setup, TestS3};

/// Large enough that a block of a segment has room for two events.
const FILLING: usize = 400_000;

pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) s3: TestS3,
    pub(crate) receiver: Receiver,
    pub(crate) endpoint: EndpointId,
    /// Every event, with its payload.
    pub(crate) sent: Vec<(EventId, String)>,
}

impl World {
    /// With a store that keeps versions.
    pub(crate) async fn new() -> Self {
        let s3 = TestS3::start().await;
        s3.set(|settings| settings.versioning = true);
        Self::on(s3, true).await
    }

    /// Without workers: events stay in the queue.
    pub(crate) async fn idle() -> Self {
        Self::on(TestS3::start().await, false).await
    }

    /// With a store that does what it wants about conditions.
    pub(crate) async fn without_conditions() -> Self {
        let s3 = TestS3::start().await;
        s3.set(|settings| {
            settings.write_conditions = Conditions::Ignored;
            settings.read_conditions = Conditions::Ignored;
        });
        Self::on(s3, true).await
    }

    async fn on(s3: TestS3, workers: bool) -> Self {
        let mut setup = Setup {
            workers,
            ..Setup::default()
        };
        setup.options.lifecycle.retention_policy = true;
        setup.options.storage = Some(s3.policy());
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
        let config = serde_json::json!({ "subject_pointer": "/customer/id" });
        services::projects::update(
            services,
            &gateway.actor(),
            gateway.project,
            ProjectUpdate {
                config: config.as_object().cloned(),
                ..ProjectUpdate::default()
            },
        )
        .await
        .expect("a subject pointer");
        Self {
            gateway,
            s3,
            receiver,
            endpoint,
            sent: Vec::new(),
        }
    }

    /// An event about a person.
    pub(crate) async fn about(&mut self, person: &str) -> EventId {
        let n = self.sent.len();
        let payload = format!(r#"{{ "n":{n}, "customer" : {{"id": "{person}", "mail":"{person}@x.org"}} }}"#);
        self.send(payload, person).await
    }

    /// A large event about a person: two of them fill a block.
    pub(crate) async fn much_about(&mut self, person: &str) -> EventId {
        let filling = "f".repeat(FILLING);
        let payload = format!(r#"{{"customer":{{"id":"{person}"}},"filling":"{filling}"}}"#);
        self.send(payload, person).await
    }

    async fn send(&mut self, payload: String, person: &str) -> EventId {
        let key = format!("key of {person} {}", self.sent.len());
        let new = NewEvent {
            target: Target::Endpoint(self.endpoint),
            event_type: "order.created",
            data: payload.as_str().into(),
            headers: vec![("X-Person".to_owned(), person.to_owned())],
            idempotency_key: Some(&key),
        };
        self.receiver
            .always(Reply::Header(200, "x-person", person.to_owned()));
        let gateway = &self.gateway;
        let accepted =
            services::ingest::accept(&gateway.services, &gateway.actor(), gateway.project, new).await;
        let id = accepted.expect("accepted").id;
        gateway.wait_for(id, DeliveryState::Success).await;
        self.sent.push((id, payload));
        // Events of one millisecond could not be told apart by it.
        gateway.pass(TimeDelta::seconds(1));
        id
    }

    /// The next day begins.
    pub(crate) async fn next_day(&self) {
        self.gateway.pass(TimeDelta::days(1));
        services::partitions::keep_ahead(&self.gateway.services)
            .await
            .expect("partitions");
    }

    /// Everything sent so far leaves PostgreSQL for the store.
    pub(crate) async fn archive(&self) {
        for _ in 0..2 {
            self.next_day().await;
            self.run("backup").await;
        }
        let run = self.run("deletion").await;
        assert!(run.counts["leaves"].as_u64() > Some(0), "{run:?}");
    }

    pub(crate) async fn run(&self, job: &str) -> Run {
        let run = self.try_run(job).await;
        assert_eq!(run.state, RunState::Done, "{run:?}");
        run
    }

    pub(crate) async fn try_run(&self, job: &str) -> Run {
        let job = Job::called(job).expect("a job");
        let gateway = &self.gateway;
        let run =
            services::jobs::run_now(&gateway.services, &gateway.actor(), job, JobInput::default()).await;
        run.expect("a run")
    }

    /// Asks for an erasure.
    pub(crate) async fn ask(&self, wanted: Wanted) -> Erasure {
        let new = NewErasure {
            wanted,
            reason: "asked for by letter".to_owned(),
        };
        let gateway = &self.gateway;
        let asked = erasure::request(&gateway.services, &gateway.actor(), gateway.project, new).await;
        asked.expect("an erasure")
    }

    pub(crate) async fn erasure(&self, id: ErasureId) -> Erasure {
        let gateway = &self.gateway;
        let found = erasure::get(&gateway.services, &gateway.actor(), gateway.project, id).await;
        found.expect("an erasure")
    }

    /// Asks for an erasure, runs its job and expects it to be done.
    pub(crate) async fn erase(&self, wanted: Wanted) -> Erasure {
        let asked = self.ask(wanted).await;
        self.run("erase").await;
        let erased = self.erasure(asked.id).await;
        assert_eq!(erased.state, ErasureState::Done, "{erased:?}");
        erased
    }

    pub(crate) async fn try_read(&self, id: EventId) -> services::Result<Event> {
        let gateway = &self.gateway;
        services::events::get(&gateway.services, &gateway.actor(), gateway.project, id).await
    }

    pub(crate) async fn read(&self, id: EventId) -> Event {
        self.try_read(id).await.expect("an event")
    }

    /// Asserts that every event but these reads as it was sent.
    pub(crate) async fn assert_others_whole(&self, erased: &[EventId]) {
        for (id, payload) in self.sent.iter().filter(|(id, _)| !erased.contains(id)) {
            assert_eq!(self.read(*id).await.payload, *payload, "{id}");
        }
    }

    /// Every object in which any version has the text, after it was inflated.
    pub(crate) fn objects_with(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for key in self.s3.keys() {
            if let Some(bytes) = self.s3.object(&key)
                && !key.starts_with('_')
                && gunzip(&bytes).contains(text)
            {
                found.push(key);
            }
        }
        found
    }

    /// Keys of objects that hold events.
    pub(crate) fn event_objects(&self) -> Vec<String> {
        let mut keys = self.s3.keys();
        keys.retain(|key| !key.contains("/_") && !key.starts_with('_'));
        keys
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

    /// Rows of the hot tables and of the index with the text.
    pub(crate) fn rows_with(&self, text: &str) -> String {
        let mut found = Vec::new();
        for table in [
            "events",
            "event_deliveries",
            "delivery_attempts",
            "idempotency_keys",
            "erasures",
            "audit",
        ] {
            let n = self.sql(&format!(
                "SELECT count(*) FROM {table} t WHERE strpos(t::text, '{text}') > 0"
            ));
            if n != "0" {
                found.push(format!("{table}: {n}"));
            }
        }
        found.join(", ")
    }

    pub(crate) fn pass(&self, time: TimeDelta) {
        self.gateway.clock.set(self.gateway.clock.now() + time);
    }
}

pub(crate) fn gunzip(bytes: &[u8]) -> String {
    use std::io::Write as _;
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().write_all(bytes).expect("written");
    let output = Command::new("gunzip")
        .arg("-c")
        .stdin(file.reopen().expect("the file"))
        .output();
    let output = output.expect("gunzip runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}
