//! Objects that nobody reads go; the last copy of a row never does.

use chrono::TimeDelta;
use services::jobs::JobInput;

use crate::world::World;

/// A row came after the day was copied, so the day was copied once more: the first copies are superseded.
async fn superseded() -> World {
    let mut world = World::copied(6).await;
    world.come_late().await;
    world
}

#[tokio::test]
async fn superseded_objects_go_after_a_while_and_every_event_stays_readable() {
    let world = superseded().await;
    let before = world.s3.keys().len();
    assert_eq!(
        world.count("sweep", "removed").await,
        0,
        "readers may still be at them"
    );
    world.pass(TimeDelta::hours(2));
    let removed = world.count("sweep", "removed").await;
    assert!(removed > 0);
    assert_eq!(world.s3.keys().len() as u64, before as u64 - removed);
    assert!(!world.states().contains("replaced"), "{}", world.states());
    world.run("deletion").await;
    world.assert_whole().await;
    assert_eq!(world.count("sweep", "removed").await, 0);
}

#[tokio::test]
async fn a_superseded_object_stays_when_it_is_the_last_copy() {
    let world = World::archived(5).await;
    // As after a bug elsewhere: nothing that counts holds its rows.
    world.sql("UPDATE segments SET state = 'replaced' WHERE kind = 0");
    let objects = world.event_objects();
    world.pass(TimeDelta::hours(2));
    let run = world.run("sweep").await;
    assert_eq!(world.event_objects(), objects, "{run:?}");
    assert_eq!(run.counts["removed"], 0, "{run:?}");
    world.assert_whole().await;
}

#[tokio::test]
async fn what_a_dead_writer_left_is_abandoned_and_removed() {
    let world = World::copied(5).await;
    let object = world.s3.object(&world.event_objects()[0]).expect("an object");
    let id = domain::id::uuid_at(world.now());
    let key = format!("{}/order.created/{id}.json.gz", world.gateway.project);
    world.sql(&format!(
        "INSERT INTO segments (id, project_id, policy_id, kind, topic, day, object_key, state, lease, fence, created_at) \
         SELECT '{id}', project_id, policy_id, kind, topic, day, '{key}', 'uploaded', 'job:backup', 0, '{}' \
         FROM segments LIMIT 1",
        world.now()
    ));
    world.put(&key, object).await;
    world.pass(TimeDelta::hours(2));
    let run = world.run("sweep").await;
    assert_eq!(run.counts["abandoned"], 1, "{run:?}");
    // Its footer names another object, so it is no copy of anything.
    assert_eq!(run.counts["removed"], 1, "{run:?}");
    assert_eq!(
        world.sql(&format!("SELECT state FROM segments WHERE id = '{id}'")),
        "deleted"
    );
    world.assert_whole().await;
}

#[tokio::test]
async fn an_unknown_object_goes_a_day_later_when_everything_in_it_is_elsewhere() {
    let world = superseded().await;
    let known = world.s3.keys();
    // As in a database that was restored: the copies that were superseded are not known any more.
    world.sql("DELETE FROM segments WHERE state = 'replaced'");
    let young = world.sql("SELECT count(*) FROM segments");
    world.run("sweep").await;
    world.pass(TimeDelta::hours(25));
    let run = world.run("sweep").await;
    assert_eq!(run.counts["adopted"], 0, "{run:?}");
    assert!(world.s3.keys().len() < known.len(), "{run:?}");
    assert_eq!(world.s3.keys().len().to_string(), young);
    world.assert_whole().await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_and_is_not_known_is_kept_and_told() {
    let world = World::copied(3).await;
    let id = domain::id::uuid_at(world.now());
    let key = format!("{}/order.created/{id}.json.gz", world.gateway.project);
    world.put(&key, bytes::Bytes::from_static(b"not a segment")).await;
    world
        .put("somebody/elses.txt", bytes::Bytes::from_static(b"hello"))
        .await;
    world.pass(TimeDelta::hours(25));
    let run = world.run("sweep").await;
    assert_eq!(
        (&run.counts["quarantined"], &run.counts["foreign"]),
        (&1.into(), &1.into()),
        "{run:?}"
    );
    assert!(world.s3.keys().contains(&key));
    assert!(world.s3.keys().iter().any(|key| key.ends_with("elses.txt")));
    let items = serde_json::to_string(&world.attention().await).expect("JSON");
    assert!(items.contains("quarantined"), "{items}");
}

#[tokio::test]
async fn what_probes_and_uploads_left_goes_and_the_ledger_stays() {
    let world = World::copied(3).await;
    world.put("_probe/x/one", bytes::Bytes::from_static(b"1")).await;
    let ledger = format!(
        "_ledger/{}/{}.json",
        world.gateway.project,
        domain::id::uuid_at(world.now())
    );
    world.put(&ledger, bytes::Bytes::from_static(b"{}")).await;
    world.pass(TimeDelta::days(400));
    world.run("sweep").await;
    assert!(!world.s3.keys().iter().any(|key| key.contains("_probe/")));
    assert!(world.s3.keys().contains(&ledger));
}

#[tokio::test]
async fn a_dry_run_tells_and_changes_nothing() {
    let world = superseded().await;
    world.pass(TimeDelta::hours(2));
    let (keys, states) = (world.s3.keys(), world.states());
    let input = JobInput {
        dry_run: true,
        ..JobInput::default()
    };
    let run = world.try_run("sweep", input).await;
    assert!(run.counts["removed"].as_u64() > Some(0), "{run:?}");
    assert_eq!((world.s3.keys(), world.states()), (keys, states));
}

#[tokio::test]
async fn a_store_that_is_away_loses_nothing_and_is_told() {
    let world = superseded().await;
    world.pass(TimeDelta::hours(2));
    let states = world.states();
    world
        .s3
        .faults()
        .always(testkit::object_store::Fault::Refuse(403, "AccessDenied"));
    let run = world.run("sweep").await;
    assert!(
        !run.counts["failed"].as_array().expect("told").is_empty(),
        "{run:?}"
    );
    assert_eq!(world.states(), states);
    world.s3.faults().clear();
    assert!(world.count("sweep", "removed").await > 0);
    world.assert_whole().await;
}
