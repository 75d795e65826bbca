//! Isolation: what a healthy endpoint feels of one that hangs on every request.
//!
//! Rounds with and without the hanging endpoint alternate and the median of each counts, because a
//! percentile around one millisecond swings with whatever else the machine does.

use crate::Options;
use crate::bed::Bed;
use crate::driver::drive;
use crate::gateway::Role;
use crate::measure::{add_counts, drive_beside, settle, steady_load, warm_up};
use crate::report::{Report, Wanted};

use super::{median, ratio};

/// Runs the rounds.
pub(super) async fn run(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let mut report = Report::new("hang");
    let hung = bed.receiver.hung();
    for number in 1..=options.rounds {
        eprintln!("hang: round {number} of {}", options.rounds);
        alone.push(round(bed, options, false, &mut Report::new("alone")).await?);
        let mut counts = Report::new("beside");
        beside.push(round(bed, options, true, &mut counts).await?);
        report.append(&format!("round {number}"), counts);
    }
    let (alone, beside) = (median(alone), median(beside));
    report.add("p95 of the healthy endpoint alone", alone, "ms");
    report.add("p95 of the healthy endpoint beside the other", beside, "ms");
    report.want("ratio", ratio(beside, alone), "", Wanted::AtMost(1.2));
    report.want(
        "requests left hanging",
        (bed.receiver.hung() - hung) as f64,
        "",
        Wanted::AtLeast(1.0),
    );
    Ok(report)
}

/// The healthy endpoint's p95 in milliseconds.
async fn round(bed: &Bed, options: &Options, with_hanging: bool, report: &mut Report) -> anyhow::Result<f64> {
    let site = bed.fresh_site(&[]).await?;
    let process = site.start(Role::All).await?;
    let healthy = site.endpoint(&process, "/ok").await?;
    let hanging = site.endpoint(&process, "/hang").await?;
    let load = steady_load(options, options.hang_rate);
    warm_up(bed, &healthy, load).await?;
    let ledger = bed.receiver.open_run(load.capacity());
    let other = bed.receiver.open_run(load.capacity());
    let beside = with_hanging.then(|| drive_beside(&hanging, load, &other));
    drive(&healthy, load, &ledger).await?;
    if let Some(beside) = beside {
        beside.await??;
        report.add("events to the hanging endpoint", other.accepted() as f64, "");
        wait_for_deliveries(&ledger).await;
    } else {
        settle(bed, &ledger).await?;
    }
    add_counts(report, bed, &ledger);
    // A stop would wait for the requests that hang.
    process.kill().await?;
    Ok(ledger.latencies().percentile_ms(95.0))
}

/// The queues do not become empty while requests hang, so only deliveries are waited for.
async fn wait_for_deliveries(ledger: &crate::ledger::Ledger) {
    let limit = tokio::time::Instant::now() + crate::measure::PATIENCE;
    while ledger.lost() > 0 && tokio::time::Instant::now() < limit {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
