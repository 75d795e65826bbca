//! Only the holder of a lease says what became of a delivery.

use chrono::TimeDelta;
use db::hot::{Existing, Group};
use domain::counts::Metric;
use domain::id::DeliveryId;
use domain::state::DeliveryState;

use crate::world::{World, delivered, standing};

async fn settle(
    world: &World,
    id: DeliveryId,
    lease: Option<chrono::DateTime<chrono::Utc>>,
    state: DeliveryState,
) {
    let standing = match state {
        DeliveryState::Success => delivered(40),
        _ => db::hot::Standing {
            attempts: 1,
            ..standing(state)
        },
    };
    let group = Group {
        delivery_outcomes: vec![world.outcome(id, lease, standing)],
        attempts: vec![world.attempt(id)],
        ..Group::default()
    };
    world.write(&group, Existing::Refuse).await;
}

#[tokio::test]
async fn a_late_failure_of_a_lease_that_has_ended_does_not_beat_the_next_one() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let first = world.lease(id, 0).await;
    let second = world.lease(id, 121).await;
    assert!(first.is_some() && second.is_some() && first != second);
    settle(&world, id, first, DeliveryState::Failure).await;
    let held = world.find(id).await;
    assert_eq!((held.state, held.due_at), (DeliveryState::Processing, second));
    settle(&world, id, second, DeliveryState::Success).await;
    assert_eq!(world.find(id).await.state, DeliveryState::Success);
    // Once more, after the end.
    settle(&world, id, first, DeliveryState::Failure).await;
    assert_eq!(world.find(id).await.state, DeliveryState::Success);
    let counts = world.counts().await;
    assert_eq!(counts.get(&Metric::Failed.code()), None);
    assert_eq!(counts.get(&Metric::Delivered.code()), Some(&1));
    assert_eq!(
        world.rows("delivery_attempts").await,
        3,
        "what was tried is on record"
    );
}

#[tokio::test]
async fn two_outcomes_in_one_group_are_told_apart_by_their_leases() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let (first, second) = (world.lease(id, 0).await, world.lease(id, 121).await);
    let failed = db::hot::Standing {
        attempts: 1,
        ..standing(DeliveryState::Failure)
    };
    let group = Group {
        delivery_outcomes: vec![
            world.outcome(id, first, failed),
            world.outcome(id, second, delivered(40)),
        ],
        ..Group::default()
    };
    world.write(&group, Existing::Refuse).await;
    assert_eq!(world.find(id).await.state, DeliveryState::Success);
    let counts = world.counts().await;
    assert_eq!(counts.get(&Metric::Failed.code()), None);
    assert_eq!(counts.get(&Metric::Delivered.code()), Some(&1));
}

#[tokio::test]
async fn a_lease_that_was_extended_is_named_by_its_new_end() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let lease = world.lease(id, 0).await;
    let until = world.now + TimeDelta::seconds(600);
    let extended = db::deliveries::extend_lease(world.db(), id, lease, until).await;
    assert!(extended.expect("asked"));
    settle(&world, id, lease, DeliveryState::Failure).await;
    assert_eq!(world.find(id).await.state, DeliveryState::Processing);
    settle(&world, id, Some(until), DeliveryState::Success).await;
    assert_eq!(world.find(id).await.state, DeliveryState::Success);
}

#[tokio::test]
async fn only_ones_own_leases_are_handed_back() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let first = world.lease(id, 0).await.expect("a lease");
    let second = world.lease(id, 121).await.expect("a lease");
    let now = world.now + TimeDelta::seconds(130);
    db::deliveries::hand_back(world.db(), &[(id, first)], now)
        .await
        .expect("asked");
    assert_eq!(world.find(id).await.due_at, Some(second));
    db::deliveries::hand_back(world.db(), &[(id, second)], now)
        .await
        .expect("asked");
    assert_eq!(world.find(id).await.due_at, Some(now));
}
