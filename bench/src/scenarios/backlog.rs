//! A long queue: a worker that starts on it must be as fast and as small as on a short one.

use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

use crate::Options;
use crate::bed::Bed;
use crate::driver::{Load, Until, drive};
use crate::gateway::Role;
use crate::ledger::Ledger;
use crate::measure::{PATIENCE, add_counts, burst_load, settle};
use crate::meter::peak_mib;
use crate::report::{Report, Wanted};

use super::ratio;

/// Entries of the short queue; of both queues so many deliveries are timed.
const SHORT: u32 = 100_000;
const POLL: Duration = Duration::from_millis(5);

/// What a worker did with a queue.
struct Drained {
    /// Deliveries per second of the first [`SHORT`], from the first delivery on.
    first: f64,
    /// The same of all.
    all: f64,
    /// Most memory of the worker in MiB.
    peak: f64,
}

/// The short queue, then the long one.
pub(super) async fn run(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("backlog");
    let short = drain(bed, options, SHORT, &mut report, "short queue").await?;
    let long = drain(bed, options, options.backlog, &mut report, "long queue").await?;
    report.add("short queue: delivered", short.first, "/s");
    report.add("long queue: delivered, same count", long.first, "/s");
    report.add("long queue: delivered, all", long.all, "/s");
    report.want(
        "ratio of throughput",
        ratio(long.first, short.first),
        "",
        Wanted::AtLeast(0.8),
    );
    report.want(
        "ratio of throughput, all",
        ratio(long.all, short.all),
        "",
        Wanted::AtLeast(0.8),
    );
    report.add("short queue: peak memory of the worker", short.peak, "MiB");
    report.add("long queue: peak memory of the worker", long.peak, "MiB");
    report.want(
        "ratio of peak memory",
        ratio(long.peak, short.peak),
        "",
        Wanted::AtMost(1.5),
    );
    Ok(report)
}

/// Fills the queue through the API while no worker runs, then lets one drain it.
async fn drain(
    bed: &Bed,
    options: &Options,
    count: u32,
    report: &mut Report,
    name: &str,
) -> anyhow::Result<Drained> {
    eprintln!("backlog: {count} entries");
    let site = bed.fresh_site(&[]).await?;
    let server = site.start(Role::Server).await?;
    let target = site.endpoint(&server, "/ok").await?;
    let load = Load {
        until: Until::Sent(count),
        ..burst_load(options)
    };
    let ledger = bed.receiver.open_run(load.capacity());
    drive(&target, load, &ledger).await?;
    let mut counts = Report::new(name);
    counts.want(
        "entries when the worker starts",
        bed.stores.queued().await? as f64,
        "",
        Wanted::AtLeast(count.into()),
    );
    let worker = site.start(Role::Worker).await?;
    let began = passes(&ledger, 1).await?;
    let first = passes(&ledger, u64::from(SHORT.min(count))).await?;
    settle(bed, &ledger).await?;
    let all_seconds = ledger.last_delivered_ns().saturating_sub(began.ns) as f64 / 1e9;
    let drained = Drained {
        first: ratio(
            (first.delivered - began.delivered) as f64,
            (first.ns - began.ns) as f64 / 1e9,
        ),
        all: ratio((ledger.delivered() - began.delivered) as f64, all_seconds),
        peak: peak_mib(worker.pid()?),
    };
    add_counts(&mut counts, bed, &ledger);
    counts.add("duplicates", ledger.duplicates() as f64, "");
    report.append(name, counts);
    worker.stop().await?;
    server.stop().await?;
    Ok(drained)
}

/// A moment of a run.
struct Moment {
    ns: u64,
    delivered: u64,
}

/// Waits until `count` events are delivered.
async fn passes(ledger: &Ledger, count: u64) -> anyhow::Result<Moment> {
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let delivered = ledger.delivered();
        if delivered >= count {
            return Ok(Moment {
                ns: crate::payload::now_ns(),
                delivered,
            });
        }
        if delivered != seen {
            (seen, since) = (delivered, Instant::now());
        } else if since.elapsed() >= PATIENCE {
            bail!("the worker stopped at {delivered} deliveries of {count}");
        }
        tokio::time::sleep(POLL).await;
    }
}
