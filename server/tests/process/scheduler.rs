//! Any number of schedulers, one of which acts.

use crate::child::eventually;
use crate::site::Site;

/// Who holds the lease, and its fencing number.
async fn leader(site: &Site) -> Option<(u32, u64)> {
    let row = site
        .sql("SELECT holder, fence FROM leases WHERE name = 'scheduler' AND expires_at > now()")
        .await;
    let (holder, fence) = row.trim().split_once('|')?;
    let (id, _) = holder.split_once('-')?;
    Some((id.parse().ok()?, fence.parse().ok()?))
}

#[tokio::test]
async fn of_two_schedulers_one_leads_and_the_other_takes_over_when_it_stops() {
    let site = Site::new().await;
    site.bootstrap().await;
    let first = site.start("scheduler").await;
    let (holder, fence) = eventually("somebody leads", async || leader(&site).await).await;
    assert_eq!(holder, first.id());

    let second = site.start("scheduler").await;
    // A round of both after the start of the second: the lease is renewed, by the same one.
    let until = "SELECT expires_at FROM leases WHERE name = 'scheduler'";
    let before = site.sql(until).await;
    eventually("the lease is renewed", async || {
        (site.sql(until).await != before).then_some(())
    })
    .await;
    assert_eq!(leader(&site).await, Some((first.id(), fence)));

    first.stop().await;
    let (holder, next) = eventually("the other one leads", async || leader(&site).await).await;
    assert_eq!(holder, second.id());
    assert!(
        next > fence,
        "what the first one has still under way can be told apart"
    );
    second.stop().await;
}
