//! Paused, inactive and limited endpoints.

use chrono::TimeDelta;
use domain::state::DeliveryState;
use serde_json::json;
use services::endpoints::NewEndpoint;
use testkit::{Gateway, Receiver, Reply};

#[tokio::test]
async fn deliveries_of_a_paused_endpoint_are_held_and_go_out_when_it_is_resumed() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let (services, actor) = (&gateway.services, gateway.actor());
    services::endpoints::toggle_pause(services, &actor, gateway.project, endpoint)
        .await
        .expect("paused");
    let event = gateway.send(endpoint, "{}").await;
    let held = gateway.wait_for(event, DeliveryState::Scheduled).await;
    assert_eq!(held.description.as_deref(), Some("The endpoint is paused"));
    assert!(receiver.received().is_empty());
    services::endpoints::toggle_pause(services, &actor, gateway.project, endpoint)
        .await
        .expect("resumed");
    receiver.wait_for(1).await;
    gateway.wait_for(event, DeliveryState::Success).await;
}

#[tokio::test]
async fn an_endpoint_that_uses_up_its_attempts_is_switched_off_when_the_project_says_so() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let (services, actor) = (&gateway.services, gateway.actor());
    let config = json!({ "disable_endpoint": true, "strategy": { "type": "linear", "duration": 60, "retry_count": 1 } });
    let update = services::projects::ProjectUpdate {
        config: config.as_object().cloned(),
        ..Default::default()
    };
    services::projects::update(services, &actor, gateway.project, update)
        .await
        .expect("saved");
    receiver.always(Reply::Status(500));
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    gateway.wait_for(event, DeliveryState::Failure).await;
    for _ in 0..600 {
        let found = services::endpoints::get(services, &actor, gateway.project, endpoint)
            .await
            .expect("found");
        if found.state == domain::state::EndpointState::Inactive {
            let event = gateway.send(endpoint, "{}").await;
            let delivery = gateway.wait_for(event, DeliveryState::Discarded).await;
            assert_eq!(delivery.description.as_deref(), Some("The endpoint is inactive"));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the endpoint was not switched off");
}

#[tokio::test]
async fn an_endpoint_with_a_limit_gets_no_more_than_that_in_its_window() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let new = NewEndpoint {
        name: "limited".to_owned(),
        url: receiver.url("/"),
        rate_limit: Some(5),
        rate_limit_duration: Some(3600),
        ..NewEndpoint::default()
    };
    let endpoint = gateway.endpoint_of(new).await;
    let mut events = Vec::new();
    for _ in 0..12 {
        events.push(gateway.send(endpoint, "{}").await);
    }
    let mut delivered = 0;
    for event in events {
        loop {
            match gateway.deliveries(event).await.as_slice() {
                [one] if one.state == DeliveryState::Success => break delivered += 1,
                [one]
                    if one.state == DeliveryState::Scheduled
                        && one.due_at > Some(gateway.services.clock.now()) =>
                {
                    break;
                }
                _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        }
    }
    assert_eq!((delivered, receiver.received().len()), (5, 5));
    gateway.pass(TimeDelta::hours(3));
    receiver.wait_for(10).await;
    assert_eq!(receiver.received().len(), 10);
}
