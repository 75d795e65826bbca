//! Idempotency keys, and work that is done twice.

use std::collections::HashSet;

use domain::event::Target;
use domain::state::{DeliveryState, EventState};
use queue::payload::{AcceptedEvent, Facts};
use services::delivery::Hand;
use testkit::{Gateway, Receiver, Setup};

#[tokio::test]
async fn of_events_with_one_key_sent_at_once_exactly_one_is_delivered() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let sent = (0..40).map(|_| gateway.accept(endpoint, "{}", Some("invoice-7")));
    let events: Vec<_> = futures::future::join_all(sent)
        .await
        .into_iter()
        .map(|sent| sent.expect("accepted").id)
        .collect();
    let marker = gateway.send(endpoint, "{\"last\":true}").await;
    gateway.wait_for(marker, DeliveryState::Success).await;

    let (services, actor) = (&gateway.services, gateway.actor());
    let mut originals = HashSet::new();
    for id in events {
        let event = loop {
            match services::events::get(services, &actor, gateway.project, id).await {
                Ok(event) => break event,
                Err(services::Error::NotFound(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(event.state, EventState::Success, "duplicates end, too");
        assert_eq!(gateway.deliveries(id).await.len(), usize::from(!event.duplicate));
        if !event.duplicate {
            originals.insert(id);
        }
    }
    assert_eq!(originals.len(), 1);
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn an_event_that_is_done_twice_makes_one_row_and_one_delivery() {
    let gateway = Gateway::with(Setup {
        workers: false,
        ..Setup::default()
    })
    .await;
    let receiver = Receiver::start().await;
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = || AcceptedEvent {
        facts: Facts {
            id: domain::id::EventId(uuid::Uuid::from_u128(0x0193_4e2f_8a00_7000_8000_0000_0000_0001)),
            project: gateway.project,
            catalog_version: 0,
            target: Target::Endpoint(endpoint),
            event_type: "order.created".to_owned(),
            headers: Vec::new(),
            idempotency_key: Some("once".to_owned()),
            stored: false,
        },
        payload: "{}".into(),
    };
    let id = event().facts.id;
    gateway.engine.process(event(), Hand::First).await.expect("done");
    // The entry was not acknowledged before the worker died; another one gets it.
    gateway
        .engine
        .process(event(), Hand::Another)
        .await
        .expect("done");
    assert_eq!(gateway.deliveries(id).await.len(), 1);
    assert_eq!(receiver.received().len(), 1);
    // Nobody noticed that it had been given out before: at least nothing doubles in PostgreSQL.
    gateway.engine.process(event(), Hand::First).await.expect("done");
    assert_eq!(gateway.deliveries(id).await.len(), 1);
}
