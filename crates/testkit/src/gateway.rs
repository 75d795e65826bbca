//! A gateway in the test's own process: its own database, its own keys in Redis, real workers, and
//! a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::{Clock, DevClock};
use domain::event::Target;
use domain::id::{DeliveryId, EndpointId, EventId, ProjectId};
use domain::state::DeliveryState;
use queue::{Redis, RedisOptions};
use services::access::Actor;
use services::deliveries::{Delivery, DeliveryFilter};
use services::delivery::Engine;
use services::endpoints::NewEndpoint;
use services::ingest::{Accepted, NewEvent};
use services::page::PageRequest;
use services::projects::NewProject;
use services::queues::{QueueSettings, Queues};
use services::subscriptions::NewSubscription;
use services::vault::Vault;
use services::{Options, Services};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use worker::queues::QueueWorkers;

use crate::TestDb;

/// A gateway with one project.
#[derive(Debug)]
pub struct Gateway {
    /// Its use cases.
    pub services: Arc<Services>,
    /// Its engine; the workers use the same one.
    pub engine: Engine,
    /// Its clock.
    pub clock: Arc<DevClock>,
    /// A project to work in.
    pub project: ProjectId,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    database: TestDb,
}

/// What differs from the usual gateway.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Limits and switches; receivers on loopback are allowed.
    pub options: Options,
    /// Whether workers run.
    pub workers: bool,
    /// Address of Redis.
    pub redis: String,
}

impl Default for Setup {
    fn default() -> Self {
        let mut options = Options::default();
        options.delivery.allow_addresses = vec!["127.0.0.0/8".to_owned()];
        options.partitions.days_ahead = 1;
        Self {
            options,
            workers: true,
            redis: crate::redis_url(),
        }
    }
}

impl Gateway {
    /// A gateway with running workers.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// A gateway of one's own making.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn with(setup: Setup) -> Self {
        let database = crate::database().await;
        let clock = Arc::new(DevClock::default());
        let shared: Arc<dyn Clock> = Arc::<DevClock>::clone(&clock);
        let redis = Redis::new(RedisOptions::new(setup.redis)).expect("an address of Redis");
        let settings = QueueSettings {
            prefix: format!("t{}", uuid::Uuid::new_v4().simple()),
            ..QueueSettings::default()
        };
        let queues = Queues::open(&redis, &settings, &shared).expect("queues");
        let services = Arc::new(Services::new(
            database.db.clone(),
            queues,
            shared,
            Vault::new(&[7; 32]),
            setup.options,
        ));
        services::partitions::keep_ahead(&services)
            .await
            .expect("partitions");
        services.catalog.reload().await.expect("a catalog");
        let project = make_project(&services).await;
        let engine = Engine::start(Arc::clone(&services)).expect("an engine");
        let mut gateway = Self {
            services,
            engine,
            clock,
            project,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
            database,
        };
        if setup.workers {
            gateway.start_workers();
        }
        gateway
    }

    /// Starts workers and the sweeper.
    pub fn start_workers(&mut self) {
        let settings = QueueWorkers {
            workers: 1,
            max_in_flight: 512,
            visibility_timeout: Duration::from_mins(1),
            drain_limit: Duration::from_secs(5),
        };
        let (engine, services, stop) = (self.engine.clone(), Arc::clone(&self.services), self.stop.clone());
        self.tasks.spawn(async move {
            tokio::join!(
                services.catalog.follow(stop.clone()),
                worker::queues::run(&engine, &services.queues, &settings, &stop),
                worker::loops::run(&engine, &services, &stop),
            );
        });
    }

    /// Stops workers in order.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.engine.drain(Duration::from_secs(5)).await;
    }

    /// Address of its database.
    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// Who acts in tests.
    pub fn actor(&self) -> Actor {
        Actor::system()
    }

    /// An endpoint at `url` with a subscription to everything.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn endpoint(&self, url: &str) -> EndpointId {
        let new = NewEndpoint {
            name: url.to_owned(),
            url: url.to_owned(),
            ..NewEndpoint::default()
        };
        self.endpoint_of(new).await
    }

    /// An endpoint of one's own making with a subscription to everything.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn endpoint_of(&self, new: NewEndpoint) -> EndpointId {
        let (services, actor) = (&self.services, self.actor());
        let endpoint = services::endpoints::create(services, &actor, self.project, new)
            .await
            .expect("an endpoint");
        let subscription = NewSubscription {
            name: format!("everything to {}", endpoint.name),
            endpoint_id: endpoint.id.to_string(),
            ..NewSubscription::default()
        };
        services::subscriptions::create(services, &actor, self.project, subscription)
            .await
            .expect("a subscription");
        endpoint.id
    }

    /// Sends an event to an endpoint.
    ///
    /// # Panics
    /// When it is not accepted.
    pub async fn send(&self, endpoint: EndpointId, data: &str) -> EventId {
        self.accept(endpoint, data, None).await.expect("accepted").id
    }

    /// Sends an event and returns whatever came of it.
    ///
    /// # Errors
    /// As [`services::ingest::accept`].
    pub async fn accept(
        &self,
        endpoint: EndpointId,
        data: &str,
        key: Option<&str>,
    ) -> services::Result<Accepted> {
        let event = NewEvent {
            target: Target::Endpoint(endpoint),
            event_type: "order.created",
            data: data.into(),
            headers: Vec::new(),
            idempotency_key: key,
        };
        services::ingest::accept(&self.services, &self.actor(), self.project, event).await
    }

    /// Deliveries of an event.
    ///
    /// # Panics
    /// When PostgreSQL is away.
    pub async fn deliveries(&self, event: EventId) -> Vec<Delivery> {
        let filter = DeliveryFilter {
            event_id: Some(event),
            ..DeliveryFilter::default()
        };
        let (services, actor) = (&self.services, self.actor());
        let page =
            services::deliveries::list(services, &actor, self.project, &filter, PageRequest::first(100))
                .await;
        page.expect("a page").items
    }

    /// Waits until the event's only delivery stands in `state`.
    ///
    /// # Panics
    /// When it does not within half a minute.
    pub async fn wait_for(&self, event: EventId, state: DeliveryState) -> Delivery {
        let mut last = Vec::new();
        for _ in 0..600 {
            last = self.deliveries(event).await;
            if let [delivery] = last.as_slice()
                && delivery.state == state
            {
                return delivery.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the delivery does not come to stand in {state}: {last:?}");
    }

    /// Ids of an event's deliveries.
    pub async fn delivery_ids(&self, event: EventId) -> Vec<DeliveryId> {
        self.deliveries(event)
            .await
            .iter()
            .map(|delivery| delivery.id)
            .collect()
    }

    /// Moves the clock on.
    pub fn pass(&self, time: chrono::TimeDelta) {
        self.clock.set(self.clock.now() + time);
    }
}

async fn make_project(services: &Services) -> ProjectId {
    let actor = Actor::system();
    let organisation = services::organisations::create(services, &actor, "Harbour")
        .await
        .expect("an organisation");
    let config = serde_json::json!({
        "multiple_endpoint_subscriptions": true,
        "strategy": { "type": "linear", "duration": 60, "retry_count": 3 },
    });
    let new = NewProject {
        organisation: Some(organisation.id),
        name: "Checkout".to_owned(),
        kind: "outgoing".to_owned(),
        config: config.as_object().cloned(),
        ..NewProject::default()
    };
    services::projects::create(services, &actor, new)
        .await
        .expect("a project")
        .project
        .id
}
