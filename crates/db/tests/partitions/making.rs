//! Days and leaves come without standing in anybody's way.

use db::DbError;
use db::partitions::Made;
use domain::id::ProjectId;
use sea_orm::sqlx;
use testkit::database;

use crate::scene::{
    FOR_EVER, Writer, day, ensure, insert_event, noon, number, of_events, rows, run, somebody_waits,
};

#[tokio::test]
async fn days_and_leaves_come_while_a_writer_is_in_the_middle_of_its_transaction() {
    let test = database().await;
    ensure(&test.db, 20, 20, &[0]).await;
    let mut writer = test.db.pool().begin().await.expect("begun");
    sqlx::query(
        "INSERT INTO events (accepted_at, keep_days, state, kind, id, project_id, event_type, payload) \
         VALUES ('2026-11-20 12:00Z', 0, 2, 0, gen_random_uuid(), gen_random_uuid(), 'a', '{}')",
    )
    .execute(&mut *writer)
    .await
    .expect("inserted");
    // Both need the table, the second one also the very day that the writer is in.
    let made = ensure(&test.db, 21, 22, &[0]).await;
    assert_eq!((made.days, made.leaves), (8, 8));
    let made = ensure(&test.db, 20, 20, &[0, 30]).await;
    assert_eq!((made.days, made.leaves), (0, 4));
    writer.commit().await.expect("committed");
    assert_eq!(ensure(&test.db, 20, 22, &[0]).await, Made::default());
}

#[tokio::test]
async fn no_insert_fails_while_days_and_classes_come() {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    ensure(&test.db, 20, 20, &[0]).await;
    let writers = [
        Writer::start(&test.db, project, 20, 0),
        // Nobody prepared this day: the default leaf catches its rows until they are moved.
        Writer::start(&test.db, project, 23, 7),
    ];
    for last in 21..=26 {
        ensure(&test.db, 20, last, &[0, 7]).await;
        db::partitions::bring_home(&test.db).await.expect("brought home");
    }
    let mut written = 0;
    for writer in writers {
        written += writer.stop().await.expect("every insert worked");
    }
    assert!(written > 0);
    let (first, second) = (rows(&test.db, 20, 20, 0).await, rows(&test.db, 23, 23, 7).await);
    let both: Vec<i64> = first.iter().zip(second).map(|(a, b)| a + b).collect();
    assert_eq!(both, of_events(written));
    let waiting = db::partitions::rows_in_default(&test.db, 100)
        .await
        .expect("counted");
    assert!(waiting.iter().all(|(_, n)| *n == 0), "{waiting:?}");
}

#[tokio::test]
async fn rows_of_any_day_and_class_come_home_from_the_default_leaf() {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    for (n, class) in [(2, 0), (2, 365), (9, 7), (28, 30)] {
        insert_event(&test.db, project, noon(n, 0), class)
            .await
            .expect("caught");
    }
    let made = db::partitions::bring_home(&test.db).await.expect("brought home");
    assert_eq!((made.days, made.leaves, made.moved), (12, 16, 20));
    assert_eq!(number(&test.db, "SELECT count(*) FROM events_default").await, 0);
    for leaf in [
        "events_20261102_k0",
        "events_20261102_k365",
        "events_20261109_k7",
        "events_20261128_k30",
    ] {
        assert_eq!(number(&test.db, &format!("SELECT count(*) FROM {leaf}")).await, 1);
    }
    assert_eq!(
        db::partitions::bring_home(&test.db).await.expect("again"),
        Made::default()
    );
}

#[tokio::test]
async fn a_row_that_lands_in_the_default_leaf_beside_a_day_in_the_making_is_not_lost() {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    // A first row, so that the day is made together with moving it.
    insert_event(&test.db, project, noon(21, 0), 0)
        .await
        .expect("caught");
    let mut writer = test.db.pool().begin().await.expect("begun");
    sqlx::query(
        "INSERT INTO events (accepted_at, keep_days, state, kind, id, project_id, event_type, payload) \
         VALUES ('2026-11-21 13:00Z', 0, 2, 0, $1, $2, 'a', '{}')",
    )
    .bind(domain::id::EventId::at(noon(21, 3600)).0)
    .bind(project.0)
    .execute(&mut *writer)
    .await
    .expect("caught, and not committed yet");
    let db = test.db.clone();
    let making = tokio::spawn(async move { ensure(&db, 21, 21, &[0]).await });
    somebody_waits(&test.db).await;
    writer.commit().await.expect("committed");
    let made = making.await.expect("ends");
    assert_eq!(
        made.moved, 6,
        "five rows of the first event, and the one that landed meanwhile"
    );
    assert_eq!(
        number(&test.db, "SELECT count(*) FROM events_20261121_k0").await,
        2
    );
}

