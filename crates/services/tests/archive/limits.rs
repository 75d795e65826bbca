//! Memory, requests and bytes are bounded, and answers stay right within the bounds.

use std::fmt::Write as _;

use services::Error;
use services::events::EventFilter;
use services::page::{PageRequest, Sort};
use testkit::object_store::Fault;

use crate::walks;
use crate::world::World;

/// A payload that does not compress.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(bytes + 16);
    text.push('"');
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        write!(text, "{state:016x}").expect("written into memory");
    }
    text.push('"');
    text
}

async fn large(change: impl FnOnce(&mut services::Options)) -> World {
    let mut world = World::with(change).await;
    let good = world.good;
    for i in 0..24 {
        world.accept(good, "order.created", noise(i, 300_000), None).await;
    }
    world.settle(0).await;
    for _ in 0..2 {
        world.next_day().await;
    }
    world.archive().await;
    world
}

#[tokio::test]
async fn the_cache_stays_within_its_bytes_and_answers_stay_right() {
    const BYTES: u64 = 3 * 1024 * 1024;
    let world = large(|options| options.archive.cache_bytes = BYTES).await;
    for _ in 0..2 {
        let shown = walks::events(&world, &EventFilter::default(), 5, Sort::Asc).await;
        assert_eq!(shown.len(), 24);
        for (sent, shown) in world.sent.iter().zip(&shown) {
            assert!(shown.2 == sent.data);
        }
        let cached = world.gateway.services.archive.cached_bytes();
        assert!(cached > 0 && cached <= BYTES, "{cached}");
    }
}

#[tokio::test]
async fn a_search_that_would_read_too_much_is_refused_and_a_narrow_one_is_not() {
    let world = large(|options| options.archive.read_budget_bytes = 1024 * 1024).await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let search = async |filter: &EventFilter| {
        services::events::list(services, &actor, project, filter, PageRequest::first(20), false).await
    };
    let nothing = EventFilter {
        query: Some("there is no such text".to_owned()),
        ..EventFilter::default()
    };
    let found = search(&nothing).await;
    assert!(matches!(found, Err(Error::TooSlow)), "{found:?}");
    let at = world.sent[9].id.instant();
    let narrow = EventFilter {
        from: Some(at),
        to: Some(at),
        ..nothing
    };
    assert!(search(&narrow).await.expect("a page").items.is_empty());
}

#[tokio::test]
async fn a_store_that_hangs_holds_up_no_delivery() {
    let mut world = World::with(|options| {
        options.archive.segment_rows = 8;
        options.archive.read_concurrency = 1;
    })
    .await;
    world.days(2, 6).await;
    world.archive().await;
    world.s3.faults().always(Fault::Hang);
    let (services, actor, project) = (
        std::sync::Arc::clone(&world.gateway.services),
        world.gateway.actor(),
        world.gateway.project,
    );
    let id = world.sent[0].id;
    let reading = tokio::spawn(async move { services::events::get(&services, &actor, project, id).await });
    world.day(2, 5).await;
    assert!(
        !reading.is_finished(),
        "every delivery ended while the archive did not answer"
    );
    reading.abort();
}
