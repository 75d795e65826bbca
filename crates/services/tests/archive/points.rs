//! One row by its id, and what that takes.

use services::Error;
use services::archive::Tier;
use services::deliveries::DeliveryFilter;
use services::events::EventFilter;
use services::page::{PageRequest, Sort};

use crate::world::World;

#[tokio::test]
async fn an_archived_event_takes_one_request_and_none_the_second_time() {
    let mut world = World::new().await;
    world.days(2, 20).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let sent = &world.sent[7];
    assert!(!world.is_hot(sent.id).await);
    let first = services::events::read(services, &actor, project, sent.id)
        .await
        .expect("found");
    assert_eq!((first.data.id, &first.data.payload), (sent.id, &sent.data));
    assert_eq!(first.tier(), Tier::Archive);
    assert_eq!(
        (first.cost.requests, first.cost.cached_blocks, world.gets()),
        (1, 0, 1)
    );
    assert_eq!(first.cost.bytes, world.s3.calls().bytes_out("GetObject"));
    let second = services::events::read(services, &actor, project, sent.id)
        .await
        .expect("found");
    assert_eq!(second.data.payload, sent.data);
    assert_eq!(
        (second.cost.requests, second.cost.cached_blocks, world.gets()),
        (0, 1, 1)
    );
}

#[tokio::test]
async fn an_archived_delivery_and_its_attempts_are_found() {
    let mut world = World::new().await;
    world.days(2, 10).await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let id = world.gateway.delivery_ids(world.sent[4].id).await[0];
    let hot = services::deliveries::read_attempts(services, &actor, project, id)
        .await
        .expect("found");
    assert_eq!(hot.tier(), Tier::Hot);
    world.archive().await;
    let cold = services::deliveries::read_attempts(services, &actor, project, id)
        .await
        .expect("found");
    assert_eq!(cold.tier(), Tier::Archive);
    assert_eq!(format!("{:?}", cold.data), format!("{:?}", hot.data));
    assert_eq!(world.gets(), 2, "one block of deliveries, one of attempts");
    let attempt = cold.data.1[0].id;
    let found = services::deliveries::read_attempt(services, &actor, project, id, attempt).await;
    assert_eq!(found.expect("found").data.1.id, attempt);
    let other = world.gateway.delivery_ids(world.sent[3].id).await[0];
    let strange = services::deliveries::read_attempt(services, &actor, project, other, attempt).await;
    assert!(matches!(strange, Err(Error::NotFound(_))), "{strange:?}");
}

#[tokio::test]
async fn a_page_of_a_hundred_takes_at_most_two_requests() {
    let mut world = World::with(|_| {}).await;
    let (good, before) = (world.good, world.sent.len());
    for i in 0..130 {
        world
            .accept(good, "order.created", format!("{{\"n\":{i}}}"), None)
            .await;
    }
    world.settle(before).await;
    for _ in 0..2 {
        world.next_day().await;
    }
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let filter = EventFilter::default();
    let page = services::events::read_list(services, &actor, project, &filter, PageRequest::first(100), true)
        .await
        .expect("a page");
    assert_eq!((page.data.items.len(), page.data.has_next), (100, true));
    assert!((1..=2).contains(&world.gets()), "{}", world.gets());
    assert_eq!(page.cost.requests, world.gets() as u64);
}

#[tokio::test]
async fn a_key_is_looked_for_only_where_it_may_be() {
    let mut world = World::new().await;
    world.days(4, 16).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let filter = EventFilter {
        idempotency_key: Some("key-1-8".to_owned()),
        ..EventFilter::default()
    };
    let page = services::events::read_list(services, &actor, project, &filter, PageRequest::first(20), true)
        .await
        .expect("a page");
    assert_eq!(page.data.items.len(), 1);
    assert_eq!(page.data.items[0].id, world.sent[16 + 8].id);
    // Filters may say yes in vain, one time in a hundred.
    assert!((1..=2).contains(&world.gets()), "{}", world.gets());
}

#[tokio::test]
async fn many_who_ask_for_the_same_block_fetch_it_once() {
    let mut world = World::new().await;
    world.days(2, 10).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let id = world.sent[1].id;
    let reads = (0..20).map(|_| services::events::read(services, &actor, project, id));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.expect("found").data.id, id);
    }
    assert_eq!(world.gets(), 1);
}

#[tokio::test]
async fn what_another_project_archived_is_not_there() {
    let mut world = World::new().await;
    world.days(2, 5).await;
    let delivery = world.gateway.delivery_ids(world.sent[0].id).await[0];
    world.archive().await;
    let (services, actor) = (&world.gateway.services, world.gateway.actor());
    let new = services::projects::NewProject {
        name: "Somebody else's".to_owned(),
        kind: "outgoing".to_owned(),
        organisation: services::organisations::list(services, &actor)
            .await
            .expect("listed")
            .first()
            .map(|organisation| organisation.id),
        ..services::projects::NewProject::default()
    };
    let other = services::projects::create(services, &actor, new)
        .await
        .expect("made")
        .project
        .id;
    let event = services::events::get(services, &actor, other, world.sent[0].id).await;
    assert!(matches!(event, Err(Error::NotFound(_))), "{event:?}");
    let found = services::deliveries::get(services, &actor, other, delivery).await;
    assert!(matches!(found, Err(Error::NotFound(_))), "{found:?}");
    let request = PageRequest {
        sort: Sort::Asc,
        ..PageRequest::first(100)
    };
    let list = services::deliveries::list(services, &actor, other, &DeliveryFilter::default(), request).await;
    assert!(list.expect("a page").items.is_empty());
    assert_eq!(world.gets(), 0, "nothing of the project was fetched");
}

#[tokio::test]
async fn an_id_that_was_never_given_is_not_found() {
    let mut world = World::new().await;
    world.days(2, 5).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let beside = domain::id::EventId::at(world.sent[2].id.instant());
    let ancient = domain::id::EventId(uuid::Uuid::from_u128(4 << 76));
    for id in [beside, ancient] {
        let found = services::events::get(services, &actor, project, id).await;
        assert!(matches!(found, Err(Error::NotFound(_))), "{found:?}");
    }
}