#[tokio::test]
async fn a_delivery_that_is_changed_while_its_row_moves_home_keeps_the_change() {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    insert_event(&test.db, project, noon(21, 0), 0)
        .await
        .expect("caught");
    // Someone holds up the move, someone else changes the row behind it.
    let mut reader = test.db.pool().begin().await.expect("begun");
    sqlx::query("SELECT count(*) FROM event_deliveries")
        .execute(&mut *reader)
        .await
        .expect("read");
    let db = test.db.clone();
    let making = tokio::spawn(async move { ensure(&db, 21, 21, &[0]).await });
    somebody_waits(&test.db).await;
    let db = test.db.clone();
    let changing = tokio::spawn(async move {
        run(
            &db,
            "UPDATE event_deliveries SET last_status = 200 WHERE accepted_at = '2026-11-21 12:00Z'",
        )
        .await
    });
    reader.commit().await.expect("committed");
    making.await.expect("ends");
    assert_eq!(changing.await.expect("ends").expect("changed"), 1);
    let kept = "SELECT count(*) FROM event_deliveries_20261121_k0 WHERE last_status = 200";
    assert_eq!(number(&test.db, kept).await, 1);
}

#[tokio::test]
async fn many_processes_may_make_the_same_days_at_once() {
    let test = database().await;
    let calls = (0..4).map(|_| ensure(&test.db, 20, 24, &[0, 7]));
    let made = futures::future::join_all(calls).await;
    let days: u32 = made.iter().map(|made| made.days).sum();
    let leaves: u32 = made.iter().map(|made| made.leaves).sum();
    assert_eq!((days, leaves), (20, 40));
}

#[tokio::test]
async fn a_lock_that_is_held_for_a_while_delays_a_day_and_does_not_prevent_it() {
    let test = database().await;
    let mut other = test.db.pool().begin().await.expect("begun");
    sqlx::query("LOCK TABLE ONLY events IN SHARE UPDATE EXCLUSIVE MODE")
        .execute(&mut *other)
        .await
        .expect("locked");
    let db = test.db.clone();
    let making = tokio::spawn(async move { ensure(&db, 21, 21, &[0]).await });
    somebody_waits(&test.db).await;
    other.rollback().await.expect("ended");
    assert_eq!(making.await.expect("ends").days, 4);
}

#[tokio::test]
async fn a_table_that_is_not_partitioned_is_left_alone() {
    let test = database().await;
    run(&test.db, "ALTER TABLE events RENAME TO events_before")
        .await
        .expect("renamed");
    run(&test.db, "CREATE TABLE events (LIKE events_before INCLUDING ALL)")
        .await
        .expect("made");
    let made = ensure(&test.db, 20, 21, &[0]).await;
    assert_eq!((made.days, made.leaves), (6, 6));
    let waiting = db::partitions::rows_in_default(&test.db, 10)
        .await
        .expect("counted");
    assert_eq!(waiting.len(), 4);
}

#[tokio::test]
async fn a_strangers_table_is_neither_used_nor_removed() {
    let test = database().await;
    run(
        &test.db,
        "CREATE TABLE events_20261121_k7 (LIKE events INCLUDING ALL)",
    )
    .await
    .expect("made");
    let made = ensure(&test.db, 21, 21, &[0, 7]).await;
    assert_eq!((made.days, made.leaves, made.blocked), (4, 7, 1));
    let error = insert_event(&test.db, ProjectId::at(noon(1, 0)), noon(21, 0), 7).await;
    assert!(matches!(error, Err(DbError::NoLeaf)), "{error:?}");
    run(&test.db, "DROP TABLE events_20261121_k7")
        .await
        .expect("still there");
    assert_eq!(ensure(&test.db, 21, 21, &[0, 7]).await.leaves, 1);
}

#[tokio::test]
async fn a_class_that_no_project_has_leaves_use_and_for_ever_never_does() {
    let test = database().await;
    db::partitions::add_class(&test.db, domain::lifecycle::KeepDays(30))
        .await
        .expect("added");
    assert_eq!(db::partitions::retire_classes(&test.db).await.expect("looked"), 0);
    run(
        &test.db,
        "UPDATE keep_classes SET created_at = now() - interval '2 hours'",
    )
    .await
    .expect("aged");
    assert_eq!(
        db::partitions::retire_classes(&test.db).await.expect("retired"),
        1
    );
    assert_eq!(
        db::partitions::classes(&test.db).await.expect("classes"),
        [FOR_EVER]
    );
    let made = db::partitions::ensure(&test.db, day(20), day(20), &[FOR_EVER])
        .await
        .expect("made");
    assert_eq!(made.leaves, 4);
}
