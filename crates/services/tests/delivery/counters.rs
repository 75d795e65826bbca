//! What the pages count, when work is done more than once.

use std::collections::BTreeMap;
use std::time::Duration;

use bytestring::ByteString;
use chrono::TimeDelta;
use domain::counts::Metric;
use domain::event::Target;
use domain::id::{EndpointId, EventId};
use domain::lifecycle::KeepDays;
use domain::state::{DeliveryState, EventState};
use queue::payload::{AcceptedEvent, Facts};
use services::delivery::Hand;
use services::delivery::journal::{Journal, Patience, Rows};
use services::events::EventFilter;
use testkit::{Gateway, Receiver, Setup};

async fn counts(gateway: &Gateway) -> BTreeMap<i16, i64> {
    let now = gateway.services.clock.now();
    let (from, to) = (now - TimeDelta::days(1), now + TimeDelta::days(1));
    let counts = db::counts::hourly(&gateway.services.db, &[gateway.project], from, to).await;
    let mut sums = BTreeMap::new();
    for count in counts.expect("counts") {
        if !matches!(count.metric, Metric::Latency(_)) {
            *sums.entry(count.metric.code()).or_default() += count.n;
        }
    }
    sums
}

fn one_delivered() -> BTreeMap<i16, i64> {
    [
        (Metric::Accepted, 1),
        (Metric::AcceptedBytes, 2),
        (Metric::Delivered, 1),
    ]
    .map(|(metric, n)| (metric.code(), n))
    .into()
}

/// A gateway without workers, and an event as its queue entry tells it.
async fn world() -> (Gateway, Receiver, AcceptedEvent) {
    let gateway = Gateway::with(Setup {
        workers: false,
        ..Setup::default()
    })
    .await;
    let receiver = Receiver::start().await;
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = entry(&gateway, endpoint);
    (gateway, receiver, event)
}

fn entry(gateway: &Gateway, endpoint: EndpointId) -> AcceptedEvent {
    let project = gateway
        .services
        .catalog
        .project(gateway.project)
        .expect("a project");
    AcceptedEvent {
        facts: Facts {
            id: EventId::at(gateway.services.clock.now()),
            project: gateway.project,
            catalog_version: project.version,
            target: Target::Endpoint(endpoint),
            event_type: "order.created".to_owned(),
            headers: Vec::new(),
            idempotency_key: None,
            stored: false,
        },
        payload: ByteString::from("{}"),
    }
}

#[tokio::test]
async fn an_event_that_is_done_three_times_is_counted_once() {
    let (gateway, _receiver, event) = world().await;
    for _ in 0..3 {
        gateway
            .engine
            .process(event.clone(), Hand::First)
            .await
            .expect("done");
    }
    gateway.wait_for(event.facts.id, DeliveryState::Success).await;
    assert_eq!(counts(&gateway).await, one_delivered());
}

/// Stores an event beside its queue entry, as waiting to be matched.
async fn store(gateway: &Gateway, event: &AcceptedEvent) {
    let mut rows = Rows::default();
    rows.events.push(db::hot::NewEvent {
        id: event.facts.id,
        keep_days: KeepDays::FOR_EVER,
        project_id: gateway.project,
        kind: event.facts.target.kind(),
        state: EventState::Pending,
        due_at: Some(gateway.services.clock.now()),
        duplicate: false,
        endpoint_id: None,
        source_id: None,
        event_type: "order.created".into(),
        payload: "{}".into(),
        headers: None,
        owner_id: None,
        idempotency_key: None,
        failure_reason: None,
    });
    let journal = Journal::start(gateway.services.db.clone(), Patience::Waits);
    journal.write(rows).await.expect("stored");
}

#[tokio::test]
async fn an_event_that_lies_in_both_stores_is_one_event_and_is_counted_once() {
    let (gateway, _receiver, event) = world().await;
    store(&gateway, &event).await;
    gateway
        .engine
        .process(event.clone(), Hand::First)
        .await
        .expect("done");
    gateway.wait_for(event.facts.id, DeliveryState::Success).await;
    // The sweeper finds the stored row, and that its deliveries are there.
    gateway.pass(TimeDelta::seconds(60));
    assert_eq!(gateway.engine.sweep_once().await.expect("swept"), 1);
    gateway.engine.drain(Duration::from_secs(30)).await;
    let stored = db::events::find(&gateway.services.db, event.facts.id).await;
    assert_eq!(stored.expect("asked").expect("found").state, EventState::Success);
    assert_eq!(gateway.deliveries(event.facts.id).await.len(), 1);
    assert_eq!(counts(&gateway).await, one_delivered());
}

#[tokio::test]
async fn an_event_that_was_stored_before_its_project_changed_the_class_is_one_event() {
    let (gateway, _receiver, event) = world().await;
    let (services, actor) = (&gateway.services, gateway.actor());
    store(&gateway, &event).await;
    services::partitions::use_class(services, KeepDays(30))
        .await
        .expect("leaves");
    crate::keep_for(services, gateway.project, KeepDays(30)).await;
    services.catalog.reload().await.expect("a catalog");
    gateway
        .engine
        .process(event.clone(), Hand::First)
        .await
        .expect("done");
    gateway.wait_for(event.facts.id, DeliveryState::Success).await;
    let stored = services::events::count(services, &actor, gateway.project, &EventFilter::default()).await;
    assert_eq!(stored.expect("counted"), 1);
}
