//! Rows in the archive.

use domain::erasure::mark;
use domain::id::EventId;
use services::erasure::{Erasure, ErasureState, Wanted};
use testkit::object_store::Fault;

use crate::world::{World, gunzip};

/// Asserts that nothing of the person is left anywhere.
fn assert_gone(world: &World, person: &str) {
    assert_eq!(world.objects_with(person), Vec::<String>::new());
    assert_eq!(world.rows_with(person), "");
}

async fn assert_marked(world: &World, erased: &Erasure, events: &[EventId]) {
    for id in events {
        let event = world.read(*id).await;
        assert_eq!(event.payload, mark(erased.id));
        assert_eq!((event.headers, event.idempotency_key), (None, None));
    }
    world.assert_others_whole(events).await;
}

#[tokio::test]
async fn an_archived_event_goes_by_its_id() {
    let mut world = World::new().await;
    let (ada, _) = (world.about("zoltan").await, world.about("bob").await);
    world.archive().await;
    let keys = world.objects_with("zoltan");
    assert_eq!(keys.len(), 2, "events and attempts");
    let before: Vec<_> = keys
        .iter()
        .map(|key| world.s3.object(key).expect("an object"))
        .collect();
    let erased = world.erase(Wanted::Events(vec![ada])).await;
    assert_gone(&world, "zoltan");
    assert_marked(&world, &erased, &[ada]).await;
    assert_eq!(erased.receipt.archived_rows, 2, "{erased:?}");
    assert_eq!(
        erased.receipt.versions_removed, 2,
        "the old version of both objects"
    );
    for old in before {
        assert_eq!(world.s3.versions_containing(&old), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_archived_subject_goes_everywhere() {
    let mut world = World::new().await;
    let ada = vec![world.about("zoltan").await, world.about("zoltan").await];
    world.about("bob").await;
    world.archive().await;
    let erased = world.erase(Wanted::Subject("zoltan".to_owned())).await;
    assert_gone(&world, "zoltan");
    assert_marked(&world, &erased, &ada).await;
}

#[tokio::test]
async fn an_archived_value_becomes_null() {
    let mut world = World::new().await;
    let ada = world.about("zoltan").await;
    world.about("bob").await;
    world.archive().await;
    let wanted = Wanted::Value {
        pointer: "/customer/mail".to_owned(),
        value: "zoltan@x.org".to_owned(),
    };
    world.erase(wanted).await;
    assert_gone(&world, "zoltan@x.org");
    let expected = world.sent[0].1.replace("\"zoltan@x.org\"", "null");
    assert_eq!(world.read(ada).await.payload, expected);
    world.assert_others_whole(&[ada]).await;
}

#[tokio::test]
async fn only_blocks_with_something_to_erase_are_written_anew() {
    let mut world = World::new().await;
    for person in ["bob", "bob", "zoltan", "bob", "bob", "bob", "bob", "bob"] {
        world.much_about(person).await;
    }
    world.archive().await;
    let [key] = &*world.event_objects() else {
        panic!("one object of events");
    };
    let before = world.s3.object(key).expect("the object");
    let erased = world.erase(Wanted::Subject("zoltan".to_owned())).await;
    let after = world.s3.object(key).expect("the object");
    let segment = erased
        .receipt
        .segments
        .iter()
        .find(|one| key.ends_with(&one.object_key))
        .expect("a segment");
    assert_eq!(segment.blocks.len(), 1, "{segment:?}");
    let ours =
        world.sql("SELECT count(*) FROM segments WHERE kind = 0 AND state = 'committed' AND generation = 2");
    assert_eq!(ours, "1");
    // Members of the gzip before and after: those of other blocks are the same bytes.
    let (old, new) = (members(&before), members(&after));
    assert!(old.len() > 4, "{}", old.len());
    assert_eq!(old.len(), new.len());
    let blocks = old.len() - 2;
    for block in 0..blocks {
        let touched = segment
            .blocks
            .contains(&i32::try_from(block).expect("few blocks"));
        assert_eq!(old[block] != new[block], touched, "block {block}");
    }
    assert!(!gunzip(&after).contains("zoltan"));
}

/// The members of a gzip file: each begins with the same bytes, which deflated text may contain by
/// chance; then both sides are cut at the same wrong place, or the comparison fails.
fn members(object: &[u8]) -> Vec<&[u8]> {
    let opening = &object[..4];
    let mut starts: Vec<usize> = (0..object.len() - 4)
        .filter(|at| object[*at..].starts_with(&opening[..3]))
        .filter(|at| matches!(object[at + 3], 0 | 4))
        .collect();
    starts.push(object.len());
    starts.windows(2).map(|pair| &object[pair[0]..pair[1]]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_had_read_before_does_not_count() {
    let mut world = World::new().await;
    let ada = world.about("zoltan").await;
    world.about("bob").await;
    world.next_day().await;
    // Each call takes its time, so that the erasure comes between reading and committing.
    for call in 1..=12 {
        world
            .s3
            .faults()
            .on_call(call, Fault::Delay(std::time::Duration::from_millis(400)));
    }
    let asking = async {
        let mut looks = 0;
        while world.sql("SELECT count(*) FROM segments") == "0" {
            looks += 1;
            assert!(looks < 500, "the backup never writes a segment");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        world.ask(Wanted::Subject("zoltan".to_owned())).await
    };
    let (run, asked) = tokio::join!(world.try_run("backup"), asking);
    world.s3.faults().clear();
    assert!(run.counts["days"].as_u64() > Some(0), "{run:?}");
    let outdated = "SELECT count(*) > 0 FROM segments WHERE last_error = 'rows changed while they were read'";
    assert_eq!(world.sql(outdated), "t");
    world.run("erase").await;
    let erased = world.erasure(asked.id).await;
    assert_eq!(erased.state, ErasureState::Done, "{erased:?}");
    assert_gone(&world, "zoltan");
    assert_marked(&world, &erased, &[ada]).await;
}

#[tokio::test]
async fn a_store_without_conditions_is_erased_from_all_the_same() {
    let mut world = World::without_conditions().await;
    let ada = world.about("zoltan").await;
    world.about("bob").await;
    world.archive().await;
    let erased = world.erase(Wanted::Subject("zoltan".to_owned())).await;
    assert_gone(&world, "zoltan");
    assert_marked(&world, &erased, &[ada]).await;
}

#[tokio::test]
async fn readers_never_see_the_value_nor_an_error() {
    let mut world = World::new().await;
    let mut people = Vec::new();
    for n in 0..6 {
        people.push(world.about(&format!("person{n}")).await);
    }
    world.archive().await;
    let erasing = async {
        for (n, id) in people.iter().enumerate() {
            let erased = world.ask(Wanted::Subject(format!("person{n}"))).await;
            let seen = world.read(*id).await;
            assert_eq!(seen.payload, mark(erased.id), "masked at once");
            world.run("erase").await;
        }
    };
    let reading = async {
        loop {
            for id in &people {
                world.read(*id).await;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = erasing => {}
        () = reading => {}
    }
    assert_gone(&world, "person");
}
