//! What may not be changed: it is masked, and the erasure is not called done.

use chrono::TimeDelta;
use domain::erasure::mark;
use services::erasure::{ErasureState, Wanted};
use services::holds::{self, NewHold};

use crate::world::World;

async fn hold(world: &World) -> services::holds::Hold {
    let at = world.sent[0].0.instant();
    let new = NewHold {
        name: "Chargeback".to_owned(),
        from: at - TimeDelta::hours(1),
        to: at + TimeDelta::hours(1),
    };
    let gateway = &world.gateway;
    holds::place(&gateway.services, &gateway.actor(), gateway.project, new)
        .await
        .expect("a hold")
}

async fn release(world: &World, hold: &services::holds::Hold) {
    let gateway = &world.gateway;
    holds::release(&gateway.services, &gateway.actor(), gateway.project, hold.id)
        .await
        .expect("released");
}

#[tokio::test]
async fn rows_on_hold_are_masked_and_go_when_it_ends() {
    let mut world = World::new().await;
    let ada = world.about("zoltan").await;
    let hold = hold(&world).await;
    let asked = world.ask(Wanted::Subject("zoltan".to_owned())).await;
    world.run("erase").await;
    let blocked = world.erasure(asked.id).await;
    assert_eq!(blocked.state, ErasureState::Blocked);
    assert!(blocked.blocked_by.expect("a reason").contains("legal hold"));
    assert_eq!(world.read(ada).await.payload, mark(asked.id));
    assert_eq!(
        world.sql("SELECT count(*) FROM events WHERE payload LIKE '%zoltan%'"),
        "1",
        "kept for the court"
    );
    release(&world, &hold).await;
    world.run("erase").await;
    assert_eq!(world.erasure(asked.id).await.state, ErasureState::Done);
    assert_eq!(world.rows_with("zoltan"), "");
}

#[tokio::test]
async fn archived_rows_on_hold_are_masked_and_go_when_it_ends() {
    let mut world = World::new().await;
    let ada = world.about("zoltan").await;
    world.about("bob").await;
    world.archive().await;
    let hold = hold(&world).await;
    let asked = world.ask(Wanted::Subject("zoltan".to_owned())).await;
    world.run("erase").await;
    assert_eq!(world.erasure(asked.id).await.state, ErasureState::Blocked);
    assert_eq!(world.read(ada).await.payload, mark(asked.id));
    assert_eq!(world.objects_with("zoltan").len(), 2, "kept for the court");
    release(&world, &hold).await;
    world.run("erase").await;
    let done = world.erasure(asked.id).await;
    assert_eq!(done.state, ErasureState::Done, "{done:?}");
    assert_eq!(world.objects_with("zoltan"), Vec::<String>::new());
}

#[tokio::test]
async fn a_version_that_the_store_protects_keeps_the_erasure_from_being_done() {
    let mut world = World::new().await;
    let ada = world.about("zoltan").await;
    world.archive().await;
    world.s3.set(|settings| settings.object_lock = true);
    let asked = world.ask(Wanted::Subject("zoltan".to_owned())).await;
    world.run("erase").await;
    let blocked = world.erasure(asked.id).await;
    assert_eq!(blocked.state, ErasureState::Blocked, "{blocked:?}");
    assert_eq!(world.read(ada).await.payload, mark(asked.id));
    world.s3.set(|settings| settings.object_lock = false);
    world.pass(TimeDelta::hours(2));
    world.run("erase").await;
    let done = world.erasure(asked.id).await;
    assert_eq!(done.state, ErasureState::Done, "{done:?}");
    assert!(done.receipt.versions_removed >= 1, "{done:?}");
}
