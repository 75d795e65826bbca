//! Keeping events for fewer or for more days, while events arrive.

use chrono::{Days, NaiveDate};

use crate::world::World;

/// Days from the `first`-th last one to today.
fn last_days(world: &World, first: u64) -> Vec<NaiveDate> {
    let today = world.today();
    (0..=first).rev().map(|back| today - Days::new(back)).collect()
}

async fn live_a_day(world: &mut World) {
    world.send(2).await;
    world.next_day().await;
    for job in ["reclass", "backup", "deletion"] {
        world.run(job).await;
    }
}

#[tokio::test]
async fn fewer_days_free_older_ones_in_the_next_run_and_more_days_keep_what_is_there() {
    let mut world = World::new().await;
    world.keep(30).await;
    let first = world.today();
    for _ in 0..10 {
        live_a_day(&mut world).await;
    }
    world.send(2).await;
    assert_eq!(world.hot_days().await, last_days(&world, 10), "30 days are kept");

    // The change, and events before, during and after it.
    world.keep(7).await;
    let gateway = &world.gateway;
    let sending = async {
        let mut sent = Vec::new();
        for i in 0..20 {
            let data = format!("{{ \"during\": {i} }}");
            sent.push((gateway.send(world.endpoint, &data).await, data));
        }
        sent
    };
    let jobs = async {
        for job in ["reclass", "backup", "deletion"] {
            world.run(job).await;
        }
    };
    let (sent, ()) = tokio::join!(sending, jobs);
    for (id, _) in &sent {
        gateway.wait_for(*id, domain::state::DeliveryState::Success).await;
    }
    world.accepted.extend(sent);
    assert_eq!(
        world.hot_days().await,
        last_days(&world, 7),
        "only 7 days are kept"
    );
    assert!(
        world.readable(first).await == world.accepted,
        "the older ones are in the archive"
    );

    world.keep(30).await;
    let kept = world.hot_days().await;
    for _ in 0..3 {
        live_a_day(&mut world).await;
        let hot = world.hot_days().await;
        assert_eq!(hot[..kept.len()], kept, "what was there stays");
    }
    assert!(world.readable(first).await == world.accepted);
}
