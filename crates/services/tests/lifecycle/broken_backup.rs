//! A store that cannot be written for days: nothing leaves, it is said since when, and everything is
//! made up for.

use domain::clock::Clock as _;
use testkit::TestS3;
use testkit::db::backups;

use crate::world::World;

#[tokio::test]
async fn days_without_backup_stay_and_are_made_up_for_in_order() {
    let s3 = TestS3::start().await;
    let mut world = World::stored_in(s3.policy()).await;
    world.keep(1).await;
    let first = world.today();
    world.send(4).await;
    world.next_day().await;
    world.run("backup").await;

    let right = s3.s3_policy().access_key;
    s3.set(|settings| settings.access_key = "ANOTHERKEY".to_owned());
    let broken_on = world.today();
    let mut broken_since = None;
    for _ in 0..3 {
        world.send(4).await;
        world.next_day().await;
        let before = world.gateway.clock.now();
        let run = world.run("backup").await;
        assert_ne!(run.counts["failed"], serde_json::Value::Null, "{run:?}");
        broken_since.get_or_insert((before, world.gateway.clock.now()));
        world.run("deletion").await;
        let hot = world.hot().await;
        let lost = world
            .accepted
            .keys()
            .find(|id| id.day() >= broken_on && !hot.contains(*id));
        assert_eq!(lost, None, "nothing leaves that is not in the archive");
    }
    assert!(
        !world.hot_days().await.contains(&first),
        "the day that was copied in time has left"
    );

    let open = backups::uncovered(&world.gateway.services.db)
        .await
        .expect("days");
    let oldest = open
        .iter()
        .find(|day| day.state == "failed")
        .expect("a day that failed");
    assert_eq!(oldest.day, broken_on);
    let (from, to) = broken_since.expect("it broke");
    let since = oldest.failed_since.expect("it is known since when");
    assert!(
        from <= since && since <= to,
        "{since} is not between {from} and {to}"
    );
    let error = oldest.error.as_deref().unwrap_or_default();
    assert!(error.contains("key"), "it is said what to change: {error}");

    s3.set(|settings| settings.access_key = right);
    world.run("backup").await;
    let order = world
        .sql("SELECT day::text FROM segments WHERE state = 'committed' AND kind = 0 ORDER BY committed_at, day")
        .await;
    assert!(order.is_sorted() && order.len() == 4, "oldest first: {order:?}");
    let open = backups::uncovered(&world.gateway.services.db)
        .await
        .expect("days");
    assert!(open.is_empty(), "{open:?}");
    world.run("deletion").await;
    assert!(!world.hot_days().await.contains(&broken_on), "days leave again");
    assert!(world.readable(first).await == world.accepted);
}
