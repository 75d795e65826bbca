//! Lists, counts and searches say the same before, while and after rows leave PostgreSQL.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::lifecycle::start_of;
use domain::state::{DeliveryState, EventState};
use serde_json::json;
use services::archive::Tier;
use services::deliveries::DeliveryFilter;
use services::events::EventFilter;
use services::page::{PageRequest, Sort};

use crate::walks::{self, Shown};
use crate::world::World;

fn event_filters(world: &World) -> Vec<EventFilter> {
    let all = EventFilter::default();
    let middle = start_of(world.sent[world.sent.len() / 2].id.day());
    let sent_at = world.sent[7].id.instant();
    vec![
        EventFilter {
            event_type: Some("invoice.paid".to_owned()),
            ..all.clone()
        },
        EventFilter {
            event_type: Some("nothing.such".to_owned()),
            ..all.clone()
        },
        EventFilter {
            idempotency_key: Some("key-0-4".to_owned()),
            ..all.clone()
        },
        EventFilter {
            endpoints: vec![world.bad],
            ..all.clone()
        },
        EventFilter {
            endpoints: vec![world.good],
            event_type: Some("order.created".to_owned()),
            states: vec![EventState::Success],
            ..all.clone()
        },
        EventFilter {
            states: vec![EventState::Failure],
            ..all.clone()
        },
        EventFilter {
            query: Some("zwölf 3".to_owned()),
            ..all.clone()
        },
        EventFilter {
            query: Some(world.sent[1].id.to_string()),
            ..all.clone()
        },
        EventFilter {
            body: Some(json!({"n": 3, "x": 1.5})),
            ..all.clone()
        },
        EventFilter {
            from: Some(middle - TimeDelta::hours(30)),
            to: Some(middle + TimeDelta::hours(30)),
            ..all.clone()
        },
        EventFilter {
            from: Some(sent_at),
            to: Some(sent_at),
            ..all
        },
    ]
}

fn delivery_filters(world: &World) -> Vec<DeliveryFilter> {
    let all = DeliveryFilter::default();
    vec![
        DeliveryFilter {
            states: vec![DeliveryState::Failure],
            ..all.clone()
        },
        DeliveryFilter {
            endpoints: vec![world.bad],
            event_type: Some("invoice.paid".to_owned()),
            ..all.clone()
        },
        DeliveryFilter {
            event_id: Some(world.sent[2].id),
            ..all.clone()
        },
        DeliveryFilter {
            idempotency_key: Some("key-0-8".to_owned()),
            ..all.clone()
        },
        DeliveryFilter {
            idempotency_key: Some("no such key".to_owned()),
            ..all.clone()
        },
        DeliveryFilter {
            to: Some(world.sent[5].id.instant()),
            ..all
        },
    ]
}

/// What lists, counts and totals say.
#[derive(Debug, PartialEq)]
struct Picture {
    events: Vec<Vec<Shown>>,
    deliveries: Vec<Vec<String>>,
    counts: Vec<i64>,
    totals: BTreeMap<&'static str, i64>,
}

async fn picture(world: &World) -> Picture {
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let all = EventFilter::default();
    let mut events = vec![
        walks::events(world, &all, 100, Sort::Desc).await,
        walks::events(world, &all, 7, Sort::Asc).await,
        walks::events(world, &all, 7, Sort::Desc).await,
        walks::events(world, &all, 1, Sort::Desc).await,
    ];
    let mut counts = vec![
        services::events::count(services, &actor, project, &all)
            .await
            .expect("counted"),
    ];
    for filter in event_filters(world) {
        events.push(walks::events(world, &filter, 7, Sort::Desc).await);
        events.push(walks::events(world, &filter, 100, Sort::Asc).await);
        counts.push(
            services::events::count(services, &actor, project, &filter)
                .await
                .expect("counted"),
        );
    }
    let all = DeliveryFilter::default();
    let mut deliveries = vec![
        walks::deliveries(world, &all, 100, Sort::Desc).await,
        walks::deliveries(world, &all, 7, Sort::Asc).await,
    ];
    for filter in delivery_filters(world) {
        deliveries.push(walks::deliveries(world, &filter, 7, Sort::Desc).await);
    }
    let totals = services::deliveries::totals(services, &actor, project, &all).await;
    Picture {
        events,
        deliveries,
        counts,
        totals: totals.expect("counted"),
    }
}

