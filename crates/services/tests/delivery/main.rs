//! The way of an event against real stores and a real receiver.

mod addresses;
mod counters;
mod duplicates;
mod endpoints;
mod first_attempt;
mod later_attempts;
mod outages;
mod partitions;
mod proxy;
mod sending_again;
mod stale_catalog;

use domain::id::ProjectId;
use domain::lifecycle::KeepDays;
use services::Services;

/// Makes a project keep its events for so long, without a look at what exists.
async fn keep_for(services: &Services, project: ProjectId, keep: KeepDays) {
    let txn = services.db.begin().await.expect("a transaction");
    let row = db::projects::lock(&txn, project.0).await.expect("asked");
    let row = db::entities::project::Model {
        keep_days: keep.0,
        ..row.expect("found")
    };
    db::projects::update(&txn, row).await.expect("changed");
    txn.commit().await.expect("committed");
}
