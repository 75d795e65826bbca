//! Which leaves there are, and how large.

use db::conversion::Layout;
use db::partitions::{LeafFilter, LeafKind, detach_leaf, leaves, tables, totals};
use domain::id::ProjectId;
use domain::lifecycle::KeepDays;
use testkit::database;

use crate::scene::{day, ensure, insert_event, leaf, noon, patient, run};

#[tokio::test]
async fn leaves_are_listed_with_day_class_rows_and_bytes() {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    ensure(&test.db, 19, 21, &[0, 7]).await;
    for second in 0..3 {
        insert_event(&test.db, project, noon(20, second), 7)
            .await
            .expect("inserted");
    }
    insert_event(&test.db, project, noon(25, 0), 0)
        .await
        .expect("caught");
    let filter = LeafFilter {
        count: true,
        ..LeafFilter::default()
    };
    let all = leaves(&test.db, &filter).await.expect("listed");
    assert_eq!(all.len(), 4 * 7);
    assert!(
        all.iter()
            .all(|leaf| leaf.counted && leaf.bytes > 0 && leaf.kind != LeafKind::Legacy)
    );
    assert_eq!(totals(&all).rows, 4 * 5);
    let caught: Vec<_> = all.iter().filter(|leaf| leaf.kind == LeafKind::Default).collect();
    assert_eq!(totals(caught.iter().copied()).rows, 5);
    assert!(caught.iter().all(|leaf| leaf.id().is_none()));

    let narrow = LeafFilter {
        table: Some("delivery_attempts"),
        from: Some(day(20)),
        to: Some(day(20)),
        keep_days: Some(KeepDays(7)),
        count: true,
    };
    let found = leaves(&test.db, &narrow).await.expect("listed");
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].name.as_str(), found[0].rows),
        ("delivery_attempts_20261120_k7", 6)
    );
}

#[tokio::test]
async fn hot_tables_tell_their_layout_and_what_waits() {
    let test = database().await;
    insert_event(&test.db, ProjectId::at(noon(1, 0)), noon(25, 0), 0)
        .await
        .expect("caught");
    let tables = tables(&test.db).await.expect("listed");
    let names: Vec<&str> = tables.iter().map(|table| table.table).collect();
    assert_eq!(names, domain::lifecycle::PARTITIONED_TABLES);
    assert!(tables.iter().all(|table| table.layout == Layout::Partitioned));
    let waiting: Vec<i64> = tables.iter().map(|table| table.rows_in_default).collect();
    assert_eq!(waiting, [2, 1, 1, 1]);
}

#[tokio::test]
async fn what_is_laid_out_in_another_way_does_not_leave_as_a_whole() {
    let test = database().await;
    ensure(&test.db, 20, 20, &[7]).await;
    // As in the middle of a conversion: a heap, with leaves below it by plain inheritance.
    run(&test.db, "ALTER TABLE events RENAME TO events_before")
        .await
        .expect("renamed");
    run(&test.db, "CREATE TABLE events (LIKE events_before INCLUDING ALL)")
        .await
        .expect("made");
    run(
        &test.db,
        "CREATE TABLE events_20261121_k7 (LIKE events INCLUDING ALL) INHERITS (events)",
    )
    .await
    .expect("made");
    let all = leaves(&test.db, &LeafFilter::default()).await.expect("listed");
    let events: Vec<_> = all.iter().filter(|leaf| leaf.table == "events").collect();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind, events[0].id()), (LeafKind::Legacy, None));
    assert_eq!(
        (events[0].day, events[0].keep_days),
        (Some(day(21)), Some(KeepDays(7)))
    );
    let error = detach_leaf(&test.db, &leaf("events", 21, 7), &patient()).await;
    assert!(matches!(error, Err(db::DbError::Internal(_))), "{error:?}");
    let tables = tables(&test.db).await.expect("listed");
    assert_eq!(tables[2].layout, Layout::Spread);
}