#[tokio::test]
async fn rows_and_bytes_are_the_same_before_while_and_after_they_leave() {
    let mut world = World::new().await;
    world.days(4, 15).await;
    let before = picture(&world).await;
    assert_eq!(before.events[0].len(), 60);
    for (sent, shown) in world.sent.iter().rev().zip(&before.events[0]) {
        assert_eq!((shown.0, &shown.2), (sent.id.0, &sent.data));
    }
    assert_eq!(before.counts[0], 60);
    for (filter, found) in event_filters(&world).iter().zip(&before.counts[1..]) {
        let nothing = filter.event_type.as_deref() == Some("nothing.such");
        let nothing = nothing || filter.states == [EventState::Failure];
        assert_eq!(*found == 0, nothing, "{filter:?}");
    }

    world.run("backup").await;
    assert_eq!(picture(&world).await, before, "copied");
    world.turn_cold().await;
    assert_eq!(picture(&world).await, before, "cold, and still in PostgreSQL");
    world.archive().await;
    let hot = futures::future::join_all(world.sent.iter().map(|sent| world.is_hot(sent.id))).await;
    assert!(hot.contains(&true) && hot.contains(&false), "some have left");
    assert_eq!(picture(&world).await, before, "in the archive");
    for _ in 0..2 {
        world.next_day().await;
    }
    world.archive().await;
    assert!(!world.is_hot(world.sent[59].id).await);
    assert_eq!(picture(&world).await, before, "all in the archive");
}

#[tokio::test]
async fn a_day_of_which_only_some_rows_left_is_one_list() {
    let mut world = World::new().await;
    world.day(0, 24).await;
    let (services, actor) = (&world.gateway.services, world.gateway.actor());
    // Held rows go to another leaf, which stays.
    let hold = services::holds::NewHold {
        name: "case 7".to_owned(),
        from: world.sent[8].id.instant(),
        to: world.sent[16].id.instant(),
    };
    let before = picture(&world).await;
    services::holds::place(services, &actor, world.gateway.project, hold)
        .await
        .expect("placed");
    world.run("reclass").await;
    for _ in 0..2 {
        world.next_day().await;
    }
    world.archive().await;
    assert!(world.is_hot(world.sent[8].id).await && !world.is_hot(world.sent[0].id).await);
    let after = picture(&world).await;
    // The class of the held rows is another one by now.
    let rows = |picture: &Picture| -> Vec<Vec<(uuid::Uuid, String)>> {
        let rows = |list: &Vec<Shown>| list.iter().map(|shown| (shown.0, shown.2.clone())).collect();
        picture.events.iter().map(rows).collect()
    };
    assert_eq!(rows(&after), rows(&before));
    assert_eq!((&after.counts, &after.totals), (&before.counts, &before.totals));
    let lengths = |picture: &Picture| -> Vec<usize> { picture.deliveries.iter().map(Vec::len).collect() };
    assert_eq!(lengths(&after), lengths(&before));
}

#[tokio::test]
async fn a_page_says_where_its_rows_came_from() {
    let mut world = World::new().await;
    world.days(3, 6).await;
    world.archive().await;
    let (services, actor, project) = (
        &world.gateway.services,
        world.gateway.actor(),
        world.gateway.project,
    );
    let read = async |per_page, sort| {
        let request = PageRequest {
            sort,
            ..PageRequest::first(per_page)
        };
        let filter = EventFilter::default();
        services::events::read_list(services, &actor, project, &filter, request, false)
            .await
            .expect("a page")
    };
    let newest = read(3, Sort::Desc).await;
    assert_eq!((newest.tier(), newest.cost.is_archive()), (Tier::Hot, false));
    let oldest = read(3, Sort::Asc).await;
    assert_eq!(oldest.tier(), Tier::Archive);
    assert!(oldest.cost.requests > 0 && oldest.cost.bytes > 0);
    assert!(
        oldest.data.items.iter().all(|event| event.payload.is_empty()),
        "nobody asked for payloads"
    );
    assert_eq!(read(100, Sort::Desc).await.tier(), Tier::Mixed);
}
