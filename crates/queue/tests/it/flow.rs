//! The plain way of an entry, its bounds and its figures.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::clock::SystemClock;
use queue::{QueueError, QueueStats};
use tokio::sync::Semaphore;

use crate::common::{Fixture, Running, drained, eventually, quick, saw, text};

#[tokio::test]
async fn pushed_entries_are_handled_once_and_leave_nothing_behind() {
    let fixture = Fixture::new();
    let worker = Running::start(&fixture.queue, quick("w"));
    for number in 0..100 {
        fixture.queue.push(text(number)).await.expect("pushed");
    }
    fixture
        .queue
        .push_many((100..2000).map(text))
        .await
        .expect("pushed");
    saw(&worker.seen, 2000).await;
    drained(&fixture.queue).await;
    let seen = worker.stop().await;
    assert_eq!(
        seen.texts(),
        (0..2000).map(|number| number.to_string()).collect::<Vec<_>>()
    );
    assert!(
        seen.entries()
            .iter()
            .all(|entry| entry.attempts == 0 && entry.deliveries == 1)
    );
    let stats = fixture.queue.stats().await.expect("stats");
    assert_eq!(stats, QueueStats::default());
}

#[tokio::test]
async fn concurrent_pushes_are_each_confirmed() {
    let fixture = Fixture::new();
    let pushes = (0..3000).map(|number| {
        let queue = fixture.queue.clone();
        tokio::spawn(async move { queue.push(text(number)).await })
    });
    for push in pushes.collect::<Vec<_>>() {
        push.await.expect("no panic").expect("pushed");
    }
    assert_eq!(fixture.queue.stats().await.expect("stats").waiting, 3000);
}

#[tokio::test]
async fn payloads_may_hold_any_bytes_and_be_large_or_empty() {
    let fixture = Fixture::new();
    let worker = Running::start(&fixture.queue, quick("w"));
    let payloads = [
        Bytes::new(),
        Bytes::from_static(b"\0\xff\r\n"),
        Bytes::from(vec![7; 5 << 20]),
    ];
    fixture.queue.push_many(payloads.clone()).await.expect("pushed");
    saw(&worker.seen, 3).await;
    let seen: Vec<Bytes> = worker
        .stop()
        .await
        .entries()
        .into_iter()
        .map(|entry| entry.payload)
        .collect();
    assert!(seen == payloads);
}

#[tokio::test]
async fn entries_pushed_before_the_first_worker_are_handled() {
    let fixture = Fixture::new();
    fixture.queue.push_many((0..500).map(text)).await.expect("pushed");
    let before = fixture.queue.stats().await.expect("stats");
    assert_eq!((before.waiting, before.consumers), (500, 0));
    let worker = Running::start(&fixture.queue, quick("w"));
    saw(&worker.seen, 500).await;
    worker.stop().await;
}

#[tokio::test]
async fn two_workers_share_the_entries() {
    let fixture = Fixture::new();
    let mut options = quick("w");
    options.max_in_flight = 16;
    let first = Running::start(&fixture.queue, options.clone());
    let second = Running::start(&fixture.queue, options);
    fixture
        .queue
        .push_many((0..5000).map(text))
        .await
        .expect("pushed");
    drained(&fixture.queue).await;
    let (first, second) = (first.stop().await, second.stop().await);
    assert!(first.len() > 0 && second.len() > 0);
    let all: HashSet<String> = first.texts().into_iter().chain(second.texts()).collect();
    assert_eq!((all.len(), first.len() + second.len()), (5000, 5000));
}

#[tokio::test]
async fn no_more_is_read_than_there_are_free_places() {
    let fixture = Fixture::new();
    let mut options = quick("w");
    options.max_in_flight = 10;
    let gate = Arc::new(Semaphore::new(0));
    let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (pass, now, most) = (Arc::clone(&gate), Arc::clone(&running), Arc::clone(&peak));
    let worker = Running::with(&fixture.queue, options, move |_| {
        let (pass, now, most) = (Arc::clone(&pass), Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            pass.acquire().await.expect("open").forget();
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    fixture
        .queue
        .push_many((0..1000).map(text))
        .await
        .expect("pushed");
    eventually("ten handlers run", || async {
        running.load(Ordering::SeqCst) == 10
    })
    .await;
    let stats = fixture.queue.stats().await.expect("stats");
    assert_eq!((stats.in_flight, stats.waiting), (10, 990));
    gate.add_permits(1000);
    drained(&fixture.queue).await;
    assert_eq!(worker.stop().await.len(), 1000);
    assert_eq!(peak.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn concurrency_bounds_the_handlers_below_what_was_read() {
    let fixture = Fixture::new();
    let mut options = quick("w");
    options.concurrency = Some(3);
    let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, most) = (Arc::clone(&running), Arc::clone(&peak));
    let worker = Running::with(&fixture.queue, options, move |_| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    fixture.queue.push_many((0..300).map(text)).await.expect("pushed");
    drained(&fixture.queue).await;
    assert_eq!(worker.stop().await.len(), 300);
    assert_eq!(peak.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_full_queue_refuses_and_accepts_again_when_drained() {
    let fixture = Fixture::with(|options| options.max_len = Some(10), Arc::new(SystemClock));
    let outcome = fixture.queue.push_many((0..15).map(text)).await;
    assert!(matches!(outcome, Err(QueueError::Full(_))), "{outcome:?}");
    assert_eq!(fixture.queue.stats().await.expect("stats").waiting, 10);
    let outcome = fixture.queue.push(text(99)).await;
    assert!(matches!(outcome, Err(QueueError::Full(_))), "{outcome:?}");
    let worker = Running::start(&fixture.queue, quick("w"));
    drained(&fixture.queue).await;
    eventually("pushes are accepted again", || async {
        fixture.queue.push(text(100)).await.is_ok()
    })
    .await;
    saw(&worker.seen, 11).await;
    worker.stop().await;
}

#[tokio::test]
async fn delayed_entries_count_towards_the_length() {
    let fixture = Fixture::with(|options| options.max_len = Some(5), Arc::new(SystemClock));
    let due = chrono::DateTime::<chrono::Utc>::MAX_UTC;
    fixture
        .queue
        .push_at_many((0..5).map(|number| (due, text(number))))
        .await
        .expect("pushed");
    let outcome = fixture.queue.push(text(9)).await;
    assert!(matches!(outcome, Err(QueueError::Full(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_push_that_too_few_replicas_confirmed_says_so() {
    let change = |options: &mut queue::QueueOptions| {
        options.wait_replicas = 1;
        options.wait_timeout = Duration::from_millis(20);
    };
    let fixture = Fixture::with(change, Arc::new(SystemClock));
    let outcome = fixture.queue.push(text(1)).await;
    assert!(
        matches!(
            outcome,
            Err(QueueError::NotReplicated {
                wanted: 1,
                reached: 0
            })
        ),
        "{outcome:?}"
    );
    assert_eq!(fixture.queue.stats().await.expect("stats").waiting, 1);
}

#[tokio::test]
async fn stats_tell_how_long_the_oldest_waits() {
    let fixture = Fixture::new();
    fixture.queue.push(text(1)).await.expect("pushed");
    eventually("the oldest has an age", || async {
        fixture.queue.stats().await.expect("stats").oldest_waiting_ms > 0
    })
    .await;
}
