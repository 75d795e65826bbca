//! Ended days go to the archive, and leave PostgreSQL only when they are there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use domain::clock::Clock as _;
use domain::id::EventId;
use domain::run::RunState;
use domain::state::SegmentState;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use services::conversion::Direction;
use services::jobs::Run;

use crate::world::{World, objects};

fn counts(run: &Run) -> &Value {
    assert_eq!(run.state, RunState::Done, "{run:?}");
    &run.counts
}

#[derive(Deserialize)]
struct Row<'a> {
    uid: EventId,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Ids and payloads of all events in objects that count, read by a tool that knows nothing of
/// segments.
async fn archived(world: &World) -> BTreeMap<EventId, String> {
    let mut events = BTreeMap::new();
    for object in objects(&world.folder()) {
        if object.to_string_lossy().contains("/_") || !counts_still(world, &object).await {
            continue;
        }
        let output = Command::new("gunzip")
            .arg("-c")
            .arg(&object)
            .output()
            .expect("gunzip runs");
        assert!(output.status.success(), "{}", object.display());
        let rows: Vec<Row<'_>> = serde_json::from_slice(&output.stdout).expect("one JSON array");
        for row in rows {
            let seen = events.insert(row.uid, row.data.get().to_owned());
            assert!(seen.is_none(), "{} is there twice", row.uid);
        }
    }
    events
}

#[tokio::test]
async fn an_ended_day_is_in_the_archive_byte_for_byte() {
    let mut world = World::new().await;
    world.keep(7).await;
    world.send(25).await;
    let today = world.run("backup").await;
    assert_eq!(counts(&today)["days"], 0, "the day has not ended");
    world.next_day().await;
    let run = world.run("backup").await;
    assert_eq!(
        counts(&run)["days"],
        2,
        "events, and deliveries with attempts: {run:?}"
    );
    assert_eq!(counts(&run)["rows"], 75);
    assert_eq!(archived(&world).await, world.accepted);
    let again = world.run("backup").await;
    assert_eq!(counts(&again)["segments"], 0, "nothing is written twice");
}

#[tokio::test]
async fn a_day_leaves_when_its_period_is_over_and_not_before() {
    let mut world = World::new().await;
    world.keep(2).await;
    let first_day = world.today();
    world.send(10).await;
    let first: Vec<EventId> = world.accepted.keys().copied().collect();
    for passed in 1..=3 {
        world.next_day().await;
        world.run("backup").await;
        let run = world.run("deletion").await;
        let hot = db_has(&world, first[0]).await;
        assert_eq!(hot, passed < 3, "after {passed} days: {run:?}");
    }
    assert!(world.today() > first_day);
    assert_eq!(archived(&world).await, world.accepted);
}

#[tokio::test]
async fn what_is_not_in_the_archive_stays_and_is_named() {
    let mut world = World::new().await;
    world.keep(1).await;
    world.send(3).await;
    for _ in 0..2 {
        world.next_day().await;
    }
    let first = *world.accepted.keys().next().expect("sent");
    let run = world.run("deletion").await;
    assert!(db_has(&world, first).await);
    let refused = counts(&run)["refused"].to_string();
    assert!(refused.contains("not in the archive"), "{refused}");
    world.run("backup").await;
    world.run("deletion").await;
    assert!(!db_has(&world, first).await);
    assert_eq!(archived(&world).await, world.accepted);
}

#[tokio::test]
async fn an_event_that_comes_late_is_covered_before_its_day_leaves() {
    let mut world = World::new().await;
    world.keep(1).await;
    world.send(5).await;
    let evening = world.gateway.clock.now();
    world.next_day().await;
    world.run("backup").await;
    // As one that lay in a queue over midnight: accepted yesterday, written today.
    world.gateway.clock.set(evening);
    world.send(1).await;
    world.gateway.clock.set(evening);
    for _ in 0..2 {
        world.next_day().await;
    }
    let first = *world.accepted.keys().next().expect("sent");
    world.run("deletion").await;
    assert!(
        db_has(&world, first).await,
        "a row of the leaf is not in the archive"
    );
    world.run("backup").await;
    world.run("deletion").await;
    assert!(!db_has(&world, first).await);
    assert_eq!(archived(&world).await.len(), 6);
    assert_eq!(archived(&world).await, world.accepted);
}

/// Whether the object is that of a segment that was not replaced.
async fn counts_still(world: &World, object: &Path) -> bool {
    let name = object.file_name().and_then(|name| name.to_str()).expect("a name");
    let id = name.trim_end_matches(".json.gz").parse().expect("an archive id");
    let segment = testkit::db::segments::find(&world.gateway.services.db, id)
        .await
        .expect("an answer");
    segment.is_some_and(|segment| segment.state == SegmentState::Committed)
}

async fn db_has(world: &World, event: EventId) -> bool {
    let found = testkit::db::events::find(&world.gateway.services.db, event).await;
    found.expect("PostgreSQL answers").is_some()
}

#[tokio::test]
async fn rows_of_a_table_without_partitions_leave_one_by_one_after_the_same_checks() {
    let mut world = World::new().await;
    world.keep(1).await;
    world.send(4).await;
    let first = *world.accepted.keys().next().expect("sent");
    let (services, actor) = (&world.gateway.services, world.gateway.actor());
    let tables = services::conversion::tables(None).expect("tables");
    services::conversion::convert(services, &actor, Direction::Unpartition, &tables, &|_| ())
        .await
        .expect("one heap each");
    for _ in 0..2 {
        world.next_day().await;
    }
    let run = world.run("deletion").await;
    assert!(db_has(&world, first).await, "not in the archive: {run:?}");
    world.run("backup").await;
    let run = world.run("deletion").await;
    assert!(!db_has(&world, first).await, "{run:?}");
    assert_eq!(counts(&run)["rows"], 12, "events, deliveries and attempts");
    assert_eq!(archived(&world).await, world.accepted);
}

#[tokio::test]
async fn what_is_still_live_in_a_table_without_partitions_ends_and_leaves() {
    let mut world = World::new().await;
    world.keep(1).await;
    world.send(2).await;
    let first = *world.accepted.keys().next().expect("sent");
    let (services, actor) = (&world.gateway.services, world.gateway.actor());
    let tables = services::conversion::tables(None).expect("tables");
    services::conversion::convert(services, &actor, Direction::Unpartition, &tables, &|_| ())
        .await
        .expect("one heap each");
    // Its next attempt would come long after its retention.
    world
        .sql("UPDATE event_deliveries SET state = 2, due_at = '2100-01-01', ended_at = NULL")
        .await;
    for _ in 0..2 {
        world.next_day().await;
    }
    let run = world.run("deletion").await;
    assert_eq!(counts(&run)["ended"], 2, "{run:?}");
    world.run("backup").await;
    let run = world.run("deletion").await;
    assert!(!db_has(&world, first).await, "{run:?}");
    assert_eq!(archived(&world).await, world.accepted);
}
