//! Counters say what the rows say, however often a group is written.

use db::hot::{Existing, Group, NewEvent};
use domain::counts::Metric;
use domain::state::{DeliveryState, EventState};

use crate::world::{World, delivered, expected, standing};

/// A matched, an unmatched and a duplicate event, a delivery that ended well and one that did not.
fn mixed(world: &World) -> Group<String> {
    let matched = world.event();
    let unmatched = NewEvent {
        state: EventState::Failure,
        ..world.event()
    };
    let duplicate = NewEvent {
        duplicate: true,
        ..world.event()
    };
    let good = world.delivery(matched.id, delivered(40));
    let bad = world.delivery(matched.id, standing(DeliveryState::Discarded));
    Group {
        attempts: vec![world.attempt(good.id)],
        deliveries: vec![good, bad],
        events: vec![matched, unmatched, duplicate],
        ..Group::default()
    }
}

#[tokio::test]
async fn a_group_that_is_written_again_counts_nothing_twice() {
    let world = World::new().await;
    let group = mixed(&world);
    let counts = expected([
        (Metric::Accepted, 3),
        (Metric::AcceptedBytes, 21),
        (Metric::Unmatched, 1),
        (Metric::Duplicate, 1),
        (Metric::Delivered, 1),
        (Metric::latency(40), 1),
        (Metric::Discarded, 1),
    ]);
    world.write(&group, Existing::Refuse).await;
    assert_eq!(world.counts().await, counts);
    // As after a commit whose answer got lost.
    for _ in 0..2 {
        world.write(&group, Existing::Keep).await;
        assert_eq!(world.counts().await, counts);
    }
    let rows = (
        world.rows("events").await,
        world.rows("event_deliveries").await,
        world.rows("delivery_attempts").await,
    );
    assert_eq!(rows, (3, 2, 1));
}

#[tokio::test]
async fn a_group_that_was_never_written_counts_in_full_when_it_is_repeated() {
    let world = World::new().await;
    world.write(&mixed(&world), Existing::Keep).await;
    assert_eq!(world.counts().await.get(&Metric::Accepted.code()), Some(&3));
    assert_eq!(world.counts().await.get(&Metric::Delivered.code()), Some(&1));
}

#[tokio::test]
async fn of_a_group_that_is_there_in_part_the_rest_is_counted() {
    let world = World::new().await;
    let (first, second) = (world.event(), world.event());
    let alone = Group {
        events: vec![first.clone()],
        ..Group::default()
    };
    world.write(&alone, Existing::Refuse).await;
    let both = Group {
        events: vec![first, second.clone(), second],
        ..Group::default()
    };
    world.write(&both, Existing::Keep).await;
    let counts = expected([(Metric::Accepted, 2), (Metric::AcceptedBytes, 14)]);
    assert_eq!(world.counts().await, counts);
}

#[tokio::test]
async fn an_event_that_is_stored_first_counts_when_it_ends_and_only_then() {
    let world = World::new().await;
    let event = world.waiting_event();
    let outcome = world.event_outcome(&event);
    let stored = Group {
        events: vec![event.clone()],
        ..Group::default()
    };
    world.write(&stored, Existing::Refuse).await;
    assert_eq!(world.counts().await, expected([]));
    // Its queue entry was done meanwhile: the row exists and stays as it is.
    let from_the_queue = Group {
        events: vec![NewEvent {
            state: EventState::Success,
            due_at: None,
            ..event
        }],
        ..Group::default()
    };
    world.write(&from_the_queue, Existing::Keep).await;
    assert_eq!(world.counts().await, expected([]));
    let ended = Group {
        event_outcomes: vec![outcome.clone(), outcome],
        ..Group::default()
    };
    for _ in 0..2 {
        world.write(&ended, Existing::Keep).await;
    }
    let counts = expected([(Metric::Accepted, 1), (Metric::AcceptedBytes, 7)]);
    assert_eq!(world.counts().await, counts);
}

#[tokio::test]
async fn an_outcome_that_is_written_again_counts_once() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let before = world.counts().await;
    let lease = world.lease(id, 0).await;
    // An event of the same hour in the same group: one counter row, written once.
    let group = Group {
        events: vec![world.event()],
        delivery_outcomes: vec![world.outcome(id, lease, world.retry(60))],
        attempts: vec![world.attempt(id)],
        ..Group::default()
    };
    world.write(&group, Existing::Refuse).await;
    for _ in 0..2 {
        world.write(&group, Existing::Keep).await;
    }
    let mut counts = before;
    *counts.entry(Metric::Accepted.code()).or_default() += 1;
    *counts.entry(Metric::AcceptedBytes.code()).or_default() += 7;
    *counts.entry(Metric::Retried.code()).or_default() += 1;
    assert_eq!(world.counts().await, counts);
    assert_eq!(world.rows("delivery_attempts").await, 1);
}
