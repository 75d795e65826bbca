//! What wants a person is told, to those who may know.

use chrono::TimeDelta;
use services::access::Grants;
use services::attention::{Wants, list};

use crate::world::World;

#[tokio::test]
async fn a_backup_that_fails_is_told_since_when_until_it_is_made_up_for() {
    let mut world = World::new().await;
    world.send(3).await;
    world.s3.set(|settings| settings.refuses_signatures = true);
    world.next_day().await;
    let began = world.now();
    for _ in 0..3 {
        world.run("backup").await;
        world.run("deletion").await;
        world.next_day().await;
    }
    let items = world.attention().await;
    let failing = items
        .iter()
        .find(|item| matches!(item.wants, Wants::BackupFailing { .. }));
    let failing = failing.unwrap_or_else(|| panic!("not told: {items:?}"));
    let since = failing.since.expect("known");
    assert!(
        since >= began && since < began + TimeDelta::hours(1),
        "{failing:?}"
    );
    assert_eq!(failing.project, Some(world.gateway.project));
    assert!(
        items
            .iter()
            .any(|item| matches!(item.wants, Wants::Refused { .. })),
        "{items:?}"
    );
    world.assert_whole().await;
    services::archive::maintain::gauges::measure(&world.gateway.services)
        .await
        .expect("measured");

    world.s3.set(|settings| settings.refuses_signatures = false);
    world.run("backup").await;
    world.run("deletion").await;
    let items = world.attention().await;
    assert!(items.is_empty(), "{items:?}");
    world.assert_whole().await;
}

#[tokio::test]
async fn others_than_those_who_may_look_at_a_project_hear_nothing_of_it() {
    let world = World::archived(3).await;
    world.sql("UPDATE segments SET state = 'quarantined'");
    assert!(!world.attention().await.is_empty());
    let mut actor = world.gateway.actor();
    actor.grants = Grants::Projects(Vec::new());
    let items = list(&world.gateway.services, &actor).await.expect("a list");
    assert!(items.is_empty(), "{items:?}");
}
