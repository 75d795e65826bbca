//! A server on its own port, with its own database, two projects and their keys.

use std::net::SocketAddr;
use std::sync::Arc;

use domain::clock::{Clock, SystemClock};
use domain::id::ProjectId;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use services::bootstrap::{Bootstrap, bootstrap};
use services::options::Durability;
use services::queues::{QueueSettings, Queues};
use services::vault::Vault;
use services::{Options, Services};
use testkit::queue::connection::{Redis, RedisOptions};

/// Nobody listens there: what these tests ask for goes the way of PostgreSQL.
const NO_REDIS: &str = "redis://127.0.0.1:1";

/// A project and a key that opens it.
pub(crate) struct Tenant {
    pub(crate) project: ProjectId,
    pub(crate) key: String,
}

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) services: Arc<Services>,
    pub(crate) own: Tenant,
    pub(crate) other: Tenant,
    client: reqwest::Client,
    _database: testkit::TestDb,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl World {
    /// Events are stored before they are acknowledged, so that tests find them without a worker.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With other options than usual.
    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let database = testkit::database().await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let redis = Redis::new(RedisOptions::new(NO_REDIS)).expect("an address");
        let queues = Queues::open(&redis, &QueueSettings::default(), &clock).expect("queues");
        let mut options = Options::default();
        options.ingest.durability = Durability::Postgres;
        options.ingest.max_payload_bytes = 64 * 1024;
        options.partitions.days_ahead = 1;
        change(&mut options);
        let services = Arc::new(Services::new(
            database.db.clone(),
            queues,
            clock,
            Vault::new(&[7; 32]),
            options,
        ));
        services.catalog.reload().await.expect("a catalog");
        let own = tenant(&services, "own").await;
        let other = tenant(&services, "other").await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = api::router(api::ApiState {
            services: Arc::clone(&services),
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            services,
            own,
            other,
            client: reqwest::Client::new(),
            _database: database,
        }
    }

    /// A request without a credential.
    pub(crate) fn anonymous(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    /// A request with the own project's key. `path` goes on behind the project.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let path = format!("/api/v1/projects/{}{path}", self.own.project);
        self.anonymous(method, &path).bearer_auth(&self.own.key)
    }

    /// Asks the own project and reads the answer.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        read(self.request("GET", path)).await
    }

    /// Sends JSON to the own project and reads the answer.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        read(self.request(method, path).json(body)).await
    }
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.expect("a body");
    Answer {
        status,
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

async fn tenant(services: &Services, name: &str) -> Tenant {
    let wanted = Bootstrap {
        email: "admin@example.com".to_owned(),
        password: "correct horse battery".to_owned(),
        project_name: name.to_owned(),
        new_api_key: true,
        ..Bootstrap::default()
    };
    let made = bootstrap(services, wanted).await.expect("a project");
    services
        .catalog
        .refresh(made.project.id)
        .await
        .expect("a catalog");
    Tenant {
        project: made.project.id,
        key: made.api_key.expect("a key").clear,
    }
}

pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

pub(crate) fn assert_keys(value: &Value, expected: &str) {
    for key in expected.split_whitespace() {
        assert!(value.get(key).is_some(), "{key} is not in {:?}", keys(value));
    }
}
