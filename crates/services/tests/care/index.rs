//! The index of the archive is made anew from the objects alone.

use chrono::TimeDelta;
use services::jobs::JobInput;

use crate::world::World;

/// All that the index says of objects. Digests per keep class are of rows in PostgreSQL, and times of
/// the row's own.
const INDEX: &str = "SELECT jsonb_agg(to_jsonb(s) - '{lease, fence, classes, created_at, committed_at, verified_at, cold_since}'::text[] \
        || jsonb_build_object('filters', (SELECT jsonb_agg(to_jsonb(f) ORDER BY what) FROM segment_filters f WHERE f.segment_id = s.id)) \
        ORDER BY id)::text FROM segments s WHERE state = 'committed'";

#[tokio::test]
async fn an_index_made_from_the_store_alone_equals_the_one_that_was_lost() {
    let world = World::archived(10).await;
    let before = world.sql(INDEX);
    world.sql("DELETE FROM segments");
    let dry = world
        .try_run(
            "rebuild_index",
            JobInput {
                dry_run: true,
                ..JobInput::default()
            },
        )
        .await;
    assert!(dry.counts["adopted"].as_u64() > Some(4), "{dry:?}");
    assert_eq!(world.sql("SELECT count(*) FROM segments"), "0");
    let run = world.run("rebuild_index").await;
    assert_eq!(run.counts, dry.counts);
    assert_eq!(world.sql(INDEX), before);
    world.assert_whole().await;
    assert_eq!(world.count("rebuild_index", "adopted").await, 0);
}

#[tokio::test]
async fn of_several_copies_of_a_day_the_last_one_counts() {
    let mut world = World::copied(6).await;
    world.come_late().await;
    world.run("deletion").await;
    let before = world.sql(INDEX);
    world.sql("DELETE FROM segments");
    world.run("rebuild_index").await;
    assert_eq!(world.sql(INDEX), before);
    world.assert_whole().await;
}

#[tokio::test]
async fn a_database_from_before_the_deletion_takes_up_the_segments_it_never_knew() {
    let mut world = World::copied(6).await;
    world.sql("CREATE SCHEMA dump; CREATE TABLE dump.segments AS SELECT * FROM segments");
    world.come_late().await;
    world.run("deletion").await;
    world.pass(TimeDelta::hours(2));
    world.run("sweep").await;
    // The dump knows segments whose objects are gone, and not those that took their place.
    world.sql(
        "TRUNCATE segments CASCADE; INSERT INTO segments SELECT * FROM dump.segments; \
         UPDATE segments SET cold_since = created_at",
    );
    let run = world.run("rebuild_index").await;
    assert!(run.counts["replaced"].as_u64() > Some(0), "{run:?}");
    world.assert_whole().await;
}

#[tokio::test]
async fn objects_of_projects_that_do_not_exist_are_left_alone() {
    let world = World::archived(3).await;
    let object = world.event_objects()[0].clone();
    let key = object.replace(
        &world.gateway.project.to_string(),
        &domain::id::uuid_at(world.now()).to_string(),
    );
    world
        .put(&key, world.s3.object(&object).expect("an object"))
        .await;
    world.pass(TimeDelta::days(2));
    let run = world.run("sweep").await;
    assert_eq!(run.counts["removed"], 0, "{run:?}");
    assert!(world.s3.keys().contains(&key));
    world.assert_whole().await;
}

#[tokio::test]
async fn a_day_that_postgresql_still_has_is_compared_once_more_and_then_leaves() {
    let world = World::copied(5).await;
    world.sql("DELETE FROM segments");
    world.run("rebuild_index").await;
    world.next_day().await;
    let first = world.sent[0].0;
    world.run("deletion").await;
    assert_eq!(
        world.sql(&format!("SELECT count(*) FROM events WHERE id = '{first}'")),
        "1",
        "not compared yet"
    );
    world.run("backup").await;
    world.run("deletion").await;
    assert_eq!(
        world.sql(&format!("SELECT count(*) FROM events WHERE id = '{first}'")),
        "0"
    );
    world.assert_whole().await;
}
