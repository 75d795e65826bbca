//! An event and its first attempt.

use domain::event::Target;
use domain::signature::{DigestForm, verify_advanced, verify_standard};
use domain::state::{DeliveryState, EventState};
use services::endpoints::NewEndpoint;
use services::ingest::NewEvent;
use testkit::{Gateway, Receiver, Reply};

const SECRET: &str = "whsec-example";

#[tokio::test]
async fn an_event_arrives_byte_for_byte_with_a_signature_that_verifies() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let new = NewEndpoint {
        name: "orders".to_owned(),
        url: receiver.url("/orders"),
        secret: Some(SECRET.to_owned()),
        ..NewEndpoint::default()
    };
    let endpoint = gateway.endpoint_of(new).await;
    let data = "{ \"order\":42,  \"name\":\"Zo\\u00eb\" }";
    let event = gateway.send(endpoint, data).await;

    let received = receiver.wait_for(1).await;
    assert_eq!(received[0].path, "/orders");
    assert_eq!(received[0].body, data.as_bytes());
    assert_eq!(received[0].header("content-type"), "application/json");
    let now = gateway.services.clock.now().timestamp();
    let signature = received[0].header("x-convoy-signature");
    assert!(
        verify_advanced(
            signature,
            SECRET,
            DigestForm::default(),
            &received[0].body,
            now,
            300
        ),
        "{signature}"
    );

    let delivery = gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!((delivery.attempts, delivery.last_status), (1, Some(200)));
    assert!(delivery.latency_ms.is_some() && delivery.due_at.is_none());
    let attempts =
        services::deliveries::attempts(&gateway.services, &gateway.actor(), gateway.project, delivery.id)
            .await
            .expect("attempts");
    assert_eq!(attempts.len(), 1);
    assert!(attempts[0].request_headers.contains(signature));
    assert_eq!(attempts[0].address.as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn an_endpoint_may_ask_for_standard_webhooks() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let new = NewEndpoint {
        name: "standard".to_owned(),
        url: receiver.url("/"),
        secret: Some("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned()),
        signature_format: Some("standard".to_owned()),
        ..NewEndpoint::default()
    };
    let endpoint = gateway.endpoint_of(new).await;
    let event = gateway.send(endpoint, "{\"a\":1}").await;
    let received = &receiver.wait_for(1).await[0];
    let delivery = gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!(received.header("webhook-id"), delivery.id.to_string());
    let now = gateway.services.clock.now().timestamp();
    let fits = verify_standard(
        received.header("webhook-id"),
        received.header("webhook-timestamp"),
        received.header("webhook-signature"),
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        &received.body,
        now,
        300,
    );
    assert!(fits, "{received:?}");
}

#[tokio::test]
async fn an_event_that_nothing_matches_is_on_record_as_such() {
    let gateway = Gateway::start().await;
    let event = NewEvent {
        target: Target::Owner("nobody".to_owned()),
        event_type: "order.created",
        data: "{}".into(),
        headers: Vec::new(),
        idempotency_key: None,
    };
    let (services, actor) = (&gateway.services, gateway.actor());
    let id = services::ingest::accept(services, &actor, gateway.project, event)
        .await
        .expect("accepted")
        .id;
    let found = loop {
        match services::events::get(services, &actor, gateway.project, id).await {
            Ok(found) => break found,
            Err(services::Error::NotFound(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(found.state, EventState::Failure);
    assert_eq!(
        found.failure_reason.as_deref(),
        Some("no subscription matched this event")
    );
}

#[tokio::test]
async fn a_slow_receiver_leaves_its_event_on_record_and_the_outcome_follows() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    receiver.always(Reply::Held);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    receiver.wait_for(1).await;
    let under_way = gateway.wait_for(event, DeliveryState::Processing).await;
    assert!(under_way.due_at.is_some(), "the lease ends some day");
    receiver.release();
    let delivery = gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!((delivery.id, delivery.attempts), (under_way.id, 1));
}

#[tokio::test]
async fn a_slow_receiver_does_not_hold_back_a_quick_one() {
    let (gateway, slow, quick) = (
        Gateway::start().await,
        Receiver::start().await,
        Receiver::start().await,
    );
    slow.always(Reply::Never);
    let (to_slow, to_quick) = (
        gateway.endpoint(&slow.url("/")).await,
        gateway.endpoint(&quick.url("/")).await,
    );
    for _ in 0..200 {
        gateway.send(to_slow, "{}").await;
    }
    let event = gateway.send(to_quick, "{}").await;
    quick.wait_for(1).await;
    gateway.wait_for(event, DeliveryState::Success).await;
}
