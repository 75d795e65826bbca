//! A row is moved to another class while a statement waits for it.

use std::time::Duration;

use chrono::TimeDelta;
use db::hot::{Existing, Group};
use domain::state::{DeliveryState, EventState};
use sea_orm::sqlx;

use crate::world::{OTHER, World, delivered, moving};

/// Runs `statement` into a row of `table` that is on its way to the other class, and lets it arrive
/// only when the statement waits for it.
async fn into_a_moving_row<T>(world: &World, table: &str, statement: impl Future<Output = T>) -> T {
    let mut mover = world.db().pool().begin().await.expect("a transaction");
    sqlx::query(sqlx::AssertSqlSafe(moving(table)))
        .bind(OTHER.0)
        .execute(&mut *mover)
        .await
        .expect("moved");
    let arrives = async {
        loop {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(world.db().pool())
            .await
            .expect("asked");
            if waiting > 0 {
                return mover.commit().await.expect("arrived");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (outcome, ()) = tokio::join!(statement, arrives);
    assert_eq!(world.class_of(table).await, [OTHER.0]);
    outcome
}

#[tokio::test]
async fn a_lease_is_taken_on_a_row_that_moved_meanwhile() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let lease = into_a_moving_row(&world, "event_deliveries", world.lease(id, 0)).await;
    assert!(lease.is_some());
    let held = world.find(id).await;
    assert_eq!((held.state, held.due_at), (DeliveryState::Processing, lease));
}

#[tokio::test]
async fn an_outcome_is_written_to_a_row_that_moved_meanwhile() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let lease = world.lease(id, 0).await;
    let group = Group {
        delivery_outcomes: vec![world.outcome(id, lease, delivered(40))],
        attempts: vec![world.attempt(id)],
        ..Group::default()
    };
    let writing = world.write(&group, Existing::Refuse);
    into_a_moving_row(&world, "event_deliveries", writing).await;
    assert_eq!(world.find(id).await.state, DeliveryState::Success);
    assert_eq!(world.class_of("delivery_attempts").await, [OTHER.0]);
}

#[tokio::test]
async fn a_lease_is_extended_and_handed_back_on_a_row_that_moved_meanwhile() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let lease = world.lease(id, 0).await;
    let until = world.now + TimeDelta::seconds(600);
    let extending = db::deliveries::extend_lease(world.db(), id, lease, until);
    let extended = into_a_moving_row(&world, "event_deliveries", extending).await;
    assert!(extended.expect("extended"));

    let world = World::new().await;
    let id = world.due_delivery().await;
    let lease = world.lease(id, 0).await.expect("a lease");
    let leases = [(id, lease)];
    let handing_back = db::deliveries::hand_back(world.db(), &leases, world.now);
    into_a_moving_row(&world, "event_deliveries", handing_back)
        .await
        .expect("handed back");
    assert_eq!(world.find(id).await.due_at, Some(world.now));
}

#[tokio::test]
async fn a_delivery_is_resent_although_it_moved_meanwhile() {
    let world = World::new().await;
    let id = world.due_delivery().await;
    let (ids, states) = ([id], [DeliveryState::Scheduled]);
    let later = world.now + TimeDelta::seconds(5);
    let resending = db::deliveries::reschedule(world.db(), world.project, &ids, &states, later);
    let resent = into_a_moving_row(&world, "event_deliveries", resending).await;
    assert_eq!(resent.expect("resent"), [id]);
    assert_eq!(world.find(id).await.due_at, Some(later));
}

#[tokio::test]
async fn a_waiting_event_is_taken_and_claimed_although_it_moved_meanwhile() {
    for claims in [false, true] {
        let world = World::new().await;
        let event = world.waiting_event();
        let id = event.id;
        let stored = Group {
            events: vec![event],
            ..Group::default()
        };
        world.write(&stored, Existing::Refuse).await;
        let (now, until) = (
            world.now + TimeDelta::seconds(1),
            world.now + TimeDelta::seconds(60),
        );
        let taking = async {
            if claims {
                let claimed = db::events::claim(world.db(), &[id], now, until).await;
                claimed.expect("claimed").len() == 1
            } else {
                db::events::take(world.db(), id, now, until).await.expect("taken")
            }
        };
        assert!(into_a_moving_row(&world, "events", taking).await);
        let found = db::events::find(world.db(), id)
            .await
            .expect("asked")
            .expect("found");
        assert_eq!(found.state, EventState::Processing);
    }
}
