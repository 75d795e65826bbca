//! Failures: retried, then dead, listed, redriven and deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::clock::SystemClock;
use queue::{Entry, Failure, Payload, PayloadError, Redrive, run_worker};
use tokio_util::sync::CancellationToken;

use crate::common::{Fixture, Running, drained, eventually, quick, saw, text};

#[tokio::test]
async fn a_failing_entry_is_retried_until_it_succeeds() {
    let fixture = Fixture::new();
    let worker = Running::with(&fixture.queue, quick("w"), |entry| async move {
        if entry.attempts < 3 {
            Err(Failure::retry("not yet"))
        } else {
            Ok(())
        }
    });
    fixture.queue.push(text(1)).await.expect("pushed");
    saw(&worker.seen, 4).await;
    drained(&fixture.queue).await;
    let attempts: Vec<u32> = worker
        .stop()
        .await
        .entries()
        .iter()
        .map(|entry| entry.attempts)
        .collect();
    assert_eq!(attempts, [0, 1, 2, 3]);
    assert_eq!(fixture.queue.stats().await.expect("stats").dead, 0);
}

#[tokio::test]
async fn an_entry_that_keeps_failing_is_dead_after_its_last_attempt() {
    let fixture = Fixture::new();
    let mut options = quick("w");
    options.max_attempts = 3;
    let worker = Running::with(&fixture.queue, options, |_| async {
        Err(Failure::retry("still broken"))
    });
    fixture
        .queue
        .push(Bytes::from_static(b"hopeless"))
        .await
        .expect("pushed");
    eventually("it is dead", || async {
        fixture.queue.stats().await.expect("stats").dead == 1
    })
    .await;
    drained(&fixture.queue).await;
    assert_eq!(worker.stop().await.len(), 3);
    let dead = fixture.queue.dead_list(10, None).await.expect("listed");
    assert_eq!(dead.len(), 1);
    assert_eq!(&dead[0].payload[..], b"hopeless");
    assert_eq!((dead[0].reason.as_str(), dead[0].attempts), ("still broken", 3));
    assert!(dead[0].stream_id.is_some() && dead[0].died_at.timestamp() > 0);
}

#[tokio::test]
async fn a_permanent_failure_is_dead_at_once() {
    let fixture = Fixture::new();
    let worker = Running::with(&fixture.queue, quick("w"), |_| async {
        Err(Failure::permanent("no such thing"))
    });
    fixture.queue.push(text(1)).await.expect("pushed");
    eventually("it is dead", || async {
        fixture.queue.stats().await.expect("stats").dead == 1
    })
    .await;
    assert_eq!(worker.stop().await.len(), 1);
    assert_eq!(
        fixture.queue.dead_list(1, None).await.expect("listed")[0].attempts,
        1
    );
}

#[tokio::test]
async fn a_handler_can_choose_when_its_entry_comes_back() {
    let fixture = Fixture::new();
    let mut options = quick("w");
    // With the usual back-off the entry would not come back within this test.
    options.backoff = queue::Backoff::new(Duration::from_hours(1), Duration::from_hours(1));
    let worker = Running::with(&fixture.queue, options, |entry| async move {
        if entry.attempts == 0 {
            Err(Failure::retry_after("soon", Duration::from_millis(1)))
        } else {
            Ok(())
        }
    });
    fixture.queue.push(text(1)).await.expect("pushed");
    saw(&worker.seen, 2).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_panic_counts_as_a_failure_and_the_worker_goes_on() {
    let fixture = Fixture::new();
    let mut options = quick("w");
    options.max_attempts = 2;
    let worker = Running::with(&fixture.queue, options, |entry| {
        // Before the first await, where no future exists yet.
        assert!(entry.payload != "bad", "cannot stand this");
        async { Ok(()) }
    });
    fixture
        .queue
        .push_many(["bad", "good"].map(Bytes::from))
        .await
        .expect("pushed");
    eventually("it is dead", || async {
        fixture.queue.stats().await.expect("stats").dead == 1
    })
    .await;
    fixture
        .queue
        .push(Bytes::from_static(b"later"))
        .await
        .expect("pushed");
    saw(&worker.seen, 4).await;
    drained(&fixture.queue).await;
    worker.stop().await;
    let dead = fixture.queue.dead_list(1, None).await.expect("listed");
    assert!(dead[0].reason.contains("cannot stand this"), "{}", dead[0].reason);
}

#[derive(Debug)]
struct Number(u64);

impl Payload for Number {
    fn encode(&self) -> Bytes {
        Bytes::from(self.0.to_string())
    }

    fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
        let text = std::str::from_utf8(&bytes).map_err(|error| PayloadError(error.to_string()))?;
        text.parse()
            .map(Self)
            .map_err(|_| PayloadError(format!("{text:?} is no number")))
    }
}

