//! Rows that were moved to another keep class are still the same rows.

use db::hot::{Existing, Group};
use domain::counts::Metric;
use domain::state::{DeliveryState, EventState};

use crate::world::{OTHER, World, delivered};

#[tokio::test]
async fn what_lies_in_another_class_is_not_stored_again() {
    let world = World::new().await;
    let event = world.event();
    let delivery = world.delivery(event.id, delivered(40));
    let group = Group {
        attempts: vec![world.attempt(delivery.id)],
        deliveries: vec![delivery],
        events: vec![event],
        ..Group::default()
    };
    world.write(&group, Existing::Refuse).await;
    let counts = world.counts().await;
    let tables = ["delivery_attempts", "event_deliveries", "events"];
    for table in tables {
        world.move_rows(table).await;
    }
    world.write(&group, Existing::Keep).await;
    for table in tables {
        assert_eq!(world.class_of(table).await, [OTHER.0], "{table}");
    }
    assert_eq!(world.counts().await, counts);
}

#[tokio::test]
async fn outcomes_find_their_rows_in_whatever_class_they_are_and_attempts_join_them() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let waiting = world.waiting_event();
    let stored = Group {
        events: vec![waiting.clone()],
        ..Group::default()
    };
    world.write(&stored, Existing::Refuse).await;
    let lease = world.lease(id, 0).await;
    world.move_rows("event_deliveries").await;
    world.move_rows("events").await;
    let group = Group {
        event_outcomes: vec![world.event_outcome(&waiting)],
        delivery_outcomes: vec![world.outcome(id, lease, delivered(40))],
        // The worker knows the class that was right when it took the lease.
        attempts: vec![world.attempt(id)],
        ..Group::default()
    };
    world.write(&group, Existing::Refuse).await;
    assert_eq!(world.find(id).await.state, DeliveryState::Success);
    let event = db::events::find(world.db(), waiting.id).await.expect("asked");
    assert_eq!(event.expect("found").state, EventState::Success);
    assert_eq!(world.class_of("delivery_attempts").await, [OTHER.0]);
    assert_eq!(world.counts().await.get(&Metric::Delivered.code()), Some(&1));
}
