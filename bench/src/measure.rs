//! One measured run: warm up, send, wait until everything is delivered and written, count.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::bed::{Bed, Site};
use crate::driver::{Load, Pace, Refusals, Target, Until, drive};
use crate::gateway::Process;
use crate::ledger::Ledger;
use crate::meter::{CpuTimes, Parties, peak_mib};
use crate::report::{Report, Wanted};
use crate::stores::Store;

/// How long nothing may happen before a run is over: longer than any lease of the gateway.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(50);
/// Counting rows costs PostgreSQL something, so it is asked less often.
const SLOW_POLL: Duration = Duration::from_secs(1);
/// How long caches and connections are warmed up, unmeasured.
const WARM_UP: Duration = Duration::from_secs(2);

/// What one run came to.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Its books.
    pub(crate) ledger: Arc<Ledger>,
    /// What was not accepted.
    pub(crate) refusals: Refusals,
    /// CPU per accepted event.
    pub(crate) cpu: CpuTimes,
    /// Bytes on disk per accepted event.
    pub(crate) disk: f64,
    /// Most memory of the gateway so far, in MiB.
    pub(crate) peak: f64,
}

/// Sends `load` to `target`, an endpoint of `process`, and measures it until all is done.
pub(crate) async fn measure(
    site: &Site<'_>,
    process: &Process,
    target: &Target,
    load: Load,
) -> anyhow::Result<Measured> {
    let bed = site.bed;
    warm_up(bed, target, load).await?;
    let parties = Parties {
        gateway: vec![process.pid()?],
        postgres: bed.stores.process(Store::Postgres).await?,
        redis: bed.stores.process(Store::Redis).await?,
    };
    let ledger = bed.receiver.open_run(load.capacity());
    let disk_before = bed.stores.disk_bytes().await?;
    let cpu_before = CpuTimes::now(&parties);
    let refusals = drive(target, load, &ledger).await?;
    settle(bed, &ledger).await?;
    let cpu = CpuTimes::now(&parties).per_event_since(&cpu_before, ledger.accepted());
    let grown = bed.stores.disk_bytes().await?.saturating_sub(disk_before);
    let disk = grown as f64 / ledger.accepted().max(1) as f64;
    Ok(Measured {
        ledger,
        refusals,
        cpu,
        disk,
        peak: peak_mib(process.pid()?),
    })
}

/// Sends some events that are not measured.
pub(crate) async fn warm_up(bed: &Bed, target: &Target, load: Load) -> anyhow::Result<()> {
    let load = Load {
        until: Until::Elapsed(WARM_UP),
        ..load
    };
    let ledger = bed.receiver.open_run(load.capacity());
    drive(target, load, &ledger).await?;
    settle(bed, &ledger).await
}

/// Waits until every accepted event is delivered and the queues are empty, or until nothing has
/// happened for too long: what is missing then is lost.
pub(crate) async fn settle(bed: &Bed, ledger: &Ledger) -> anyhow::Result<()> {
    let (mut seen, mut since) = ((0, 0), Instant::now());
    loop {
        // The exact count looks at every event, so the cheap one goes first.
        let missing = ledger.delivered() < ledger.accepted() || ledger.lost() > 0;
        let queued = if missing {
            u64::MAX
        } else {
            bed.stores.queued().await?
        };
        if queued == 0 {
            return Ok(());
        }
        let now = (ledger.delivered(), queued);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() >= PATIENCE {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until every event and delivery has ended in the tables, or nothing has happened for too
/// long; answers how many have not.
pub(crate) async fn unfinished(bed: &Bed) -> anyhow::Result<u64> {
    let (mut seen, mut since) = (u64::MAX, Instant::now());
    loop {
        let now = bed.stores.unfinished().await?;
        if now == 0 || (now == seen && since.elapsed() >= PATIENCE) {
            return Ok(now);
        }
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        tokio::time::sleep(SLOW_POLL).await;
    }
}

/// Begins to send in the background.
pub(crate) fn drive_beside(
    target: &Target,
    load: Load,
    ledger: &Arc<Ledger>,
) -> tokio::task::JoinHandle<anyhow::Result<Refusals>> {
    let (target, ledger) = (target.clone(), Arc::clone(ledger));
    tokio::spawn(async move { drive(&target, load, &ledger).await })
}

/// The figures of counts that every run has.
pub(crate) fn add_counts(report: &mut Report, bed: &Bed, ledger: &Ledger) {
    report.add("events sent", ledger.sent() as f64, "");
    report.add("events accepted", ledger.accepted() as f64, "");
    report.add("events delivered", ledger.delivered() as f64, "");
    report.want_none("lost", ledger.lost());
    report.want_none("wrong signatures", bed.receiver.bad_signatures());
    report.want_none("changed payloads", bed.receiver.foreign());
}

/// The figures of what was not accepted.
pub(crate) fn add_refusals(report: &mut Report, refusals: &Refusals, ledger: &Ledger) {
    report.add("refused, 503 with Retry-After", refusals.retry_later as f64, "");
    report.want_none("refused otherwise", refusals.wrong());
    report.add("requests without an answer", refusals.unanswered as f64, "");
    report.add(
        "delivered without an answer",
        ledger.delivered_unanswered() as f64,
        "",
    );
}

impl Measured {
    /// The figures of a run in which nothing goes wrong, without goals for speed.
    pub(crate) fn add_to(&self, report: &mut Report, bed: &Bed) {
        add_counts(report, bed, &self.ledger);
        report.want(
            "duplicates",
            self.ledger.duplicates() as f64,
            "",
            Wanted::AtMost(0.0),
        );
        add_refusals(report, &self.refusals, &self.ledger);
        report.add("CPU of the gateway", self.cpu.gateway, "ms/event");
        report.add("CPU of PostgreSQL", self.cpu.postgres, "ms/event");
        report.add("CPU of Redis", self.cpu.redis, "ms/event");
        report.add("CPU of driver and receiver", self.cpu.bench, "ms/event");
        report.add("peak memory of the gateway", self.peak, "MiB");
    }
}

/// A burst as the options ask for it.
pub(crate) fn burst_load(options: &crate::Options) -> Load {
    Load {
        connections: options.connections,
        size: options.size,
        pace: Pace::Burst,
        until: Until::Elapsed(Duration::from_secs(options.seconds)),
    }
}

/// `rate` events per second for as long as the options ask for.
pub(crate) fn steady_load(options: &crate::Options, rate: f64) -> Load {
    Load {
        connections: options.connections.min(8),
        pace: Pace::Rate(rate),
        ..burst_load(options)
    }
}
