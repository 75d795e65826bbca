//! What happens to entries whose consumer vanishes, is stuck, is slow, or says farewell.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use queue::Failure;
use tokio::sync::{Notify, Semaphore};

use crate::common::{Fixture, Running, drained, eventually, quick, saw, text};

async fn members(fixture: &Fixture) -> u64 {
    fixture.queue.stats().await.expect("stats").consumers
}

#[tokio::test]
async fn entries_of_a_killed_consumer_are_claimed_and_its_name_is_removed() {
    let fixture = Fixture::new();
    let mut options = quick("killed");
    options.heartbeat_ttl = Duration::from_millis(300);
    let hanging = Running::with(&fixture.queue, options, |_| async {
        std::future::pending::<()>().await;
        Ok(())
    });
    fixture.queue.push_many((0..300).map(text)).await.expect("pushed");
    saw(&hanging.seen, 300).await;
    hanging.crash().await;
    let heir = Running::start(&fixture.queue, quick("heir"));
    saw(&heir.seen, 300).await;
    drained(&fixture.queue).await;
    eventually("only the heir is left", || async { members(&fixture).await == 1 }).await;
    let entries = heir.stop().await.entries();
    assert!(
        entries
            .iter()
            .all(|entry| entry.deliveries == 2 && entry.attempts == 0)
    );
    let texts: HashSet<_> = entries.iter().map(|entry| entry.payload.clone()).collect();
    assert_eq!(texts.len(), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_heirs_take_every_orphan_once() {
    let fixture = Fixture::new();
    fixture.create_group().await;
    fixture
        .queue
        .push_many((0..2000).map(text))
        .await
        .expect("pushed");
    assert_eq!(fixture.read_as("gone", 2000).await, 2000);
    let heirs: Vec<_> = (0..4)
        .map(|_| Running::start(&fixture.queue, quick("heir")))
        .collect();
    drained(&fixture.queue).await;
    let mut seen = Vec::new();
    for heir in heirs {
        seen.extend(heir.stop().await.texts());
    }
    assert_eq!(seen.len(), 2000);
    assert_eq!(seen.into_iter().collect::<HashSet<_>>().len(), 2000);
}

#[tokio::test]
async fn orphans_are_claimed_although_a_long_backlog_waits() {
    let fixture = Fixture::new();
    fixture.create_group().await;
    fixture.queue.push_many((0..100).map(text)).await.expect("pushed");
    assert_eq!(fixture.read_as("gone", 100).await, 100);
    fixture
        .queue
        .push_many((100..20_000).map(text))
        .await
        .expect("pushed");
    let gate = Arc::new(Semaphore::new(0));
    let pass = Arc::clone(&gate);
    let mut options = quick("w");
    options.max_in_flight = 50;
    let worker = Running::with(&fixture.queue, options, move |_| {
        let pass = Arc::clone(&pass);
        async move {
            pass.acquire().await.expect("open").forget();
            Ok(())
        }
    });
    saw(&worker.seen, 50).await;
    gate.add_permits(3000);
    let seen = worker.seen.clone();
    eventually("an orphan is handled", || async {
        seen.entries().iter().any(|entry| entry.deliveries == 2)
    })
    .await;
    assert!(
        fixture.queue.stats().await.expect("stats").waiting > 10_000,
        "the backlog still waits"
    );
    gate.add_permits(20_000);
    drained(&fixture.queue).await;
    let orphans = worker
        .stop()
        .await
        .entries()
        .iter()
        .filter(|entry| entry.deliveries == 2)
        .count();
    assert_eq!(orphans, 100);
}

#[tokio::test]
async fn a_slow_handler_is_not_robbed_while_a_stuck_consumer_is() {
    let fixture = Fixture::new();
    let mut options = quick("a-slow");
    options.visibility_timeout = Duration::from_millis(600);
    options.max_in_flight = 1;
    let done = Arc::new(Notify::new());
    let finish = Arc::clone(&done);
    let slow = Running::with(&fixture.queue, options.clone(), move |_| {
        let finish = Arc::clone(&finish);
        async move {
            finish.notified().await;
            Ok(())
        }
    });
    fixture.queue.push(text(1)).await.expect("pushed");
    saw(&slow.seen, 1).await;
    // Alive by its heartbeat, but its entry, younger than the slow one, is never renewed.
    fixture.beat_for("stuck").await;
    fixture.queue.push(text(2)).await.expect("pushed");
    assert_eq!(fixture.read_as("stuck", 1).await, 1);
    options.max_in_flight = 100;
    let other = Running::start(&fixture.queue, options);
    saw(&other.seen, 1).await;
    done.notify_one();
    drained(&fixture.queue).await;
    assert_eq!(other.stop().await.texts(), ["2"]);
    assert_eq!(slow.stop().await.texts(), ["1"]);
}

#[tokio::test]
async fn entries_given_to_a_consumer_that_never_arrived_are_fetched() {
    let fixture = Fixture::new();
    let mut options = quick("w");
    options.visibility_timeout = Duration::from_millis(300);
    options.max_in_flight = 1;
    let gate = Arc::new(Semaphore::new(0));
    let pass = Arc::clone(&gate);
    let worker = Running::with(&fixture.queue, options, move |_| {
        let pass = Arc::clone(&pass);
        async move {
            pass.acquire().await.expect("open").forget();
            Ok(())
        }
    });
    fixture.queue.push(text(0)).await.expect("pushed");
    saw(&worker.seen, 1).await;
    // While its one place is taken, Redis gives it more behind its back.
    fixture.queue.push_many((1..4).map(text)).await.expect("pushed");
    let name = fixture.consumer().await;
    assert_eq!(fixture.read_as(&name, 3).await, 3);
    gate.add_permits(10);
    saw(&worker.seen, 4).await;
    drained(&fixture.queue).await;
    worker.stop().await;
}

#[tokio::test]
async fn an_entry_given_out_too_often_without_outcome_is_buried() {
    let fixture = Fixture::new();
    fixture.create_group().await;
    fixture.queue.push(text(1)).await.expect("pushed");
    assert_eq!(fixture.read_as("crashed", 1).await, 1);
    let mut options = quick("w");
    options.max_deliveries = 1;
    let worker = Running::start(&fixture.queue, options);
    eventually("it is dead", || async {
        fixture.queue.stats().await.expect("stats").dead == 1
    })
    .await;
    assert_eq!(worker.stop().await.len(), 0);
    let dead = fixture.queue.dead_list(1, None).await.expect("listed");
    assert!(dead[0].reason.contains("given out 1 times"), "{}", dead[0].reason);
}

#[tokio::test]
async fn shutdown_lets_handlers_end_and_leaves_no_trace() {
    let fixture = Fixture::new();
    let gate = Arc::new(Semaphore::new(0));
    let pass = Arc::clone(&gate);
    let worker = Running::with(&fixture.queue, quick("w"), move |_| {
        let pass = Arc::clone(&pass);
        async move {
            pass.acquire().await.expect("open").forget();
            Ok(())
        }
    });
    fixture.queue.push_many((0..50).map(text)).await.expect("pushed");
    saw(&worker.seen, 50).await;
    let stopping = tokio::spawn(worker.stop());
    gate.add_permits(50);
    assert_eq!(stopping.await.expect("no panic").len(), 50);
    let stats = fixture.queue.stats().await.expect("stats");
    assert_eq!((stats.waiting, stats.in_flight, stats.consumers), (0, 0, 0));
}

#[tokio::test]
async fn shutdown_hands_back_what_does_not_end_in_time() {
    let fixture = Fixture::new();
    let mut options = quick("leaving");
    options.drain_limit = Duration::ZERO;
    options.max_in_flight = 40;
    options.concurrency = Some(10);
    // Nobody may have to wait for either of these.
    options.heartbeat_ttl = Duration::from_hours(1);
    options.visibility_timeout = Duration::from_hours(1);
    let leaving = Running::with(&fixture.queue, options, |_| async {
        std::future::pending::<()>().await;
        Ok(())
    });
    fixture.queue.push_many((0..100).map(text)).await.expect("pushed");
    saw(&leaving.seen, 10).await;
    eventually("its places are taken", || async {
        fixture.queue.stats().await.expect("stats").in_flight == 40
    })
    .await;
    assert_eq!(leaving.stop().await.len(), 10);
    assert_eq!(fixture.queue.stats().await.expect("stats").in_flight, 40);
    let mut options = quick("next");
    options.visibility_timeout = Duration::from_hours(1);
    let next = Running::start(&fixture.queue, options);
    drained(&fixture.queue).await;
    assert_eq!(next.stop().await.len(), 100);
    assert_eq!(members(&fixture).await, 0);
}

#[tokio::test]
async fn acknowledgements_of_the_last_moment_are_sent_before_the_end() {
    let fixture = Fixture::new();
    let worker = Running::with(&fixture.queue, quick("w"), |entry| async move {
        if entry.payload == "7" {
            Err(Failure::permanent("seven"))
        } else {
            Ok(())
        }
    });
    fixture.queue.push_many((0..500).map(text)).await.expect("pushed");
    saw(&worker.seen, 500).await;
    worker.stop().await;
    let stats = fixture.queue.stats().await.expect("stats");
    assert_eq!((stats.in_flight, stats.waiting, stats.dead), (0, 0, 1));
}
