//! Delayed entries and their promotion.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use domain::clock::{Clock, DevClock};

use crate::common::{Fixture, Running, drained, quick, saw, text};

fn clock() -> Arc<DevClock> {
    Arc::new(DevClock::starting_at(
        DateTime::from_timestamp(2_000_000_000, 0).expect("a time"),
    ))
}

#[tokio::test]
async fn an_entry_is_handed_out_only_once_it_is_due() {
    let clock = clock();
    let fixture = Fixture::with_clock(&clock);
    let worker = Running::start(&fixture.queue, quick("w"));
    let start = clock.now();
    fixture
        .queue
        .push_at(start + TimeDelta::days(30), text(2))
        .await
        .expect("pushed");
    fixture
        .queue
        .push_at(start + TimeDelta::days(1), text(1))
        .await
        .expect("pushed");
    // Handled although it was pushed last: what came before is not due.
    fixture.queue.push(text(0)).await.expect("pushed");
    saw(&worker.seen, 1).await;
    clock.set(start + TimeDelta::days(2));
    saw(&worker.seen, 2).await;
    assert_eq!(fixture.queue.stats().await.expect("stats").delayed, 1);
    clock.set(start + TimeDelta::days(31));
    saw(&worker.seen, 3).await;
    assert_eq!(worker.stop().await.texts(), ["0", "1", "2"]);
}

#[tokio::test]
async fn equal_payloads_with_equal_due_times_are_all_kept() {
    let clock = clock();
    let fixture = Fixture::with_clock(&clock);
    let due = clock.now() + TimeDelta::hours(1);
    fixture
        .queue
        .push_at_many((0..200).map(|_| (due, Bytes::from_static(b"same"))))
        .await
        .expect("pushed");
    assert_eq!(fixture.queue.stats().await.expect("stats").delayed, 200);
    clock.set(due);
    let worker = Running::start(&fixture.queue, quick("w"));
    saw(&worker.seen, 200).await;
    drained(&fixture.queue).await;
    assert_eq!(worker.stop().await.len(), 200);
}

#[tokio::test]
async fn twenty_thousand_due_at_once_are_promoted_in_order_of_due_time_and_age() {
    let clock = clock();
    let fixture = Fixture::with_clock(&clock);
    let due = clock.now() + TimeDelta::hours(1);
    // Two due times, pushed newest first.
    let late = due + TimeDelta::milliseconds(1);
    fixture
        .queue
        .push_at_many((10_000..20_000).map(|number| (late, text(number))))
        .await
        .expect("pushed");
    fixture
        .queue
        .push_at_many((0..10_000).map(|number| (due, text(number))))
        .await
        .expect("pushed");
    assert_eq!(fixture.queue.stats().await.expect("stats").delayed, 20_000);
    let worker = Running::start(&fixture.queue, quick("w"));
    clock.set(late);
    saw(&worker.seen, 20_000).await;
    drained(&fixture.queue).await;
    let seen = worker.stop().await.texts();
    assert_eq!(
        seen,
        (0..20_000).map(|number| number.to_string()).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn several_promoters_neither_lose_nor_double() {
    let clock = clock();
    let fixture = Fixture::with_clock(&clock);
    let due: DateTime<Utc> = clock.now() - TimeDelta::hours(1);
    let workers: Vec<_> = (0..4)
        .map(|_| Running::start(&fixture.queue, quick("w")))
        .collect();
    fixture
        .queue
        .push_at_many((0..10_000).map(|number| (due, text(number))))
        .await
        .expect("pushed");
    drained(&fixture.queue).await;
    let mut seen = Vec::new();
    for worker in workers {
        seen.extend(worker.stop().await.texts());
    }
    assert_eq!(seen.len(), 10_000);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>().len(), 10_000);
}
