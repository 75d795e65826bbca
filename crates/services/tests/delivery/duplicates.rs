//! Idempotency keys, and work that is done twice.

use std::collections::HashSet;

use chrono::TimeDelta;
use domain::clock::Clock as _;
use domain::event::Target;
use domain::lifecycle::{KeepDays, next_day, start_of};
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

#[tokio::test]
async fn a_key_is_forgotten_when_its_event_has_left_and_not_before() {
    let mut setup = Setup {
        workers: false,
        ..Setup::default()
    };
    setup.options.lifecycle.retention_policy = true;
    let gateway = Gateway::with(setup).await;
    let services = &gateway.services;
    // Away from midnight, so that the day's end is known.
    gateway
        .clock
        .set(start_of(next_day(services.clock.now().date_naive())) + TimeDelta::hours(5));
    let accepted = services.clock.now();
    let event = domain::id::EventId::at(accepted);
    let claim = db::idempotency::Claim {
        project: gateway.project,
        key: "invoice-7".to_owned(),
        event,
    };
    db::idempotency::claim(&services.db, &[claim])
        .await
        .expect("claimed");
    let forgotten_at = async |days: i64, hours: i64| {
        gateway
            .clock
            .set(start_of(accepted.date_naive()) + TimeDelta::days(days) + TimeDelta::hours(hours));
        services::ingest::forget_idempotency_keys(services)
            .await
            .expect("looked")
    };
    assert_eq!(forgotten_at(400, 0).await, 0, "events are kept for ever");
    crate::keep_for(services, gateway.project, KeepDays(7)).await;
    assert_eq!(forgotten_at(7, 23).await, 0, "the event is still there");
    let known = db::idempotency::find(&services.db, gateway.project, "invoice-7").await;
    assert_eq!(known.expect("asked"), Some(event));
    assert_eq!(forgotten_at(8, 1).await, 1);
    let known = db::idempotency::find(&services.db, gateway.project, "invoice-7").await;
    assert_eq!(known.expect("asked"), None);
}

#[tokio::test]
async fn no_key_is_forgotten_where_nothing_is_deleted() {
    let gateway = Gateway::with(Setup {
        workers: false,
        ..Setup::default()
    })
    .await;
    let services = &gateway.services;
    let claim = db::idempotency::Claim {
        project: gateway.project,
        key: "invoice-7".to_owned(),
        event: domain::id::EventId::at(services.clock.now()),
    };
    db::idempotency::claim(&services.db, &[claim])
        .await
        .expect("claimed");
    crate::keep_for(services, gateway.project, KeepDays(1)).await;
    gateway.pass(TimeDelta::days(30));
    let forgotten = services::ingest::forget_idempotency_keys(services).await;
    assert_eq!(forgotten.expect("looked"), 0);
}
