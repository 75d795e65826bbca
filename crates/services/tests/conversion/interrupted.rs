//! Conversions that die, are paused, or have to wait.

use std::sync::atomic::{AtomicU32, Ordering};

use db::databases::answers;
use services::conversion::{Direction, End, Layout};

use crate::bed::{Bed, TABLE};
use crate::traffic::{Traffic, own};

/// Steps at whose beginning a conversion dies.
const PARTITION: [&str; 7] = ["check", "index", "leaves", "split", "swap", "ahead", "tidy"];
const UNPARTITION: [&str; 5] = ["check", "bounds", "swap", "gather", "tidy"];

/// Dies at the beginning of each step, in the midst of the moving, and then comes to its end.
async fn die_at_every_step(bed: &Bed, direction: Direction, steps: &[&str]) {
    for step in steps {
        let died = bed
            .convert_until(direction, |told| told.step == *step && told.say.is_none())
            .await;
        assert!(died, "the step {step} was reached");
        if matches!(*step, "split" | "gather") {
            // Somewhere on the way, several times.
            for at in [1_000, 4_000, 9_000] {
                bed.convert_until(direction, |told| told.step == *step && told.rows_done > at)
                    .await;
            }
        }
    }
    bed.converted(direction).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_dies_at_every_step_loses_nothing() {
    let bed = Bed::plain().await;
    let traffic = Traffic::start(&bed);
    die_at_every_step(&bed, Direction::Partition, &PARTITION).await;
    traffic.stop().await;
    assert_eq!(bed.layout().await, Layout::Partitioned);
    bed.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpartition_that_dies_at_every_step_loses_nothing() {
    let bed = Bed::partitioned().await;
    let traffic = Traffic::start(&bed);
    die_at_every_step(&bed, Direction::Unpartition, &UNPARTITION).await;
    traffic.stop().await;
    assert_eq!(bed.layout().await, Layout::Plain);
    bed.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_whose_connection_is_cut_goes_on_when_run_again() {
    let bed = Bed::plain().await;
    let traffic = Traffic::start(&bed);
    let cut = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity \
               WHERE application_name = 'longhaul conversion' AND datname = current_database()";
    let mut cuts = 0;
    while cuts < 5 {
        let running = bed.convert(Direction::Partition, &|_| ());
        let cutting = async { while bed.one(cut).await == "0" {} };
        let (outcome, ()) = tokio::join!(running, cutting);
        cuts += u32::from(outcome.is_err());
        if bed.layout().await == Layout::Partitioned {
            break;
        }
    }
    assert!(cuts > 0);
    bed.convert(Direction::Partition, &|_| ())
        .await
        .expect("comes to its end");
    traffic.stop().await;
    bed.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_may_turn_back_half_way() {
    let bed = Bed::plain().await;
    let traffic = Traffic::start(&bed);
    let half = |step: &'static str| {
        move |told: &services::conversion::Progress| told.step == step && told.rows_done > 5_000
    };
    assert!(bed.convert_until(Direction::Partition, half("split")).await);
    assert_eq!(bed.layout().await, Layout::Spread);
    bed.converted(Direction::Unpartition).await;
    assert_eq!(bed.layout().await, Layout::Plain);
    bed.converted(Direction::Partition).await;
    assert!(bed.convert_until(Direction::Unpartition, half("gather")).await);
    assert_eq!(bed.layout().await, Layout::Spread);
    bed.converted(Direction::Partition).await;
    traffic.stop().await;
    assert_eq!(bed.layout().await, Layout::Partitioned);
    bed.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_gets_no_lock_gives_up_and_tries_again_while_writers_go_on() {
    let bed = Bed::plain().await;
    let mut traffic = Traffic::start(&bed);
    let blocker = own(&bed);
    let waits = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'longhaul conversion' \
                 AND datname = current_database() AND wait_event_type = 'Lock'";
    let (told, split) = tokio::sync::watch::channel(false);
    let watch = |progress: &services::conversion::Progress| {
        if progress.step == "split" {
            told.send_replace(true);
        }
    };
    let blocking = async {
        let mut split = split;
        split.wait_for(|split| *split).await.expect("splits");
        // Somebody reads, and does not end.
        answers(&blocker, &format!("BEGIN; SELECT 'x' FROM {TABLE} LIMIT 1"))
            .await
            .expect("reads");
        let is_at = "SELECT step FROM conversions";
        while bed.one(is_at).await != "swap" {}
        while bed.one(waits).await == "0" {}
        while bed.one(waits).await != "0" {}
        traffic.pass(10).await;
        assert_eq!(bed.layout().await, Layout::Spread, "it gave up");
        answers(&blocker, "COMMIT").await.expect("ends");
    };
    let (done, ()) = tokio::join!(bed.convert(Direction::Partition, &watch), blocking);
    assert_eq!(done.expect("converts")[0].end, End::Done);
    traffic.stop().await;
    bed.assert_same().await;
    let said = bed
        .one("SELECT s->>'say' FROM conversions, jsonb_array_elements(steps) s WHERE s->>'step' = 'swap'")
        .await;
    assert!(said.contains("gave up waiting"), "{said}");
}

#[tokio::test]
async fn a_paused_conversion_stops_and_goes_on_when_run_again() {
    let bed = Bed::plain().await;
    let tells = AtomicU32::new(0);
    let watch = |progress: &services::conversion::Progress| {
        if progress.step == "split" {
            tells.fetch_add(1, Ordering::SeqCst);
        }
    };
    let pausing = async {
        while tells.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        services::conversion::pause(&bed.services, &bed.actor, TABLE)
            .await
            .expect("pauses");
    };
    let (done, ()) = tokio::join!(bed.convert(Direction::Partition, &watch), pausing);
    assert_eq!(done.expect("stops")[0].end, End::Paused);
    assert_eq!(bed.one("SELECT state FROM conversions").await, "paused");
    assert_ne!(bed.layout().await, Layout::Partitioned);
    bed.converted(Direction::Partition).await;
    bed.assert_same().await;
}

#[tokio::test]
async fn a_dead_conversion_is_noticed_and_its_table_is_vacuumed_by_itself_again() {
    let bed = Bed::plain().await;
    assert!(
        bed.convert_until(Direction::Partition, |told| told.step == "split")
            .await
    );
    let options = format!(
        "SELECT coalesce(array_to_string(reloptions, ','), '') FROM pg_class WHERE oid = '{TABLE}'::regclass"
    );
    assert_eq!(bed.one(&options).await, "autovacuum_enabled=false");
    while services::conversion::settle_dead(&bed.services)
        .await
        .expect("looks")
        == 0
    {}
    assert_eq!(bed.one(&options).await, "");
    assert_eq!(bed.one("SELECT state FROM conversions").await, "failed");
    assert_eq!(
        services::conversion::settle_dead(&bed.services)
            .await
            .expect("looks"),
        0
    );
}
