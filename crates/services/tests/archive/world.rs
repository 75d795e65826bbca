//! A gateway with an object store, and days of events that leave PostgreSQL.

use chrono::{DateTime, TimeDelta, Utc};
use domain::clock::Clock as _;
use domain::event::Target;
use domain::id::{EndpointId, EventId};
use domain::run::RunState;
use domain::state::DeliveryState;
use services::Options;
use services::events::Event;
use services::ingest::NewEvent;
use services::jobs::{Job, JobInput, Run};
use services::retention::PolicyChange;
use testkit::{Gateway, Receiver, Reply, Setup, TestS3};

/// A gateway, its object store, and two endpoints.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) s3: TestS3,
    /// Takes what is sent to `good`.
    pub(crate) receiver: Receiver,
    pub(crate) good: EndpointId,
    /// Refuses everything for good.
    pub(crate) bad: EndpointId,
    _refusing: Receiver,
    /// Every event ever accepted, oldest first.
    pub(crate) sent: Vec<Sent>,
}

/// What an event was accepted as.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) id: EventId,
    pub(crate) event_type: &'static str,
    pub(crate) data: String,
}

impl World {
    /// With small segments, so that a day has several of each type.
    pub(crate) async fn new() -> Self {
        Self::with(|options| options.archive.segment_rows = 8).await
    }

    /// Keeps events for one day behind theirs, and copies them.
    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let s3 = TestS3::start().await;
        let mut setup = Setup::default();
        setup.options.lifecycle.retention_policy = true;
        setup.options.storage = Some(s3.policy());
        change(&mut setup.options);
        let gateway = Gateway::with(setup).await;
        services::storage_policies::sync_configuration(&gateway.services)
            .await
            .expect("a policy");
        let (receiver, refusing) = (Receiver::start().await, Receiver::start().await);
        refusing.always(Reply::Status(410));
        let good = gateway.endpoint(&receiver.url("/good")).await;
        let bad = gateway.endpoint(&refusing.url("/bad")).await;
        let world = Self {
            gateway,
            s3,
            receiver,
            good,
            bad,
            _refusing: refusing,
            sent: Vec::new(),
        };
        world.keep_one_day().await;
        world
    }

    async fn keep_one_day(&self) {
        let change = PolicyChange {
            on: Some(true),
            days: Some("1".to_owned()),
            backup: Some(true),
            own_storage: None,
        };
        let (services, actor) = (&self.gateway.services, self.gateway.actor());
        services::retention::save(services, &actor, self.gateway.project, &change, Some("Checkout"))
            .await
            .expect("saved");
    }

    /// Accepts an event; its delivery is waited for with [`Self::settle`].
    pub(crate) async fn accept(
        &mut self,
        endpoint: EndpointId,
        event_type: &'static str,
        data: String,
        key: Option<&str>,
    ) -> EventId {
        let new = NewEvent {
            target: Target::Endpoint(endpoint),
            event_type,
            data: data.as_str().into(),
            headers: vec![("X-Part".to_owned(), event_type.to_owned())],
            idempotency_key: key,
        };
        let (services, actor) = (&self.gateway.services, self.gateway.actor());
        let accepted = services::ingest::accept(services, &actor, self.gateway.project, new)
            .await
            .expect("accepted");
        self.sent.push(Sent {
            id: accepted.id,
            event_type,
            data,
        });
        accepted.id
    }

    /// One day of `n` events of all sorts, and their deliveries.
    pub(crate) async fn day(&mut self, day: usize, n: usize) {
        let before = self.sent.len();
        for i in 0..n {
            let endpoint = if i % 5 == 4 { self.bad } else { self.good };
            let event_type = if i % 3 == 0 {
                "invoice.paid"
            } else {
                "order.created"
            };
            let data = format!(
                "{{ \"n\": {i},\"day\":{day}, \"x\": 1.50, \"word\":\"Zwölf {}\" }}",
                i % 7
            );
            let key = format!("key-{day}-{i}");
            self.accept(endpoint, event_type, data, (i % 4 == 0).then_some(key.as_str()))
                .await;
        }
        self.settle(before).await;
    }

    /// Waits until the deliveries of all events from number `from` on have ended.
    pub(crate) async fn settle(&self, from: usize) {
        for sent in &self.sent[from..] {
            let event = self.wait_for(sent.id).await;
            let refused = event.endpoint_id == Some(self.bad);
            let state = if refused {
                DeliveryState::Failure
            } else {
                DeliveryState::Success
            };
            self.gateway.wait_for(sent.id, state).await;
        }
    }

    async fn wait_for(&self, id: EventId) -> Event {
        let (services, actor) = (&self.gateway.services, self.gateway.actor());
        for _ in 0..600 {
            match services::events::get(services, &actor, self.gateway.project, id).await {
                Ok(event) => return event,
                Err(services::Error::NotFound(_)) => {}
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the event is never written");
    }

    /// Events of several days: the last one has just begun.
    pub(crate) async fn days(&mut self, days: usize, each: usize) {
        for day in 0..days {
            self.day(day, each).await;
            self.next_day().await;
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
        let (services, actor) = (&self.gateway.services, self.gateway.actor());
        let run = services::jobs::run_now(services, &actor, job, JobInput::default())
            .await
            .expect("a run");
        assert_eq!(run.state, RunState::Done, "{run:?}");
        run
    }

    /// Copies every ended day and drops what has been kept for long enough.
    pub(crate) async fn archive(&self) {
        self.run("backup").await;
        let run = self.run("deletion").await;
        assert!(run.counts["leaves"].as_u64() > Some(0), "{run:?}");
        self.s3.forget_calls();
    }

    /// Days turn cold although nothing has left yet: the moment before a deletion.
    pub(crate) async fn turn_cold(&self) {
        let (services, now) = (&self.gateway.services, self.now());
        let mut days: Vec<_> = self.sent.iter().map(|sent| sent.id.day()).collect();
        days.dedup();
        for day in days {
            testkit::db::segments::turn_cold(&services.db, &[self.gateway.project], day, now)
                .await
                .expect("cold");
        }
    }

    /// Whether PostgreSQL has the event.
    pub(crate) async fn is_hot(&self, id: EventId) -> bool {
        let found = testkit::db::events::find(&self.gateway.services.db, id).await;
        found.expect("PostgreSQL answers").is_some()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.gateway.clock.now()
    }

    /// How many ranged reads the store saw.
    pub(crate) fn gets(&self) -> usize {
        self.s3.calls().count("GetObject")
    }

    /// Keys of the objects that hold events.
    pub(crate) fn event_objects(&self) -> Vec<String> {
        let mut keys = self.s3.keys();
        keys.retain(|key| !key.contains("/_"));
        keys
    }
}
