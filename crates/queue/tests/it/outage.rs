//! Redis emptied, killed, full, or cutting connections: nothing confirmed is lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use queue::{Failure, Queue, QueueError};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::common::{Fixture, PrivateRedis, Running, drained, eventually, quick, saw, text};

#[tokio::test]
async fn an_emptied_redis_is_joined_again_without_a_restart() {
    let server = PrivateRedis::start(&[]);
    let fixture = Fixture::on(&server, |_| {});
    let worker = Running::start(&fixture.queue, quick("w"));
    for round in 1..=3 {
        fixture.queue.push(text(round)).await.expect("pushed");
        saw(&worker.seen, round).await;
        fixture
            .redis
            .query::<()>(redis::cmd("FLUSHALL").arg("SYNC"))
            .await
            .expect("emptied");
        fixture
            .redis
            .query::<()>(redis::cmd("SCRIPT").arg("FLUSH"))
            .await
            .expect("emptied");
    }
    let due = chrono::DateTime::UNIX_EPOCH;
    fixture.queue.push_at(due, text(4)).await.expect("pushed");
    saw(&worker.seen, 4).await;
    drained(&fixture.queue).await;
    assert_eq!(worker.stop().await.texts(), ["1", "2", "3", "4"]);
}

/// Pushes numbers one after the other until told to stop; gives back those that were confirmed.
fn pusher(queue: Queue, first: usize, enough: Arc<AtomicBool>) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut confirmed = Vec::new();
        let mut number = first;
        while !enough.load(Ordering::SeqCst) {
            match queue.push(text(number)).await {
                Ok(()) => confirmed.push(number.to_string()),
                Err(error) => {
                    assert!(error.is_transient(), "{error}");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            number += 1;
        }
        confirmed
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_confirmed_push_is_handled_although_redis_is_killed_meanwhile() {
    let mut server = PrivateRedis::start(&["--appendonly", "yes"]);
    let fixture = Fixture::on(&server, |_| {});
    let worker = Running::start(&fixture.queue, quick("w"));
    let enough = Arc::new(AtomicBool::new(false));
    let pushers: Vec<_> = (0..8)
        .map(|lane| pusher(fixture.queue.clone(), lane * 10_000_000, Arc::clone(&enough)))
        .collect();
    for _ in 0..3 {
        let before = worker.seen.len();
        saw(&worker.seen, before + 1000).await;
        server.kill();
        let outcome = fixture.queue.push(text(99)).await;
        assert!(matches!(outcome, Err(QueueError::Unavailable(_))), "{outcome:?}");
        server.resume();
    }
    let before = worker.seen.len();
    saw(&worker.seen, before + 1000).await;
    enough.store(true, Ordering::SeqCst);
    let mut confirmed = Vec::new();
    for pusher in pushers {
        confirmed.extend(pusher.await.expect("only transient errors"));
    }
    drained(&fixture.queue).await;
    let handled: HashSet<String> = worker.stop().await.texts().into_iter().collect();
    let lost: Vec<_> = confirmed
        .iter()
        .filter(|number| !handled.contains(*number))
        .collect();
    assert!(
        confirmed.len() > 3000 && lost.is_empty(),
        "{} of {} lost",
        lost.len(),
        confirmed.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_connections_are_cut_again_and_again() {
    let server = PrivateRedis::start(&[]);
    let fixture = Fixture::on(&server, |_| {});
    let mut options = quick("w");
    options.max_in_flight = 64;
    // What a cut read was given must be fetched by its own consumer, not by this clock.
    options.visibility_timeout = Duration::from_hours(1);
    let worker = Running::start(&fixture.queue, options);
    let enough = Arc::new(AtomicBool::new(false));
    let pushers: Vec<_> = (0..4)
        .map(|lane| pusher(fixture.queue.clone(), lane * 10_000_000, Arc::clone(&enough)))
        .collect();
    for _ in 0..20 {
        let before = worker.seen.len();
        saw(&worker.seen, before + 100).await;
        cut_connections(&fixture).await;
    }
    enough.store(true, Ordering::SeqCst);
    let mut confirmed = Vec::new();
    for pusher in pushers {
        confirmed.extend(pusher.await.expect("only transient errors"));
    }
    drained(&fixture.queue).await;
    let handled: HashSet<String> = worker.stop().await.texts().into_iter().collect();
    let lost: Vec<_> = confirmed
        .iter()
        .filter(|number| !handled.contains(*number))
        .collect();
    assert!(
        !confirmed.is_empty() && lost.is_empty(),
        "{} of {} lost",
        lost.len(),
        confirmed.len()
    );
}

#[tokio::test]
async fn entries_lost_with_a_cut_connection_are_fetched_by_their_own_consumer() {
    let server = PrivateRedis::start(&[]);
    let fixture = Fixture::on(&server, |_| {});
    let mut options = quick("w");
    options.max_in_flight = 1;
    options.visibility_timeout = Duration::from_hours(1);
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
    // While its one place is taken, Redis gives it more, as with an answer that does not arrive.
    fixture.queue.push_many((1..4).map(text)).await.expect("pushed");
    let name = fixture.consumer().await;
    assert_eq!(fixture.read_as(&name, 3).await, 3);
    gate.add_permits(10);
    eventually("the entry it has is done", || async {
        fixture.queue.stats().await.expect("stats").in_flight == 3
    })
    .await;
    cut_connections(&fixture).await;
    saw(&worker.seen, 4).await;
    eventually("all are done", || async {
        fixture
            .queue
            .stats()
            .await
            .is_ok_and(|stats| stats.in_flight == 0)
    })
    .await;
    worker.stop().await;
}

/// Breaks every connection but the one that does it.
async fn cut_connections(fixture: &Fixture) {
    let knife = queue::Redis::new(fixture.redis.options().clone()).expect("an address");
    let mut cut = redis::cmd("CLIENT");
    cut.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
    knife.query::<()>(&cut).await.expect("cut");
}

#[tokio::test]
async fn pushes_fail_while_redis_is_away_and_succeed_once_it_is_there() {
    let mut server = PrivateRedis::stopped(&[]);
    let fixture = Fixture::on(&server, |_| {});
    let worker = Running::start(&fixture.queue, quick("w"));
    for number in 0..3 {
        let outcome = fixture.queue.push(text(number)).await;
        assert!(matches!(outcome, Err(QueueError::Unavailable(_))), "{outcome:?}");
    }
    server.resume();
    eventually("a push succeeds", || async {
        fixture.queue.push(text(7)).await.is_ok()
    })
    .await;
    saw(&worker.seen, 1).await;
    assert_eq!(worker.stop().await.texts(), ["7"]);
}

#[tokio::test]
async fn redis_without_memory_refuses_pushes_but_is_emptied_by_a_new_worker() {
    let server = PrivateRedis::start(&[]);
    let fixture = Fixture::on(&server, |_| {});
    let limit = |bytes: &'static str| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("maxmemory").arg(bytes);
        command
    };
    fixture.queue.push_many([text(1), text(2)]).await.expect("pushed");
    fixture
        .queue
        .push_at(chrono::DateTime::UNIX_EPOCH, text(3))
        .await
        .expect("pushed");
    fixture.redis.query::<()>(&limit("1")).await.expect("set");
    let outcome = fixture.queue.push(text(4)).await;
    assert!(matches!(outcome, Err(QueueError::Full(_))), "{outcome:?}");
    // Reading, heartbeat, retries, burials and promotion must all work without memory.
    let worker = Running::with(&fixture.queue, quick("w"), |entry| async move {
        match (&entry.payload[..], entry.attempts) {
            (b"1", 0) => Err(Failure::retry("once more")),
            (b"2", _) => Err(Failure::permanent("never")),
            _ => Ok(()),
        }
    });
    drained(&fixture.queue).await;
    let mut seen = worker.stop().await.texts();
    seen.sort();
    assert_eq!(seen, ["1", "1", "2", "3"]);
    assert_eq!(fixture.queue.stats().await.expect("stats").dead, 1);
    fixture.redis.query::<()>(&limit("0")).await.expect("set");
    fixture.queue.push(text(5)).await.expect("pushed");
}

#[tokio::test]
async fn a_redis_that_hangs_fails_pushes_and_is_used_again_afterwards() {
    let server = PrivateRedis::start(&[]);
    let fixture = Fixture::on(&server, |_| {});
    let worker = Running::start(&fixture.queue, quick("w"));
    fixture.queue.push(text(1)).await.expect("pushed");
    saw(&worker.seen, 1).await;
    server.signal("STOP");
    for number in 2..5 {
        let outcome = fixture.queue.push(text(number)).await;
        assert!(matches!(outcome, Err(QueueError::Unavailable(_))), "{outcome:?}");
    }
    server.signal("CONT");
    eventually("a push succeeds", || async {
        fixture.queue.push(text(7)).await.is_ok()
    })
    .await;
    let seen = worker.seen.clone();
    eventually("it is handled", || async {
        seen.texts().contains(&"7".to_owned())
    })
    .await;
    drained(&fixture.queue).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_demoted_primary_is_unavailable_and_used_again_when_promoted() {
    let server = PrivateRedis::start(&[]);
    let fixture = Fixture::on(&server, |_| {});
    let worker = Running::start(&fixture.queue, quick("w"));
    fixture.queue.push(text(1)).await.expect("pushed");
    saw(&worker.seen, 1).await;
    let follow = |host: &'static str, port: &'static str| {
        let mut command = redis::cmd("REPLICAOF");
        command.arg(host).arg(port);
        command
    };
    fixture
        .redis
        .query::<()>(&follow("127.0.0.1", "1"))
        .await
        .expect("demoted");
    let outcome = fixture.queue.push(text(2)).await;
    assert!(matches!(outcome, Err(QueueError::Unavailable(_))), "{outcome:?}");
    fixture
        .redis
        .query::<()>(&follow("NO", "ONE"))
        .await
        .expect("promoted");
    fixture.queue.push(text(3)).await.expect("pushed");
    saw(&worker.seen, 2).await;
    assert_eq!(worker.stop().await.texts(), ["1", "3"]);
}

#[tokio::test]
async fn a_push_waits_for_its_replica() {
    let primary = PrivateRedis::start(&[]);
    let replica = PrivateRedis::start(&["--replicaof", &format!("127.0.0.1 {}", primary.port())]);
    let fixture = Fixture::on(&primary, |options| options.wait_replicas = 1);
    eventually("the replica confirms", || async {
        fixture.queue.push(text(1)).await.is_ok()
    })
    .await;
    drop(replica);
    eventually("it is missed", || async {
        matches!(
            fixture.queue.push(text(2)).await,
            Err(QueueError::NotReplicated {
                wanted: 1,
                reached: 0
            })
        )
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_ends_although_redis_is_away() {
    let mut server = PrivateRedis::start(&["--appendonly", "yes"]);
    let fixture = Fixture::on(&server, |_| {});
    let worker = Running::start(&fixture.queue, quick("w"));
    fixture.queue.push(text(1)).await.expect("pushed");
    saw(&worker.seen, 1).await;
    server.kill();
    assert_eq!(worker.stop().await.len(), 1);
}
