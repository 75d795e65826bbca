//! Older rows follow their project's retention and holds, while deliveries go on.

use chrono::{NaiveDate, TimeDelta};
use db::partitions::LeafFilter;
use domain::clock::Clock as _;
use domain::lifecycle::{KeepDays, next_day, start_of};
use domain::state::DeliveryState;
use services::holds::NewHold;
use services::partitions::{ReclassCounts, reclass};
use services::retention::PolicyChange;
use testkit::{Gateway, Receiver, Reply};

/// Longer than rows of the class before may still be written.
const A_WHILE: TimeDelta = TimeDelta::minutes(11);

async fn keep_for(gateway: &Gateway, days: u16) {
    let change = PolicyChange {
        on: Some(true),
        days: Some(days.to_string()),
        ..PolicyChange::default()
    };
    services::retention::save(
        &gateway.services,
        &gateway.actor(),
        gateway.project,
        &change,
        Some("Checkout"),
    )
    .await
    .expect("saved");
}

/// Rows of all hot tables on a day, per keep class that has some.
async fn classes(gateway: &Gateway, day: NaiveDate) -> Vec<(i16, i64)> {
    let filter = LeafFilter {
        from: Some(day),
        to: Some(day),
        count: true,
        ..LeafFilter::default()
    };
    let leaves = db::partitions::leaves(&gateway.services.db, &filter)
        .await
        .expect("listed");
    let mut rows = std::collections::BTreeMap::new();
    for leaf in leaves {
        assert!(leaf.counted);
        *rows.entry(leaf.keep_days.expect("a class").0).or_insert(0) += leaf.rows;
    }
    rows.into_iter().filter(|(_, n)| *n > 0).collect()
}

fn today(gateway: &Gateway) -> NaiveDate {
    gateway.services.clock.now().date_naive()
}

async fn run(gateway: &Gateway) -> ReclassCounts {
    reclass(&gateway.services).await.expect("a run")
}

/// Days pass, and the days of the new present are there.
async fn pass_days(gateway: &Gateway, days: i64) {
    gateway.pass(TimeDelta::days(days));
    services::partitions::keep_ahead(&gateway.services)
        .await
        .expect("days");
}

async fn is_finished(gateway: &Gateway) -> bool {
    let retention = services::retention::get(&gateway.services, &gateway.actor(), gateway.project).await;
    retention.expect("a policy").reclass_since.is_none()
}

#[tokio::test]
async fn older_rows_follow_a_shorter_and_a_longer_retention_in_the_next_run() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    keep_for(&gateway, 30).await;
    let first_day = today(&gateway);
    for _ in 0..3 {
        let event = gateway.send(endpoint, "{}").await;
        gateway.wait_for(event, DeliveryState::Success).await;
    }
    assert_eq!(classes(&gateway, first_day).await, [(30, 9)]);

    pass_days(&gateway, 10).await;
    keep_for(&gateway, 7).await;
    let event = gateway.send(endpoint, "{}").await;
    gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!(
        classes(&gateway, today(&gateway)).await,
        [(7, 3)],
        "new rows at once"
    );
    let counts = run(&gateway).await;
    assert_eq!((counts.projects, counts.finished), (1, 0));
    assert_eq!((counts.moved.events, counts.moved.event_deliveries), (3, 3));
    assert_eq!(counts.moved.delivery_attempts, 3);
    assert_eq!(classes(&gateway, first_day).await, [(7, 9)]);

    keep_for(&gateway, 30).await;
    run(&gateway).await;
    assert_eq!(classes(&gateway, first_day).await, [(30, 9)]);
    assert_eq!(classes(&gateway, today(&gateway)).await, [(30, 3)]);
}

#[tokio::test]
async fn a_project_is_finished_by_a_clean_pass_after_the_last_straggler() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    let event = gateway.send(endpoint, "{}").await;
    gateway.wait_for(event, DeliveryState::Success).await;
    keep_for(&gateway, 7).await;
    assert_eq!(run(&gateway).await.moved.events, 1);
    assert_eq!(
        run(&gateway).await.finished,
        0,
        "rows of the class before may still come"
    );
    gateway.pass(A_WHILE);
    let counts = run(&gateway).await;
    assert_eq!((counts.projects, counts.finished, counts.moved.events), (1, 1, 0));
    assert!(is_finished(&gateway).await);
    assert_eq!(run(&gateway).await, ReclassCounts::default());
}

