//! A worker whose knowledge is old ends nothing because of it.

use std::sync::Arc;

use domain::event::Target;
use domain::id::{EndpointId, EventId};
use domain::state::{DeliveryState, EndpointState, EventState};
use queue::payload::{AcceptedEvent, Facts};
use serde_json::json;
use services::Services;
use services::delivery::Hand;
use services::subscriptions::NewSubscription;
use services::vault::Vault;
use testkit::{Gateway, Receiver, Reply, Setup};

/// A gateway that hears of nothing which another process does.
async fn deaf() -> Gateway {
    Gateway::with(Setup {
        workers: false,
        ..Setup::default()
    })
    .await
}

/// Another process on the same stores.
async fn another(gateway: &Gateway) -> Services {
    let known = &gateway.services;
    let other = Services::new(
        known.db.clone(),
        known.queues.clone(),
        Arc::clone(&known.clock),
        Vault::new(&[7; 32]),
        known.options.clone(),
    );
    other.catalog.reload().await.expect("a catalog");
    other
}

fn known_state(gateway: &Gateway, endpoint: EndpointId) -> Option<EndpointState> {
    let project = gateway.services.catalog.project(gateway.project)?;
    Some(project.endpoints.get(&endpoint)?.state)
}

/// Does an event whose entry asks for no newer knowledge than the gateway has.
async fn process(gateway: &Gateway, target: Target) -> EventId {
    let id = EventId::at(gateway.services.clock.now());
    let event = AcceptedEvent {
        facts: Facts {
            id,
            project: gateway.project,
            catalog_version: 0,
            target,
            event_type: "order.created".to_owned(),
            headers: Vec::new(),
            idempotency_key: None,
            stored: false,
        },
        payload: "{}".into(),
    };
    gateway.engine.process(event, Hand::First).await.expect("done");
    id
}

#[tokio::test]
async fn a_delivery_is_not_discarded_because_its_endpoint_was_inactive_a_moment_ago() {
    let (gateway, receiver) = (deaf().await, Receiver::start().await);
    let (services, actor) = (&gateway.services, gateway.actor());
    let config = json!({ "disable_endpoint": true, "strategy": { "type": "linear", "duration": 60, "retry_count": 1 } });
    let update = services::projects::ProjectUpdate {
        config: config.as_object().cloned(),
        ..Default::default()
    };
    services::projects::update(services, &actor, gateway.project, update)
        .await
        .expect("saved");
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    receiver.reply([Reply::Status(500)]);
    process(&gateway, Target::Endpoint(endpoint)).await;
    while known_state(&gateway, endpoint) != Some(EndpointState::Inactive) {
        tokio::task::yield_now().await;
    }
    services::endpoints::activate(&another(&gateway).await, &actor, gateway.project, endpoint)
        .await
        .expect("activated");
    assert_eq!(known_state(&gateway, endpoint), Some(EndpointState::Inactive));

    let event = process(&gateway, Target::Endpoint(endpoint)).await;
    let delivery = gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!(delivery.attempts, 1);
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn a_delivery_is_not_held_because_its_endpoint_was_paused_a_moment_ago() {
    let (gateway, receiver) = (deaf().await, Receiver::start().await);
    let (services, actor) = (&gateway.services, gateway.actor());
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    services::endpoints::toggle_pause(services, &actor, gateway.project, endpoint)
        .await
        .expect("paused");
    services::endpoints::toggle_pause(&another(&gateway).await, &actor, gateway.project, endpoint)
        .await
        .expect("resumed");
    assert_eq!(known_state(&gateway, endpoint), Some(EndpointState::Paused));

    let event = process(&gateway, Target::Endpoint(endpoint)).await;
    gateway.wait_for(event, DeliveryState::Success).await;
}

#[tokio::test]
async fn an_event_does_not_end_unmatched_because_its_subscription_is_new() {
    let (gateway, receiver) = (deaf().await, Receiver::start().await);
    let actor = gateway.actor();
    let other = another(&gateway).await;
    let new = services::endpoints::NewEndpoint {
        name: "orders".to_owned(),
        url: receiver.url("/"),
        ..Default::default()
    };
    let endpoint = services::endpoints::create(&other, &actor, gateway.project, new)
        .await
        .expect("an endpoint");
    let subscription = NewSubscription {
        name: "orders".to_owned(),
        endpoint_id: endpoint.id.to_string(),
        ..NewSubscription::default()
    };
    services::subscriptions::create(&other, &actor, gateway.project, subscription)
        .await
        .expect("a subscription");
    assert_eq!(known_state(&gateway, endpoint.id), None);

    let event = process(&gateway, Target::Endpoint(endpoint.id)).await;
    gateway.wait_for(event, DeliveryState::Success).await;
    let found = services::events::get(&gateway.services, &actor, gateway.project, event).await;
    assert_eq!(found.expect("found").state, EventState::Success);
}
