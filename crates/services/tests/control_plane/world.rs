//! What every test starts from: a database of its own, a clock that can be set, one project.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::clock::{Clock, DevClock};
use domain::id::{OrganisationId, ProjectId};
use queue::connection::{Redis, RedisOptions};
use serde_json::{Map, Value};
use services::access::Actor;
use services::endpoints::{Endpoint, NewEndpoint};
use services::error::FieldError;
use services::projects::{NewProject, Project};
use services::queues::{QueueSettings, Queues};
use services::subscriptions::{NewSubscription, Subscription};
use services::vault::Vault;
use services::{Error, Options, Services};
use testkit::TestDb;

pub(crate) struct World {
    pub(crate) services: Arc<Services>,
    pub(crate) clock: Arc<DevClock>,
    /// The product itself, which may do everything.
    pub(crate) system: Actor,
    pub(crate) organisation: OrganisationId,
    pub(crate) project: ProjectId,
    /// Holds the first key of the project, in clear.
    pub(crate) key: String,
    /// Last, so that the pool above is gone first.
    _database: TestDb,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let database = testkit::database().await;
        let start: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().expect("a time");
        let clock = Arc::new(DevClock::starting_at(start));
        let shared: Arc<dyn Clock> = clock.clone();
        // Nobody listens there: settings never need Redis.
        let redis = Redis::new(RedisOptions::new("redis://127.0.0.1:1")).expect("an address");
        let queues = Queues::open(&redis, &QueueSettings::default(), &shared).expect("opens");
        let vault = Vault::new(&[7; 32]);
        let services = Arc::new(Services::new(database.db.clone(), queues, shared, vault, options));
        let system = Actor::system();
        let organisation = services::organisations::create(&services, &system, "Acme")
            .await
            .expect("made")
            .id;
        let mut world = Self {
            services,
            clock,
            system,
            organisation,
            project: ProjectId(uuid::Uuid::nil()),
            key: String::new(),
            _database: database,
        };
        let (project, key) = world.new_project("Shop").await;
        world.project = project.id;
        world.key = key;
        world
    }

    pub(crate) async fn new_project(&self, name: &str) -> (Project, String) {
        let new = self.project_called(name);
        let made = services::projects::create(&self.services, &self.system, new)
            .await
            .expect("made");
        (made.project, made.api_key.clear)
    }

    pub(crate) fn project_called(&self, name: &str) -> NewProject {
        NewProject {
            organisation: Some(self.organisation),
            name: name.to_owned(),
            kind: "outgoing".to_owned(),
            ..NewProject::default()
        }
    }

    pub(crate) async fn endpoint(&self, name: &str) -> Endpoint {
        let new = NewEndpoint {
            name: name.to_owned(),
            url: "https://example.com/in".to_owned(),
            ..NewEndpoint::default()
        };
        services::endpoints::create(&self.services, &self.system, self.project, new)
            .await
            .expect("made")
    }

    pub(crate) async fn subscription(&self, name: &str) -> Subscription {
        let endpoint = self.endpoint(&format!("{name}'s endpoint")).await;
        let new = NewSubscription {
            name: name.to_owned(),
            endpoint_id: endpoint.id.to_string(),
            ..NewSubscription::default()
        };
        services::subscriptions::create(&self.services, &self.system, self.project, new)
            .await
            .expect("made")
    }

    /// Who holds the project's key.
    pub(crate) async fn key_holder(&self) -> Actor {
        services::api_keys::authenticate(&self.services, &self.key, None)
            .await
            .expect("a good key")
    }

    /// Who holds a key of another project.
    pub(crate) async fn stranger(&self) -> Actor {
        let (_, key) = self.new_project("Somebody else's").await;
        services::api_keys::authenticate(&self.services, &key, None)
            .await
            .expect("a good key")
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock.set(self.clock.now() + by);
    }

    /// Actions written down in the project, oldest first.
    pub(crate) async fn actions(&self) -> Vec<String> {
        use services::page::{PageRequest, Sort};
        let query = services::audit::AuditQuery {
            project: Some(self.project),
            page: PageRequest {
                sort: Sort::Asc,
                ..PageRequest::first(100)
            },
            ..services::audit::AuditQuery::default()
        };
        let page = services::audit::list(&self.services, &self.system, query)
            .await
            .expect("listed");
        page.items.into_iter().map(|row| row.action).collect()
    }
}

/// The refused fields, or a panic when it was something else.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: services::Result<T>) -> Vec<FieldError> {
    match result {
        Err(Error::Invalid(fields)) => fields,
        other => panic!("expected refused fields, got {other:?}"),
    }
}

/// The names of the refused fields, sorted.
#[track_caller]
pub(crate) fn refused_names<T: std::fmt::Debug>(result: services::Result<T>) -> Vec<String> {
    let mut names: Vec<String> = refused(result).into_iter().map(|field| field.field).collect();
    names.sort();
    names
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(entries) => entries,
        other => panic!("not an object: {other}"),
    }
}
