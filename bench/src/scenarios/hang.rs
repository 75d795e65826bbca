//! Isolation: what a healthy endpoint feels of one that hangs on every request.
//!
//! Rounds with an idle, a healthy and a hanging neighbour alternate and the median of each counts,
//! because a percentile below one millisecond swings with whatever else the machine does.

use crate::Options;
use crate::bed::Bed;
use crate::driver::drive;
use crate::gateway::Role;
use crate::measure::{add_counts, drive_beside, settle, steady_load, warm_up};
use crate::report::{Report, Wanted};

use super::{median, ratio};

/// What the second endpoint does while the first one is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Neighbour {
    /// It gets no events.
    Idle,
    /// It answers at once.
    Healthy,
    /// It never answers.
    Hanging,
}

impl Neighbour {
    fn path(self) -> &'static str {
        match self {
            Self::Idle | Self::Healthy => "/ok",
            Self::Hanging => "/hang",
        }
    }
}

/// Runs the rounds. The ratio that counts compares two endpoints at the same rate with two endpoints
/// at the same rate: that a second endpoint takes part of the machine is not the fault of the hanging.
pub(super) async fn run(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let (mut alone, mut healthy, mut hanging) = (Vec::new(), Vec::new(), Vec::new());
    let mut report = Report::new("hang");
    let hung = bed.receiver.hung();
    for number in 1..=options.rounds {
        eprintln!("hang: round {number} of {}", options.rounds);
        let mut counts = Report::new("beside");
        let quiet = &mut Report::new("control");
        alone.push(round(bed, options, Neighbour::Idle, quiet).await?);
        healthy.push(round(bed, options, Neighbour::Healthy, quiet).await?);
        hanging.push(round(bed, options, Neighbour::Hanging, &mut counts).await?);
        report.append(&format!("round {number}"), counts);
    }
    let (alone, healthy, hanging) = (median(alone), median(healthy), median(hanging));
    report.add("p95 of an endpoint alone", alone, "ms");
    report.add("p95 beside a healthy endpoint", healthy, "ms");
    report.add("p95 beside a hanging endpoint", hanging, "ms");
    report.want("ratio", ratio(hanging, healthy), "", Wanted::AtMost(1.2));
    report.add("ratio to the endpoint alone", ratio(hanging, alone), "");
    report.want(
        "requests left hanging",
        (bed.receiver.hung() - hung) as f64,
        "",
        Wanted::AtLeast(1.0),
    );
    Ok(report)
}

/// The healthy endpoint's p95 in milliseconds.
async fn round(
    bed: &Bed,
    options: &Options,
    neighbour: Neighbour,
    report: &mut Report,
) -> anyhow::Result<f64> {
    let site = bed.fresh_site(&[]).await?;
    let process = site.start(Role::All).await?;
    let healthy = site.endpoint(&process, "/ok").await?;
    let second = site.endpoint(&process, neighbour.path()).await?;
    let load = steady_load(options, options.hang_rate);
    warm_up(bed, &healthy, load).await?;
    let ledger = bed.receiver.open_run(load.capacity());
    let other = bed.receiver.open_run(load.capacity());
    let beside = (neighbour != Neighbour::Idle).then(|| drive_beside(&second, load, &other));
    drive(&healthy, load, &ledger).await?;
    if let Some(beside) = beside {
        beside.await??;
        report.add("events to the other endpoint", other.accepted() as f64, "");
    }
    if neighbour == Neighbour::Hanging {
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
