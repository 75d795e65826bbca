//! Speed and cost: a burst, and a low fixed rate.

use crate::Options;
use crate::bed::{Bed, Site};
use crate::driver::Load;
use crate::gateway::Role;
use crate::measure::{Measured, burst_load, measure, steady_load};
use crate::report::{Report, Wanted};

/// As fast as the connections go.
pub(super) async fn burst(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let site = bed.fresh_site(&[]).await?;
    let measured = run(&site, burst_load(options)).await?;
    let mut report = Report::new("burst");
    report.want(
        "accepted",
        measured.ledger.accepted_per_second(),
        "/s",
        Wanted::AtLeast(8000.0),
    );
    report.want(
        "delivered",
        measured.ledger.delivered_per_second(),
        "/s",
        Wanted::AtLeast(8000.0),
    );
    report.want(
        "CPU of gateway and stores",
        measured.cpu.product(),
        "ms/event",
        Wanted::AtMost(0.15),
    );
    report.want("disk per event", measured.disk, "bytes", Wanted::AtMost(2000.0));
    add_latencies(&mut report, &measured, [Wanted::Any; 3]);
    measured.add_to(&mut report, bed);
    Ok(report)
}

/// A low, fixed rate.
pub(super) async fn steady(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let site = bed.fresh_site(&[]).await?;
    let measured = run(&site, steady_load(options, options.rate)).await?;
    let mut report = Report::new("steady");
    add_latencies(
        &mut report,
        &measured,
        [Wanted::AtMost(1.5), Wanted::Any, Wanted::AtMost(4.0)],
    );
    report.add("CPU of gateway and stores", measured.cpu.product(), "ms/event");
    report.add("disk per event", measured.disk, "bytes");
    measured.add_to(&mut report, bed);
    Ok(report)
}

/// One measured run on one process with every role.
pub(super) async fn run(site: &Site<'_>, load: Load) -> anyhow::Result<Measured> {
    let process = site.start(Role::All).await?;
    let target = site.endpoint(&process, "/ok").await?;
    let measured = measure(site, &process, &target, load).await?;
    process.stop().await?;
    Ok(measured)
}

/// Latencies; what is wanted of p50, p95 and p99.
fn add_latencies(report: &mut Report, measured: &Measured, wanted: [Wanted; 3]) {
    let latencies = measured.ledger.latencies();
    for (percent, wanted) in [50.0, 95.0, 99.0].into_iter().zip(wanted) {
        let name = format!("post to delivered, p{percent}");
        report.want(name, latencies.percentile_ms(percent), "ms", wanted);
    }
    report.add("post to delivered, longest", latencies.percentile_ms(100.0), "ms");
}
