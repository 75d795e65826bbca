//! What works in every layout: retention, and writing a row a second time.

use chrono::NaiveDate;
use db::databases::answers;
use db::hot::{Existing, Group, NewDelivery, Standing};
use domain::id::{DeliveryId, EndpointId, EventId, ProjectId};
use domain::lifecycle::KeepDays;
use domain::state::DeliveryState;
use services::conversion::{Direction, Layout, expire_rows};

use crate::bed::{Bed, NOW, TABLE};

/// Deletes the failed rows of 15 November, and nothing else.
async fn expire(bed: &Bed, layout: Layout) {
    assert_eq!(bed.layout().await, layout);
    let day = NaiveDate::from_ymd_opt(2026, 11, 15).expect("a day");
    let within = "keep_days = 30 AND accepted_at >= '2026-11-15' AND accepted_at < '2026-11-16'";
    let expected = bed
        .sql(&format!("DELETE FROM mirror WHERE {within} RETURNING 'x'"))
        .await
        .len() as u64;
    assert!(expected > 100, "{expected}");
    let mut gone = 0;
    loop {
        let n = expire_rows(&bed.services.db, TABLE, day, KeepDays(30), 100)
            .await
            .expect("deletes");
        assert!(n <= 100, "{n}");
        gone += n;
        if n < 100 {
            break;
        }
    }
    assert_eq!(gone, expected);
    bed.assert_same().await;
}

#[tokio::test]
async fn rows_expire_in_a_heap() {
    let bed = Bed::plain().await;
    expire(&bed, Layout::Plain).await;
}

#[tokio::test]
async fn rows_expire_half_way_through_a_conversion() {
    let bed = Bed::plain().await;
    // Its days are split oldest first: 15 November is about half way.
    let half = bed
        .convert_until(Direction::Partition, |told| {
            told.step == "split" && told.rows_done > 9_000
        })
        .await;
    assert!(half);
    expire(&bed, Layout::Spread).await;
    bed.converted(Direction::Partition).await;
    bed.assert_same().await;
}

#[tokio::test]
async fn only_hot_tables_expire() {
    let bed = Bed::empty().await;
    let day = NaiveDate::from_ymd_opt(2026, 11, 15).expect("a day");
    assert!(
        expire_rows(&bed.services.db, "users", day, KeepDays(30), 1)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_row_that_is_written_again_stays_one_row_in_every_layout() {
    let bed = Bed::empty().await;
    let group = delivery_of(NOW);
    let db = &bed.services.db;
    let rows = format!("SELECT count(*)::text FROM {TABLE}");
    let check = async |layout: Layout| {
        assert_eq!(bed.layout().await, layout);
        db::hot::write(db, &group, 0, Existing::Keep)
            .await
            .expect("writes");
        assert_eq!(bed.one(&rows).await, "1", "{layout:?}");
    };
    check(Layout::Partitioned).await;
    assert!(
        bed.convert_until(Direction::Unpartition, |told| told.step == "gather")
            .await
    );
    check(Layout::Spread).await;
    bed.converted(Direction::Unpartition).await;
    check(Layout::Plain).await;
    assert!(
        bed.convert_until(Direction::Partition, |told| told.step == "swap")
            .await
    );
    check(Layout::Spread).await;
    bed.converted(Direction::Partition).await;
    check(Layout::Partitioned).await;
}

#[tokio::test]
async fn a_row_that_lies_in_both_places_all_the_same_becomes_one() {
    let bed = Bed::plain().await;
    assert!(
        bed.convert_until(Direction::Partition, |told| told.step == "split"
            && told.rows_done > 9_000)
            .await
    );
    // Inserted behind the back of what compares ids: an old row that is in its leaf already.
    let again = format!(
        "INSERT INTO {TABLE} SELECT * FROM {TABLE} WHERE tableoid <> '{TABLE}'::regclass ORDER BY id LIMIT 10"
    );
    answers(&bed.services.db, &again).await.expect("inserts");
    bed.converted(Direction::Partition).await;
    bed.assert_same().await;
}

fn delivery_of(at: &str) -> Group<&'static str> {
    let at = at.parse().expect("a time");
    let row = NewDelivery {
        id: DeliveryId::at(at),
        keep_days: KeepDays::FOR_EVER,
        project_id: ProjectId::at(at),
        event_id: EventId::at(at),
        endpoint_id: EndpointId::at(at),
        subscription_id: None,
        event_type: "twice",
        standing: Standing {
            state: DeliveryState::Success,
            due_at: None,
            ended_at: Some(at),
            latency_ms: Some(1),
            attempts: 1,
            last_status: Some(200),
            description: None,
            retry: None,
        },
    };
    Group {
        deliveries: vec![row],
        ..Group::default()
    }
}
