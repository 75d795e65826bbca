//! A store is away.

use domain::state::DeliveryState;
use services::Error;
use services::options::Durability;
use testkit::{Gateway, Receiver, Setup};

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
