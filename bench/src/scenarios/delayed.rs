//! Many deliveries due in the same second: every one must come.
//!
//! The receiver refuses all first attempts and names one and the same instant to come back at.

use std::time::Duration;

use domain::clock::{Clock as _, SystemClock};

use crate::Options;
use crate::bed::Bed;
use crate::driver::{Load, Until, drive};
use crate::gateway::Role;
use crate::measure::{add_counts, burst_load, settle, unfinished};
use crate::meter::peak_mib;
use crate::payload::now_ns;
use crate::report::{Report, Wanted};

use super::ratio;

/// First attempts that even a slow gateway makes in a second.
const SLOWEST: u32 = 1500;
/// How long before the due time the queue is looked at.
const LOOK: u64 = 2_000_000_000;

/// Sends, waits for the second, counts.
pub(super) async fn run(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let site = bed.fresh_site(&[]).await?;
    let process = site.start(Role::All).await?;
    let wait = i64::from(options.delayed / SLOWEST) + 20;
    // On a whole second, because that is what the header can say.
    let now = SystemClock.now();
    let due = now.timestamp() + wait;
    let due_ns = now_ns() + (wait as u64) * 1_000_000_000 - u64::from(now.timestamp_subsec_nanos());
    let target = site.endpoint(&process, &format!("/later/{due}")).await?;
    let load = Load {
        until: Until::Sent(options.delayed),
        ..burst_load(options)
    };
    let ledger = bed.receiver.open_run(load.capacity());
    eprintln!("delayed: {} events, due in {wait} s", options.delayed);
    drive(&target, load, &ledger).await?;
    let until_look = due_ns.saturating_sub(now_ns() + LOOK);
    tokio::time::sleep(Duration::from_nanos(until_look)).await;
    let (put_off, waiting) = (ledger.refused_attempts(), bed.stores.delayed().await?);
    settle(bed, &ledger).await?;
    let unfinished = unfinished(bed).await?;
    let seconds = ledger.last_delivered_ns().saturating_sub(due_ns) as f64 / 1e9;

    let mut report = Report::new("delayed");
    add_counts(&mut report, bed, &ledger);
    report.add("duplicates", ledger.duplicates() as f64, "");
    report.want(
        "put off until the same second",
        put_off as f64,
        "",
        Wanted::AtLeast(options.delayed.into()),
    );
    report.add("waiting in the delayed queue before it", waiting as f64, "");
    report.want_none("not ended", unfinished);
    report.add("from the second to the last delivery", seconds, "s");
    report.add(
        "delivered after it",
        ratio(ledger.delivered() as f64, seconds),
        "/s",
    );
    report.add("peak memory of the gateway", peak_mib(process.pid()?), "MiB");
    process.stop().await?;
    Ok(report)
}
