//! A store that is away, and objects that are not what they were.

use domain::lifecycle::start_of;
use domain::state::SegmentState;
use services::Error;
use services::events::EventFilter;
use services::page::{PageRequest, Sort};
use testkit::object_store::Fault;

use crate::walks;
use crate::world::World;

/// Names of the segments' states that hold events of the first day.
async fn states(world: &World) -> Vec<SegmentState> {
    let mut states = Vec::new();
    for key in world.event_objects() {
        let id = domain::segment::parse_object_key(&key).expect("a key").archive_id;
        let segment = testkit::db::segments::find(&world.gateway.services.db, id)
            .await
            .expect("asked");
        states.push(segment.expect("a segment").state);
    }
    states
}

#[tokio::test]
async fn a_store_that_is_away_fails_only_what_lies_in_it() {
    let mut world = World::new().await;
    world.days(3, 6).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    world.s3.faults().always(Fault::Refuse(503, "ServiceUnavailable"));
    let (old, new) = (world.sent[0].id, world.sent[17].id);
    let hot = services::events::get(services, &actor, project, new).await;
    assert_eq!(hot.expect("in PostgreSQL").payload, world.sent[17].data);
    let archived = services::events::get(services, &actor, project, old).await;
    let away = |error: &Error| matches!(error, Error::Unavailable { what: "the archive", retry_after } if *retry_after > 0);
    assert!(archived.as_ref().is_err_and(away), "{archived:?}");

    let list = async |filter: &EventFilter, per_page| {
        services::events::list(
            services,
            &actor,
            project,
            filter,
            PageRequest::first(per_page),
            true,
        )
        .await
    };
    let recent = EventFilter {
        from: Some(start_of(new.day())),
        ..EventFilter::default()
    };
    assert_eq!(list(&recent, 100).await.expect("a page").items.len(), 6);
    let newest = list(&EventFilter::default(), 5).await;
    assert_eq!(
        newest.expect("five and one more are in PostgreSQL").items.len(),
        5
    );
    let whole = list(&EventFilter::default(), 100).await;
    assert!(whole.as_ref().is_err_and(away), "no short page: {whole:?}");

    world.s3.faults().clear();
    assert_eq!(
        list(&EventFilter::default(), 100)
            .await
            .expect("a page")
            .items
            .len(),
        18
    );
    assert!(
        states(&world)
            .await
            .iter()
            .all(|state| *state == SegmentState::Committed)
    );
}

#[tokio::test]
async fn a_damaged_object_is_never_served_and_named() {
    let mut world = World::new().await;
    world.days(3, 12).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let victim = world
        .sent
        .iter()
        .find(|sent| sent.event_type == "invoice.paid")
        .expect("one");
    let other = world
        .sent
        .iter()
        .find(|sent| sent.event_type == "order.created")
        .expect("one");
    for key in world
        .event_objects()
        .iter()
        .filter(|key| key.contains("invoice.paid"))
    {
        world.s3.damage(key, |bytes| bytes[60] ^= 1);
    }
    for _ in 0..2 {
        let found = services::events::get(services, &actor, project, victim.id).await;
        assert!(matches!(found, Err(Error::Internal(_))), "{found:?}");
    }
    let states = states(&world).await;
    assert_eq!(
        states
            .iter()
            .filter(|state| **state == SegmentState::Quarantined)
            .count(),
        1
    );
    let found = services::events::get(services, &actor, project, other.id).await;
    assert_eq!(found.expect("another object").payload, other.data);
    let request = PageRequest {
        sort: Sort::Asc,
        ..PageRequest::first(100)
    };
    let list =
        services::events::list(services, &actor, project, &EventFilter::default(), request, true).await;
    assert!(
        matches!(list, Err(Error::Internal(_))),
        "nothing is skipped: {list:?}"
    );
}

#[tokio::test]
async fn what_is_damaged_on_the_way_is_fetched_again() {
    let mut world = World::new().await;
    world.days(2, 6).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    world.s3.faults().next(Fault::Damage);
    let found = services::events::read(services, &actor, project, world.sent[0].id)
        .await
        .expect("found");
    assert_eq!(found.data.payload, world.sent[0].data);
    assert_eq!(found.cost.requests, 2);
    assert!(
        states(&world)
            .await
            .iter()
            .all(|state| *state == SegmentState::Committed)
    );
}

#[tokio::test]
async fn objects_that_changed_places_are_told_apart() {
    let mut world = World::new().await;
    world.days(2, 12).await;
    world.archive().await;
    let objects = world.event_objects();
    let (one, two) = (&objects[0], &objects[1]);
    let swapped = world.s3.object(two).expect("an object").to_vec();
    world.s3.damage(one, |bytes| *bytes = swapped);
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let mut refused = 0;
    for sent in &world.sent[..12] {
        match services::events::get(services, &actor, project, sent.id).await {
            Ok(event) => assert_eq!(event.payload, sent.data),
            Err(Error::Internal(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_day_that_is_covered_again_reads_the_same() {
    let mut world = World::new().await;
    world.days(1, 10).await;
    let evening = world.now() - chrono::TimeDelta::days(1);
    world.run("backup").await;
    world.turn_cold().await;
    let before = walks::events(&world, &EventFilter::default(), 7, Sort::Desc).await;
    // One that lay in a queue over midnight.
    let late = world.now();
    domain::clock::Clock::set(world.gateway.clock.as_ref(), evening);
    let good = world.good;
    world
        .accept(good, "order.created", "{\"late\":true}".to_owned(), None)
        .await;
    world.settle(10).await;
    domain::clock::Clock::set(world.gateway.clock.as_ref(), late);
    let hot = walks::events(&world, &EventFilter::default(), 7, Sort::Desc).await;
    assert_eq!(hot.len(), before.len() + 1);
    world.next_day().await;
    // Refused, because the late one is in no segment; covered again, and dropped.
    world.run("deletion").await;
    world.archive().await;
    assert!(!world.is_hot(world.sent[10].id).await);
    assert_eq!(
        walks::events(&world, &EventFilter::default(), 7, Sort::Desc).await,
        hot
    );
}
