//! Resend, replay and batches.

use chrono::TimeDelta;
use domain::state::DeliveryState;
use services::Error;
use services::deliveries::DeliveryFilter;
use services::events::EventFilter;
use testkit::{Gateway, Receiver, Reply};

async fn failed(gateway: &Gateway, receiver: &Receiver, count: usize) -> Vec<domain::id::EventId> {
    receiver.always(Reply::Status(410));
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let mut events = Vec::new();
    for _ in 0..count {
        let event = gateway.send(endpoint, "{}").await;
        gateway.wait_for(event, DeliveryState::Failure).await;
        events.push(event);
    }
    receiver.always(Reply::Status(200));
    events
}

#[tokio::test]
async fn a_failed_delivery_can_be_resent_and_a_delivered_one_only_by_force() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let event = failed(&gateway, &receiver, 1).await[0];
    let (services, actor) = (&gateway.services, gateway.actor());
    let id = gateway.delivery_ids(event).await[0];
    services::deliveries::resend(services, &actor, gateway.project, id)
        .await
        .expect("resent");
    let delivery = gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!((delivery.id, delivery.attempts), (id, 2));
    let again = services::deliveries::resend(services, &actor, gateway.project, id).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    let forced = services::deliveries::force_resend(services, &actor, gateway.project, &[id]).await;
    assert_eq!(forced.expect("forced"), (1, 0));
    receiver.wait_for(3).await;
}

#[tokio::test]
async fn a_replay_makes_new_deliveries_of_the_same_event() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway
        .accept(endpoint, "{\"n\":7}", Some("key-7"))
        .await
        .expect("accepted")
        .id;
    gateway.wait_for(event, DeliveryState::Success).await;
    let (services, actor) = (&gateway.services, gateway.actor());
    services::events::replay(services, &actor, gateway.project, event)
        .await
        .expect("replayed");
    let received = receiver.wait_for(2).await;
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(gateway.deliveries(event).await.len(), 2);
    let count = services::events::count(services, &actor, gateway.project, &EventFilter::default()).await;
    assert_eq!(count.expect("counted"), 1);
}

#[tokio::test]
async fn a_batch_retries_everything_that_failed_and_tells_its_progress() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let events = failed(&gateway, &receiver, 5).await;
    let (services, actor) = (&gateway.services, gateway.actor());
    let filter = DeliveryFilter::default();
    let batch = services::deliveries::start_batch_retry(services, &actor, gateway.project, &filter).await;
    let batch = batch.expect("started");
    for event in events {
        gateway.wait_for(event, DeliveryState::Success).await;
    }
    for _ in 0..600 {
        let found = services::batches::get(services, &actor, gateway.project, batch)
            .await
            .expect("found");
        if found.state == "completed" {
            assert_eq!((found.processed, found.failed), (5, 0));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the batch does not end");
}

#[tokio::test]
async fn a_batch_whose_worker_died_goes_on_from_where_it_was() {
    let gateway = Gateway::with(testkit::Setup {
        workers: false,
        ..testkit::Setup::default()
    })
    .await;
    let (services, actor) = (&gateway.services, gateway.actor());
    let filter = DeliveryFilter::default();
    let id = services::deliveries::start_batch_retry(services, &actor, gateway.project, &filter)
        .await
        .expect("started");
    let now = services.clock.now();
    let claimed = db::batches::claim(&services.db, now, now + TimeDelta::seconds(120))
        .await
        .expect("claimed");
    assert_eq!(claimed.map(|batch| batch.id), Some(id));
    let stop = tokio_util::sync::CancellationToken::new();
    assert_eq!(
        services::batches::work(services, &stop).await.expect("looked"),
        0,
        "the lease holds"
    );
    gateway.pass(TimeDelta::seconds(121));
    assert_eq!(services::batches::work(services, &stop).await.expect("worked"), 1);
    let batch = services::batches::get(services, &actor, gateway.project, id)
        .await
        .expect("found");
    assert_eq!(batch.state, "completed");
}
