//! Objects are looked at and read back; damage is told and made good.

use services::attention::Wants;

use crate::world::World;

#[tokio::test]
async fn whole_objects_are_looked_at_and_some_are_read_back() {
    let world = World::copied(9).await;
    let segments: u64 = world
        .sql("SELECT count(*) FROM segments")
        .parse()
        .expect("a count");
    world.sql("UPDATE segments SET verified_at = NULL");
    let run = world.run("scrub").await;
    assert_eq!(run.counts["looked"], segments, "{run:?}");
    assert_eq!(run.counts["verified"], 1, "one of thirty: {run:?}");
    for _ in 1..segments {
        world.run("scrub").await;
    }
    assert_eq!(
        world.sql("SELECT count(*) FROM segments WHERE verified_at IS NULL"),
        "0",
        "each in its turn"
    );
    assert!(world.attention().await.is_empty());
}

#[tokio::test]
async fn a_flipped_byte_is_found_told_and_made_good_while_the_day_is_hot() {
    let world = World::copied(5).await;
    let key = world.event_objects()[0].clone();
    let name = key
        .rsplit('/')
        .next()
        .expect("a name")
        .trim_end_matches(".json.gz")
        .to_owned();
    world.sql("UPDATE segments SET verified_at = now()");
    world.sql(&format!(
        "UPDATE segments SET verified_at = NULL WHERE id = '{name}'"
    ));
    world.s3.damage(&key, |bytes| bytes[40] ^= 1);
    let run = world.run("scrub").await;
    assert_eq!(run.counts["damaged"], 1, "{run:?}");
    let wants = world
        .attention()
        .await
        .into_iter()
        .map(|item| item.wants)
        .collect::<Vec<_>>();
    assert!(
        wants
            .iter()
            .any(|wants| matches!(wants, Wants::Quarantined { segments: 1, .. })),
        "{wants:?}"
    );
    assert_eq!(
        world.sql("SELECT count(*) FROM backup_days WHERE state = 'waiting'"),
        "1"
    );
    world.run("backup").await;
    let sweep = world.run("sweep").await;
    assert_eq!(sweep.counts["superseded"], 1, "{sweep:?}");
    assert!(
        world.attention().await.is_empty(),
        "{:?}",
        world.attention().await
    );
    world.next_day().await;
    world.run("backup").await;
    world.run("deletion").await;
    world.assert_whole().await;
    world.run("sweep").await;
    assert!(
        !world.event_objects().contains(&key),
        "the damaged object is gone"
    );
}

#[tokio::test]
async fn a_missing_object_is_found_and_counts_again_once_it_was_put_back() {
    let world = World::archived(5).await;
    let key = world.event_objects()[0].clone();
    let bytes = world.s3.object(&key).expect("an object");
    world.remove(&key).await;
    let run = world.run("scrub").await;
    assert_eq!(run.counts["damaged"], 1, "{run:?}");
    assert!(
        run.counts["quarantined"].to_string().contains("missing"),
        "{run:?}"
    );
    world.put(&key, bytes).await;
    let run = world.run("scrub").await;
    assert_eq!(run.counts["healed"], 1, "{run:?}");
    world.assert_whole().await;
    assert!(world.attention().await.is_empty());
}

#[tokio::test]
async fn swapped_objects_are_damage() {
    let world = World::archived(9).await;
    let keys = world.event_objects();
    let [one, two] = [&keys[0], &keys[1]].map(|key| world.s3.object(key).expect("an object"));
    world.put(&keys[0], two).await;
    world.put(&keys[1], one).await;
    let run = world.run("scrub").await;
    assert_eq!(run.counts["damaged"], 2, "{run:?}");
}

#[tokio::test]
async fn an_object_that_was_copied_over_with_the_same_bytes_is_taken_over() {
    let world = World::archived(5).await;
    world.sql("UPDATE segments SET etag = 'of the store before' WHERE kind = 0");
    let run = world.run("scrub").await;
    assert_eq!(
        (&run.counts["damaged"], &run.counts["renewed"]),
        (&0.into(), &2.into()),
        "{run:?}"
    );
    world.assert_whole().await;
}

#[tokio::test]
async fn a_store_that_is_away_is_no_damage() {
    let world = World::archived(5).await;
    let states = world.states();
    world
        .s3
        .faults()
        .always(testkit::object_store::Fault::Refuse(403, "AccessDenied"));
    let run = world.run("scrub").await;
    assert_eq!(run.counts["damaged"], 0, "{run:?}");
    assert!(!run.counts["failed"].as_array().expect("told").is_empty());
    assert_eq!(world.states(), states);
}
