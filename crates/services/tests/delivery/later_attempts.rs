//! Retries: when, how often, and what ends them.

use chrono::TimeDelta;
use domain::lifecycle::KeepDays;
use domain::state::DeliveryState;
use serde_json::json;
use services::Error;
use services::projects::ProjectUpdate;
use testkit::{Gateway, Receiver, Reply, Setup};

#[tokio::test]
async fn a_failed_delivery_is_tried_again_when_its_time_has_come_and_not_before() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    receiver.reply([Reply::Status(500)]);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{\"n\":1}").await;
    let waiting = gateway.wait_for(event, DeliveryState::Retry).await;
    assert_eq!(
        waiting.description.as_deref(),
        Some("Endpoint returned status code 500")
    );
    assert!(waiting.due_at.expect("due") > gateway.services.clock.now() + TimeDelta::seconds(50));
    assert_eq!(receiver.received().len(), 1);

    gateway.pass(TimeDelta::seconds(61));
    let received = receiver.wait_for(2).await;
    assert_eq!(received[0].body, received[1].body);
    let delivery = gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!((delivery.id, delivery.attempts), (waiting.id, 2));
}

#[tokio::test]
async fn a_delivery_ends_as_failed_when_its_attempts_are_used_up() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    receiver.always(Reply::Status(503));
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    for made in 1..3 {
        receiver.wait_for(made).await;
        gateway.wait_for(event, DeliveryState::Retry).await;
        gateway.pass(TimeDelta::seconds(61));
    }
    let delivery = gateway.wait_for(event, DeliveryState::Failure).await;
    assert_eq!(delivery.attempts, 3);
    assert_eq!(
        delivery.description.as_deref(),
        Some("Retry limit exceeded: Endpoint returned status code 503")
    );
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn a_receiver_that_is_busy_says_how_long_to_wait() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    receiver.reply([Reply::Header(429, "retry-after", "600".to_owned())]);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    let waiting = gateway.wait_for(event, DeliveryState::Retry).await;
    let wait = waiting.due_at.expect("due") - gateway.services.clock.now();
    assert!(wait > TimeDelta::seconds(550), "{wait}");
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_no_further_attempt() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    receiver.reply([Reply::Status(410)]);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    let delivery = gateway.wait_for(event, DeliveryState::Failure).await;
    assert_eq!((delivery.attempts, delivery.last_status), (1, Some(410)));
}

#[tokio::test]
async fn what_a_dead_worker_left_under_lease_is_done_by_another() {
    let mut gateway = Gateway::start().await;
    let receiver = Receiver::start().await;
    receiver.reply([Reply::Never]);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    receiver.wait_for(1).await;
    let under_way = gateway.wait_for(event, DeliveryState::Processing).await;
    gateway.pass(TimeDelta::seconds(300));
    let received = receiver.wait_for(2).await;
    assert_eq!(received[0].body, received[1].body);
    let delivery = gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!(delivery.id, under_way.id);
    gateway.stop().await;
}

#[tokio::test]
async fn a_schedule_that_outlives_the_events_is_refused_with_both_figures() {
    let gateway = Gateway::with(Setup {
        workers: false,
        ..Setup::default()
    })
    .await;
    let (services, actor) = (&gateway.services, gateway.actor());
    let retry_over_days = async |days: u32| {
        let config = json!({ "strategy": { "type": "linear", "duration": 86_400, "retry_count": days + 1 } });
        let update = ProjectUpdate {
            config: config.as_object().cloned(),
            ..ProjectUpdate::default()
        };
        services::projects::update(services, &actor, gateway.project, update).await
    };
    retry_over_days(8).await.expect("kept for ever");
    crate::keep_for(services, gateway.project, KeepDays(7)).await;
    retry_over_days(7).await.expect("saved");
    let refused = retry_over_days(8).await;
    let Err(Error::Invalid(fields)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(fields.len(), 1);
    assert_eq!(fields[0].field, "config.strategy");
    let reason = &fields[0].reason;
    assert!(reason.contains("8 days") && reason.contains("7 days"), "{reason}");
}
