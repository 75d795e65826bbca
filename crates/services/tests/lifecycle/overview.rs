//! The page of partitions: what it says about leaves, days and what happens next.

use chrono::{NaiveDate, TimeDelta};
use domain::lifecycle::{KeepDays, expires_at};
use services::Error;
use services::access::Grants;
use services::partitions::view::{
    Coverage, ForecastChange, LeafQuery, LeafSort, LeafState, LeafView, Next, PartitionsView, overview,
    save_forecast,
};

use super::world::World;

async fn seen(world: &World, query: LeafQuery) -> PartitionsView {
    overview(&world.gateway.services, &world.gateway.actor(), &query)
        .await
        .expect("an overview")
}

async fn leaf(world: &World, table: &'static str, day: NaiveDate, class: i16) -> LeafView {
    let query = LeafQuery {
        table: Some(table),
        day: Some(day),
        keep_days: Some(KeepDays(class)),
        ..LeafQuery::default()
    };
    let view = seen(world, query).await;
    assert_eq!(view.found, 1, "{table} {day} k{class}");
    view.leaves.into_iter().next().expect("the leaf")
}

#[tokio::test]
async fn a_day_is_open_then_waits_then_is_backed_up_and_then_gone() {
    let mut world = World::new().await;
    world.keep(7).await;
    let day = world.today();
    world.send(3).await;
    assert_eq!(leaf(&world, "events", day, 7).await.state, LeafState::Open);

    world.next_day().await;
    let waiting = leaf(&world, "events", day, 7).await;
    assert_eq!((waiting.state, waiting.next), (LeafState::Waiting, Next::BackUp));

    world.run("backup").await;
    let copied = leaf(&world, "events", day, 7).await;
    assert_eq!((copied.state, copied.next), (LeafState::BackedUp, Next::Drop));
    assert_eq!(copied.segments, 1);
    let end = expires_at(day, KeepDays(7)).expect("ends");
    let at = copied.at.expect("a moment");
    assert!(at >= end && at < end + TimeDelta::days(1), "{at}");
    let whole = seen(&world, LeafQuery::default()).await;
    let events = whole
        .tables
        .iter()
        .find(|table| table.table == "events")
        .expect("events");
    let of_day = events.days.iter().find(|view| view.day == day).expect("the day");
    assert_eq!(of_day.coverage, Coverage::Covered);

    for _ in 0..8 {
        world.next_day().await;
    }
    world.run("backup").await;
    world.run("deletion").await;
    let gone = seen(&world, LeafQuery::default()).await;
    let name = &copied.leaf.name;
    assert!(gone.gone.iter().any(|drop| drop.leaf == *name), "{:?}", gone.gone);
    let query = LeafQuery {
        day: Some(day),
        keep_days: Some(KeepDays(7)),
        ..LeafQuery::default()
    };
    assert_eq!(seen(&world, query).await.found, 0);
}

#[tokio::test]
async fn days_ahead_are_counted_and_pages_hold_every_leaf_once() {
    let world = World::new().await;
    world.keep(7).await;
    services::partitions::keep_ahead(&world.gateway.services)
        .await
        .expect("partitions");
    let first = seen(&world, LeafQuery::default()).await;
    let wanted = world.gateway.services.options.partitions.days_ahead;
    assert_eq!(first.days_ahead, (wanted, wanted));
    assert!(first.page.1 > 1, "one page is not enough for this test");
    let mut names = Vec::new();
    for page in 1..=first.page.1 {
        let query = LeafQuery {
            page,
            sort: LeafSort::Day,
            ..LeafQuery::default()
        };
        let view = seen(&world, query).await;
        names.extend(view.leaves.into_iter().map(|view| view.leaf.name));
    }
    assert_eq!(names.len(), first.found);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), first.found, "a leaf stands on two pages");
    assert_eq!(first.totals.leaves, i64::try_from(first.found).expect("a count"));
    let beyond = LeafQuery {
        page: 999,
        ..LeafQuery::default()
    };
    assert_eq!(
        seen(&world, beyond).await.page.0,
        first.page.1,
        "the last page there is"
    );
}

#[tokio::test]
async fn what_is_entered_for_the_forecast_is_kept_and_nonsense_is_refused() {
    let world = World::new().await;
    let (services, actor) = (&world.gateway.services, world.gateway.actor());
    let change = |disk: &str, price: &str| ForecastChange {
        disk_gb: Some(disk.to_owned()),
        price: Some(price.to_owned()),
    };
    save_forecast(services, &actor, &change("500", "0,023"))
        .await
        .expect("saved");
    let forecast = seen(&world, LeafQuery::default()).await.forecast;
    assert_eq!((forecast.disk_gb, forecast.price), (Some(500.0), Some(0.023)));
    let refused = save_forecast(services, &actor, &change("much", "-1")).await;
    let Err(Error::Invalid(fields)) = refused else {
        panic!("not refused: {refused:?}");
    };
    let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(names, ["disk_gb", "price"]);
    save_forecast(services, &actor, &change("", ""))
        .await
        .expect("saved");
    let forecast = seen(&world, LeafQuery::default()).await.forecast;
    assert_eq!((forecast.disk_gb, forecast.price), (None, None));
}

#[tokio::test]
async fn only_instance_admins_see_partitions() {
    let world = World::new().await;
    let mut actor = world.gateway.actor();
    actor.grants = Grants::Projects(Vec::new());
    let seen = overview(&world.gateway.services, &actor, &LeafQuery::default()).await;
    assert!(matches!(seen, Err(Error::Forbidden(_))));
}
