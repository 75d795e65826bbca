//! Measures what an entry costs this process: CPU time, rate and memory of pushing and of working.
//!
//! `cargo run --release -p longhaul-queue --example throughput -- URL [ENTRIES] [WAITING]`: with WAITING
//! entries already in the queue, only the first ENTRIES of all are worked on, which shows whether a
//! long backlog slows or swells the worker. Uses keys of its own and deletes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use domain::clock::SystemClock;
use queue::{Entry, Failure, Queue, QueueName, QueueOptions, Redis, RedisOptions, WorkerOptions, run_worker};
use tokio_util::sync::CancellationToken;

const PUSHERS: usize = 32;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .ok_or("usage: throughput URL [ENTRIES] [WAITING]")?;
    let entries: usize = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let waiting: usize = arguments.next().map_or(Ok(0), |text| text.parse())?;

    let redis = Redis::new(RedisOptions::new(url))?;
    let mut options = QueueOptions::new(QueueName::new("throughput")?);
    options.prefix = format!("lhbench-{}", std::process::id());
    let keys = ["stream", "delayed", "dead", "counters"]
        .map(|part| format!("{}:{{throughput}}:{part}", options.prefix));
    let queue = Queue::new(redis.clone(), options, Arc::new(SystemClock));
    let payload = Bytes::from(vec![b'x'; 1024]);

    for start in (0..waiting).step_by(10_000) {
        let count = (waiting - start).min(10_000);
        queue
            .push_many(std::iter::repeat_n(payload.clone(), count))
            .await?;
    }
    let meter = Meter::start();
    push(&queue, &payload, entries).await?;
    meter.report("push", entries);
    let meter = Meter::start();
    let handled = work(&queue, entries).await;
    meter.report("work", handled);
    redis.query::<()>(redis::cmd("UNLINK").arg(&keys)).await?;
    Ok(())
}

/// Pushes one by one from many tasks, as requests do.
async fn push(queue: &Queue, payload: &Bytes, entries: usize) -> Result<(), Box<dyn std::error::Error>> {
    let pushers = (0..PUSHERS).map(|_| {
        let (queue, payload) = (queue.clone(), payload.clone());
        tokio::spawn(async move {
            for _ in 0..entries / PUSHERS {
                queue.push(payload.clone()).await?;
            }
            Ok::<(), queue::QueueError>(())
        })
    });
    for pusher in pushers.collect::<Vec<_>>() {
        pusher.await??;
    }
    Ok(())
}

/// Works until `entries` were handled.
async fn work(queue: &Queue, entries: usize) -> usize {
    let handled = Arc::new(AtomicUsize::new(0));
    let enough = CancellationToken::new();
    let (count, stop) = (Arc::clone(&handled), enough.clone());
    let last = entries / PUSHERS * PUSHERS;
    let handler = move |_: Entry<Bytes>| {
        if count.fetch_add(1, Ordering::Relaxed) + 1 == last {
            stop.cancel();
        }
        async { Ok::<(), Failure>(()) }
    };
    run_worker(queue, WorkerOptions::new("bench"), handler, enough).await;
    handled.load(Ordering::Relaxed)
}

struct Meter {
    started: Instant,
    cpu: f64,
}

impl Meter {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            cpu: cpu_seconds(),
        }
    }

    fn report(&self, what: &str, entries: usize) {
        let seconds = self.started.elapsed().as_secs_f64();
        let cpu_us = (cpu_seconds() - self.cpu) * 1e6 / entries as f64;
        let rate = entries as f64 / seconds;
        println!(
            "{what}: {entries} entries, {rate:.0}/s, {cpu_us:.2} us of CPU each, peak {} kB",
            peak_kilobytes()
        );
    }
}

/// CPU time of this process so far, in hundredths of a second precise.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

fn peak_kilobytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