#[tokio::test]
async fn events_that_arrive_meanwhile_are_in_the_right_class_in_the_end() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    keep_for(&gateway, 30).await;
    let day = today(&gateway);
    let mut events = Vec::new();
    for n in 0..60 {
        events.push(gateway.send(endpoint, "{}").await);
        match n {
            20 => keep_for(&gateway, 7).await,
            30 | 45 => {
                run(&gateway).await;
            }
            _ => {}
        }
    }
    for event in events {
        gateway.wait_for(event, DeliveryState::Success).await;
    }
    run(&gateway).await;
    assert_eq!(classes(&gateway, day).await, [(7, 180)]);
}

#[tokio::test]
async fn deliveries_that_are_retried_while_their_rows_move_end_as_they_should() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    keep_for(&gateway, 30).await;
    let day = today(&gateway);
    receiver.reply((0..40).map(|_| Reply::Status(500)));
    let mut events = Vec::new();
    for _ in 0..40 {
        events.push(gateway.send(endpoint, "{}").await);
    }
    for event in &events {
        gateway.wait_for(*event, DeliveryState::Retry).await;
    }
    // All of them come due at once; their rows go to and fro meanwhile.
    gateway.pass(TimeDelta::seconds(61));
    for days in [7, 30, 7, 30, 7] {
        keep_for(&gateway, days).await;
        run(&gateway).await;
    }
    for event in &events {
        let delivery = gateway.wait_for(*event, DeliveryState::Success).await;
        assert_eq!(delivery.attempts, 2);
    }
    run(&gateway).await;
    assert_eq!(
        classes(&gateway, day).await,
        [(7, 40 * 4)],
        "one event, one delivery, two attempts each"
    );
}

#[tokio::test]
async fn rows_under_a_hold_are_kept_for_ever_until_it_is_released() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    keep_for(&gateway, 7).await;
    let day = next_day(today(&gateway));
    let start = start_of(day);
    gateway.clock.set(start + TimeDelta::hours(10));
    let mut events = vec![gateway.send(endpoint, "{}").await];
    gateway.clock.set(start + TimeDelta::hours(14));
    events.push(gateway.send(endpoint, "{}").await);
    for event in events {
        gateway.wait_for(event, DeliveryState::Success).await;
    }
    let hold = NewHold {
        name: "audit".to_owned(),
        from: start + TimeDelta::hours(9),
        to: start + TimeDelta::hours(12),
    };
    let (services, actor) = (&gateway.services, gateway.actor());
    let hold = services::holds::place(services, &actor, gateway.project, hold)
        .await
        .expect("placed");
    run(&gateway).await;
    assert_eq!(classes(&gateway, day).await, [(0, 3), (7, 3)]);

    // Another retention moves what is not held, and only that.
    keep_for(&gateway, 30).await;
    run(&gateway).await;
    assert_eq!(classes(&gateway, day).await, [(0, 3), (30, 3)]);

    services::holds::release(services, &actor, gateway.project, hold.id)
        .await
        .expect("released");
    run(&gateway).await;
    assert_eq!(classes(&gateway, day).await, [(30, 6)]);
}

#[tokio::test]
async fn rows_that_nobody_prepared_a_day_for_are_brought_home_and_moved() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    gateway.pass(TimeDelta::days(40));
    let day = today(&gateway);
    let event = gateway.send(endpoint, "{}").await;
    gateway.wait_for(event, DeliveryState::Success).await;
    keep_for(&gateway, 30).await;
    run(&gateway).await;
    assert_eq!(classes(&gateway, day).await, [(30, 3)]);
    let in_use = db::partitions::classes(&gateway.services.db)
        .await
        .expect("classes");
    assert_eq!(in_use, [KeepDays(0), KeepDays(30)]);
}