#[tokio::test]
async fn undecodable_entries_are_dead_with_their_reason_and_the_others_are_handled() {
    let fixture = Fixture::new();
    let (sum, stop) = (
        Arc::new(std::sync::atomic::AtomicU64::new(0)),
        CancellationToken::new(),
    );
    let (queue, total, token) = (fixture.queue.clone(), Arc::clone(&sum), stop.clone());
    let worker = tokio::spawn(async move {
        let handle = move |entry: Entry<Number>| {
            total.fetch_add(entry.payload.0, Ordering::SeqCst);
            async { Ok::<(), Failure>(()) }
        };
        run_worker(&queue, quick("w"), handle, token).await;
    });
    let payloads = [
        Number(1).encode(),
        Bytes::from_static(b"x"),
        Number(2).encode(),
        Bytes::from_static(b"\xff"),
    ];
    fixture.queue.push_many(payloads).await.expect("pushed");
    // Not even a payload: written by something else.
    let mut strange = redis::cmd("XADD");
    strange
        .arg(fixture.key("stream"))
        .arg("*")
        .arg("colour")
        .arg("red");
    fixture.redis.query::<()>(&strange).await.expect("added");
    eventually("three are dead", || async {
        fixture.queue.stats().await.expect("stats").dead == 3
    })
    .await;
    drained(&fixture.queue).await;
    stop.cancel();
    worker.await.expect("no panic");
    assert_eq!(sum.load(Ordering::SeqCst), 3);
    let dead = fixture.queue.dead_list(10, None).await.expect("listed");
    let texts: Vec<&[u8]> = dead.iter().rev().map(|entry| &entry.payload[..]).collect();
    assert_eq!(texts, [&b"x"[..], b"\xff", b""]);
    assert!(dead[2].reason.contains("is no number"), "{}", dead[2].reason);
}

#[tokio::test]
async fn redriven_entries_are_handled_again_with_no_attempt_counted() {
    let fixture = Fixture::new();
    let mended = Arc::new(AtomicBool::new(false));
    let works = Arc::clone(&mended);
    let worker = Running::with(&fixture.queue, quick("w"), move |_| {
        let works = works.load(Ordering::SeqCst);
        async move {
            if works {
                Ok(())
            } else {
                Err(Failure::permanent("down"))
            }
        }
    });
    fixture
        .queue
        .push_many((0..1200).map(text))
        .await
        .expect("pushed");
    eventually("all are dead", || async {
        fixture.queue.stats().await.expect("stats").dead == 1200
    })
    .await;
    mended.store(true, Ordering::SeqCst);

    let newest = fixture.queue.dead_list(2, None).await.expect("listed");
    let chosen: Vec<_> = newest.iter().map(|entry| entry.id).collect();
    let queue = &fixture.queue;
    assert_eq!(
        queue
            .dead_redrive(Redrive::Ids(chosen.clone()), 10)
            .await
            .expect("redriven"),
        2
    );
    assert_eq!(
        queue
            .dead_redrive(Redrive::Ids(chosen), 10)
            .await
            .expect("redriven"),
        0
    );
    assert_eq!(
        queue.dead_redrive(Redrive::All, 700).await.expect("redriven"),
        700
    );
    assert_eq!(queue.stats().await.expect("stats").dead, 498);
    assert_eq!(
        queue
            .dead_redrive(Redrive::All, usize::MAX)
            .await
            .expect("redriven"),
        498
    );
    saw(&worker.seen, 2400).await;
    drained(queue).await;
    let seen = worker.stop().await.entries();
    assert!(seen[1200..].iter().all(|entry| entry.attempts == 0));
    assert_eq!(queue.stats().await.expect("stats").dead, 0);
}

#[tokio::test]
async fn dead_entries_are_listed_in_pages_and_deleted_by_id() {
    let fixture = Fixture::new();
    let worker = Running::with(&fixture.queue, quick("w"), |_| async {
        Err(Failure::permanent("no"))
    });
    fixture.queue.push_many((0..10).map(text)).await.expect("pushed");
    eventually("all are dead", || async {
        fixture.queue.stats().await.expect("stats").dead == 10
    })
    .await;
    worker.stop().await;
    let first = fixture.queue.dead_list(6, None).await.expect("listed");
    let second = fixture
        .queue
        .dead_list(6, first.last().map(|entry| entry.id))
        .await
        .expect("listed");
    let texts: Vec<_> = first
        .iter()
        .chain(&second)
        .map(|entry| entry.payload.clone())
        .collect();
    assert_eq!(texts, (0..10).rev().map(text).collect::<Vec<_>>());
    let ids: Vec<_> = first.iter().map(|entry| entry.id).collect();
    assert_eq!(fixture.queue.dead_delete(&ids).await.expect("deleted"), 6);
    assert_eq!(fixture.queue.stats().await.expect("stats").dead, 4);
}

#[tokio::test]
async fn too_many_dead_entries_drop_the_oldest_and_are_counted() {
    let fixture = Fixture::with(|options| options.dead_limit = 4, Arc::new(SystemClock));
    let worker = Running::with(&fixture.queue, quick("w"), |_| async {
        Err(Failure::permanent("no"))
    });
    fixture.queue.push_many((0..10).map(text)).await.expect("pushed");
    drained(&fixture.queue).await;
    worker.stop().await;
    let stats = fixture.queue.stats().await.expect("stats");
    assert_eq!((stats.dead, stats.dead_trimmed), (4, 6));
    let kept: Vec<_> = fixture.queue.dead_list(10, None).await.expect("listed");
    assert_eq!(
        kept.iter().map(|entry| entry.payload.clone()).collect::<Vec<_>>(),
        [9, 8, 7, 6].map(text)
    );
}
