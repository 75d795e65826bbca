//! Whole lists, page by page.

use services::deliveries::{Delivery, DeliveryFilter};
use services::events::{Event, EventFilter};
use services::page::{Direction, Page, PageRequest, Sort};
use uuid::Uuid;

use crate::world::World;

/// Everything of an event that a caller is shown.
pub(crate) type Shown = (Uuid, String, String, Option<String>, String);

fn shown(event: &Event) -> Shown {
    (
        event.id.0,
        event.event_type.clone(),
        event.payload.clone(),
        event.headers.clone(),
        format!(
            "{:?} {:?} {:?} {:?} {} {}",
            event.state,
            event.endpoint_id,
            event.idempotency_key,
            event.keep_days,
            event.duplicate,
            event.accepted_at
        ),
    )
}

fn delivery_shown(delivery: &Delivery) -> String {
    format!("{delivery:?}")
}

/// Walks through a list from its first page to its last and back, and gives its rows. No page is
/// short before the end.
async fn walk<T, K: PartialEq + std::fmt::Debug>(
    per_page: u32,
    sort: Sort,
    read: impl AsyncFn(PageRequest) -> Page<T>,
    key: impl Fn(&T) -> K,
) -> Vec<K> {
    let mut request = PageRequest {
        sort,
        ..PageRequest::first(per_page)
    };
    let mut pages: Vec<Vec<K>> = Vec::new();
    let mut last_prev = None;
    loop {
        let page = read(request).await;
        assert!(
            page.items.len() == per_page as usize || !page.has_next,
            "a short page"
        );
        pages.push(page.items.iter().map(&key).collect());
        last_prev = page.prev_cursor.or(last_prev);
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => break,
        }
    }
    let rows = pages.len();
    let mut back = 1;
    while let Some(cursor) = last_prev {
        let request = PageRequest {
            direction: Direction::Prev,
            cursor: Some(cursor),
            ..request
        };
        let page = read(request).await;
        if page.items.is_empty() {
            break;
        }
        back += 1;
        let found: Vec<K> = page.items.iter().map(&key).collect();
        assert_eq!(found, pages[rows - back], "the way back shows the same pages");
        last_prev = page.has_prev.then_some(page.prev_cursor).flatten();
    }
    pages.into_iter().flatten().collect()
}

pub(crate) async fn events(world: &World, filter: &EventFilter, per_page: u32, sort: Sort) -> Vec<Shown> {
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let read = async |request| {
        services::events::list(services, &actor, project, filter, request, true)
            .await
            .expect("a page")
    };
    walk(per_page, sort, read, shown).await
}

pub(crate) async fn deliveries(
    world: &World,
    filter: &DeliveryFilter,
    per_page: u32,
    sort: Sort,
) -> Vec<String> {
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let read = async |request| {
        services::deliveries::list(services, &actor, project, filter, request)
            .await
            .expect("a page")
    };
    walk(per_page, sort, read, delivery_shown).await
}
