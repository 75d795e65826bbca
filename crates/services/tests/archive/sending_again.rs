//! Replays of archived events, and resends that are refused.

use domain::state::DeliveryState;
use services::Error;
use services::deliveries::DeliveryFilter;
use services::events::EventFilter;
use services::page::PageRequest;
use testkit::object_store::Fault;

use crate::world::World;

#[tokio::test]
async fn an_archived_event_is_replayed_byte_for_byte() {
    let mut world = World::new().await;
    world.days(2, 5).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let (sent, before) = (world.sent[1].clone(), world.receiver.received().len());
    assert!(!world.is_hot(sent.id).await);
    let (_, made) = services::events::replay(services, &actor, project, sent.id)
        .await
        .expect("replayed");
    assert_eq!(made.len(), 1);
    let received = world.receiver.wait_for(before + 1).await;
    assert_eq!(received[before].body, sent.data);
    assert_eq!(received[before].header("x-part"), sent.event_type);
    // The archived delivery and the new one stand in one list.
    let filter = DeliveryFilter {
        event_id: Some(sent.id),
        ..DeliveryFilter::default()
    };
    for _ in 0..600 {
        let list =
            services::deliveries::list(services, &actor, project, &filter, PageRequest::first(10)).await;
        let items = list.expect("a page").items;
        assert_eq!(items.len(), 2);
        if items
            .iter()
            .all(|delivery| delivery.state == DeliveryState::Success)
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the replay does not end");
}

#[tokio::test]
async fn an_archived_delivery_cannot_be_resent_and_says_what_to_do() {
    let mut world = World::new().await;
    world.days(2, 5).await;
    let failed = world.gateway.delivery_ids(world.sent[4].id).await[0];
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    match services::deliveries::resend(services, &actor, project, failed).await {
        Err(Error::Conflict(text)) => assert!(text.contains("replay its event"), "{text}"),
        other => panic!("{other:?}"),
    }
    let forced = services::deliveries::force_resend(services, &actor, project, &[failed]).await;
    assert_eq!(forced.expect("answered"), (0, 1));
    let filter = DeliveryFilter {
        states: vec![DeliveryState::Failure],
        ..DeliveryFilter::default()
    };
    let count = services::deliveries::count(services, &actor, project, &filter).await;
    assert_eq!(
        count.expect("counted"),
        1,
        "only the one of yesterday can be sent again"
    );
}

#[tokio::test]
async fn a_batch_replays_both_tiers_even_with_the_smallest_budget() {
    let mut world = World::with(|options| {
        options.archive.segment_rows = 8;
        options.archive.read_budget_bytes = 1;
    })
    .await;
    world.days(3, 15).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let filter = EventFilter {
        endpoints: vec![world.good],
        ..EventFilter::default()
    };
    let wanted: Vec<&str> = world
        .sent
        .iter()
        .enumerate()
        .filter(|(i, _)| i % 15 % 5 != 4)
        .map(|(_, sent)| sent.data.as_str())
        .collect();
    let before = world.receiver.received().len();
    let batch = services::events::start_batch_replay(services, &actor, project, &filter)
        .await
        .expect("started");
    let received = world.receiver.wait_for(before + wanted.len()).await;
    let mut bodies: Vec<&[u8]> = received[before..]
        .iter()
        .map(|received| &received.body[..])
        .collect();
    let mut expected: Vec<&[u8]> = wanted.iter().map(|data| data.as_bytes()).collect();
    bodies.sort_unstable();
    expected.sort_unstable();
    assert_eq!(bodies, expected, "each once");
    for _ in 0..600 {
        let batch = services::batches::get(services, &actor, project, batch)
            .await
            .expect("found");
        if batch.state == "completed" {
            assert_eq!((batch.processed, batch.failed), (wanted.len() as i64, 0));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the batch does not end");
}

#[tokio::test]
async fn a_replayed_delivery_waits_for_a_store_that_is_away() {
    let mut world = World::new().await;
    world.days(2, 5).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let (sent, before) = (&world.sent[1], world.receiver.received().len());
    services::endpoints::toggle_pause(services, &actor, project, world.good)
        .await
        .expect("paused");
    let (_, made) = services::events::replay(services, &actor, project, sent.id)
        .await
        .expect("replayed");
    let stands = async |wanted: &str| {
        for _ in 0..600 {
            let delivery = services::deliveries::get(services, &actor, project, made[0])
                .await
                .expect("found");
            if delivery.description.as_deref().unwrap_or_default() == wanted {
                return delivery.state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the delivery never stands so: {wanted}");
    };
    stands("The endpoint is paused").await;

    let day = sent.id.day();
    let segments =
        testkit::db::segments::of_day(&services.db, project, domain::segment::Kind::Events, day).await;
    for segment in segments.expect("listed") {
        services.archive.forget(segment.id);
    }
    world.s3.faults().always(Fault::Refuse(503, "ServiceUnavailable"));
    let replayed = services::events::replay(services, &actor, project, sent.id).await;
    assert!(matches!(replayed, Err(Error::Unavailable { .. })), "{replayed:?}");
    services::endpoints::activate(services, &actor, project, world.good)
        .await
        .expect("activated");
    let state = stands("Its event cannot be read from the archive").await;
    assert_eq!(state, DeliveryState::Scheduled);
    assert_eq!(
        world.receiver.received().len(),
        before,
        "nothing was sent in its place"
    );

    world.s3.faults().clear();
    world.gateway.pass(chrono::TimeDelta::minutes(2));
    let received = world.receiver.wait_for(before + 1).await;
    assert_eq!(received[before].body, sent.data);
}
