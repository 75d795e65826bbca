//! A store is away.

use std::sync::Arc;
use std::time::Duration;

use db::Db;
use db::pool::DbOptions;
use domain::event::Target;
use domain::id::EndpointId;
use domain::state::DeliveryState;
use services::ingest::{Accepted, NewEvent};
use services::options::Durability;
use services::vault::Vault;
use services::{Error, Services};
use testkit::{Gateway, Receiver, Setup};

use crate::proxy::Proxy;

/// Longer than any test may take: who waits for the pool never sees its test end.
const FOR_EVER: Duration = Duration::from_secs(100_000);
/// Nobody listens there.
const NO_REDIS: &str = "redis://127.0.0.1:1";

#[tokio::test]
async fn event_accepted_while_redis_is_away_is_delivered_by_the_way_round() {
    let gateway = Gateway::with(Setup {
        redis: NO_REDIS.to_owned(),
        ..Setup::default()
    })
    .await;
    let receiver = Receiver::start().await;
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{\"n\":1}").await;
    receiver.wait_for(1).await;
    gateway.wait_for(event, DeliveryState::Success).await;
}

#[tokio::test]
async fn event_accepted_before_any_worker_runs_is_delivered_later() {
    let mut gateway = Gateway::with(Setup {
        workers: false,
        ..Setup::default()
    })
    .await;
    let receiver = Receiver::start().await;
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    gateway.start_workers();
    receiver.wait_for(1).await;
    gateway.wait_for(event, DeliveryState::Success).await;
}

#[tokio::test]
async fn with_both_stores_away_an_event_is_refused_with_a_time_to_come_back() {
    let gateway = Gateway::with(Setup {
        redis: NO_REDIS.to_owned(),
        workers: false,
        ..Setup::default()
    })
    .await;
    let endpoint = gateway.endpoint("http://127.0.0.1:9/").await;
    gateway.services.db.close().await;
    let refused = gateway.accept(endpoint, "{}", None).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { retry_after, .. }) if retry_after > 0),
        "{refused:?}"
    );
}

#[tokio::test]
async fn with_durability_postgres_an_accepted_event_is_in_the_table() {
    let mut setup = Setup {
        workers: false,
        ..Setup::default()
    };
    setup.options.ingest.durability = Durability::Postgres;
    let mut gateway = Gateway::with(setup).await;
    let receiver = Receiver::start().await;
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    let (services, actor) = (&gateway.services, gateway.actor());
    services::events::get(services, &actor, gateway.project, event)
        .await
        .expect("stored");
    gateway.start_workers();
    gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!(receiver.received().len(), 1);
}

/// A gateway that has only PostgreSQL to store events in.
async fn without_redis() -> (Gateway, EndpointId) {
    let gateway = Gateway::with(Setup {
        redis: NO_REDIS.to_owned(),
        workers: false,
        ..Setup::default()
    })
    .await;
    let endpoint = gateway.endpoint("http://127.0.0.1:9/").await;
    (gateway, endpoint)
}

/// The gateway's use cases with another way to its database.
async fn by_way_of(gateway: &Gateway, url: &str, max_connections: u32) -> Services {
    let options = DbOptions {
        max_connections,
        acquire_timeout: FOR_EVER,
        ..DbOptions::new(url)
    };
    let known = &gateway.services;
    let services = Services::new(
        Db::connect_lazy(&options).expect("an address"),
        known.queues.clone(),
        Arc::clone(&known.clock),
        Vault::new(&[7; 32]),
        known.options.clone(),
    );
    services.catalog.reload().await.expect("a catalog");
    services
}

async fn accept(services: &Services, gateway: &Gateway, target: Target) -> services::Result<Accepted> {
    let event = NewEvent {
        target,
        event_type: "order.created",
        data: "{}".into(),
        headers: Vec::new(),
        idempotency_key: Some("invoice-7"),
    };
    services::ingest::accept(services, &gateway.actor(), gateway.project, event).await
}

#[tokio::test]
async fn an_event_is_refused_at_once_while_both_stores_are_away_and_accepted_when_one_is_back() {
    let (gateway, endpoint) = without_redis().await;
    let (mut proxy, url) = Proxy::to(gateway.database_url()).await;
    let services = by_way_of(&gateway, &url, 4).await;
    let targets = [Target::Endpoint(endpoint), Target::Owner("acme".to_owned())];
    for target in &targets {
        accept(&services, &gateway, target.clone())
            .await
            .expect("accepted");
    }
    proxy.cut().await;
    // None of these waits for the pool, which would never give up.
    for target in targets.iter().cycle().take(20) {
        let refused = accept(&services, &gateway, target.clone()).await;
        assert!(
            matches!(refused, Err(Error::Unavailable { retry_after: 1, .. })),
            "{refused:?}"
        );
    }
    proxy.open().await;
    let target = Target::Endpoint(endpoint);
    while accept(&services, &gateway, target.clone()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_event_is_accepted_after_a_slow_moment_of_postgresql() {
    let (gateway, endpoint) = without_redis().await;
    let services = by_way_of(&gateway, gateway.database_url(), 1).await;
    // The only connection is in use for longer than it takes to make a look.
    let busy = services.db.begin().await.expect("the connection");
    let freed = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(busy);
    };
    let target = Target::Endpoint(endpoint);
    let (accepted, ()) = tokio::join!(accept(&services, &gateway, target), freed);
    accepted.expect("accepted");
}
