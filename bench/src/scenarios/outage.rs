//! A store goes away while events come in: every 201 still leads to a delivery, and while both are
//! away there is no 201.

use std::time::Duration;

use crate::Options;
use crate::bed::Bed;
use crate::driver::{Load, Pace, Until};
use crate::gateway::Role;
use crate::measure::{add_counts, add_refusals, burst_load, drive_beside, settle, unfinished, warm_up};
use crate::report::{Report, Wanted};
use crate::stores::Store;

/// Events per second.
const RATE: f64 = 100.0;
/// Sending before the outage, and after it.
const BEFORE: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(10);
/// Answers that were on their way when the store went have arrived by then.
const MARGIN: Duration = Duration::from_millis(500);

/// PostgreSQL, Redis, both.
pub(super) async fn run(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("outage");
    for (name, stores) in [
        ("PostgreSQL away", &[Store::Postgres][..]),
        ("Redis away", &[Store::Redis]),
        ("both away", &[Store::Postgres, Store::Redis]),
    ] {
        eprintln!("outage: {name} for {} s", options.outage);
        report.append(name, one(bed, options, stores).await?);
    }
    Ok(report)
}

async fn one(bed: &Bed, options: &Options, stores: &[Store]) -> anyhow::Result<Report> {
    let site = bed.fresh_site(&[]).await?;
    let process = site.start(Role::All).await?;
    let target = site.endpoint(&process, "/ok").await?;
    let away = Duration::from_secs(options.outage);
    let until = Until::Elapsed(BEFORE + away + AFTER);
    let load = Load {
        pace: Pace::Rate(RATE),
        until,
        ..burst_load(options)
    };
    warm_up(bed, &target, load).await?;
    let ledger = bed.receiver.open_run(load.capacity());
    let sending = drive_beside(&target, load, &ledger);
    tokio::time::sleep(BEFORE).await;
    let mut frozen = Vec::new();
    for store in stores {
        if options.freeze {
            frozen.push(bed.stores.freeze(*store).await?);
        } else {
            bed.stores.stop(*store).await?;
        }
    }
    tokio::time::sleep(MARGIN).await;
    let before = ledger.accepted();
    tokio::time::sleep(away).await;
    let meanwhile = ledger.accepted() - before;
    drop(frozen);
    if !options.freeze {
        bed.stores.start().await?;
    }
    let refusals = sending.await??;
    settle(bed, &ledger).await?;
    let unfinished = unfinished(bed).await?;

    let mut report = Report::new("");
    add_counts(&mut report, bed, &ledger);
    add_refusals(&mut report, &refusals, &ledger);
    if stores.len() == 2 {
        report.want_none("accepted meanwhile", meanwhile);
        report.want(
            "refusals that say when to come back",
            refusals.retry_later as f64,
            "",
            Wanted::AtLeast(1.0),
        );
    } else {
        report.want("accepted meanwhile", meanwhile as f64, "", Wanted::AtLeast(1.0));
    }
    report.add("duplicates", ledger.duplicates() as f64, "");
    report.want_none("not ended", unfinished);
    process.stop().await?;
    Ok(report)
}
