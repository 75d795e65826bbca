//! Leaves go while everybody works on, and a drop that died anywhere is finished by the next one.

use db::DbError;
use db::partitions::{
    Dropped, Stage, attach_back, detach_leaf, drop_detached, drop_empty_days, drop_leaf, unfinished,
};
use domain::id::ProjectId;
use sea_orm::sqlx;
use testkit::{TestDb, database};

use crate::scene::{
    Writer, day, ensure, hurried, insert_event, leaf, noon, number, of_events, patient, rows, run,
};

/// Three events of class 7 on the 10th, in leaves of class 0 and 7.
async fn scene() -> (TestDb, ProjectId) {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    ensure(&test.db, 10, 11, &[0, 7]).await;
    for second in 0..3 {
        insert_event(&test.db, project, noon(10, second), 7)
            .await
            .expect("inserted");
    }
    (test, project)
}

async fn record(test: &TestDb, name: &str) -> (String, i64) {
    sqlx::query_as("SELECT state, row_count FROM leaf_drops WHERE leaf = $1")
        .bind(name)
        .fetch_one(test.db.pool())
        .await
        .expect("a record")
}

#[tokio::test]
async fn a_leaf_goes_while_others_insert_into_its_day_and_read_its_table() {
    let (test, project) = scene().await;
    let writer = Writer::start(&test.db, project, 10, 0);
    let db = test.db.clone();
    let reader = tokio::spawn(async move {
        for _ in 0..200 {
            number(&db, "SELECT count(*) FROM events").await;
        }
    });
    let dropped = drop_leaf(&test.db, &leaf("events", 10, 7), &patient())
        .await
        .expect("dropped");
    assert_eq!(dropped.rows, 3);
    assert!(dropped.bytes > 0);
    reader.await.expect("no read failed");
    let written = writer.stop().await.expect("no insert failed");
    assert_eq!(rows(&test.db, 10, 10, 0).await, of_events(written));
    assert_eq!(
        record(&test, "events_20261110_k7").await,
        ("dropped".to_owned(), 3)
    );
    assert_eq!(
        number(&test.db, "SELECT count(*) FROM event_deliveries_20261110_k7").await,
        3
    );
}

#[tokio::test]
async fn a_drop_that_died_after_detaching_is_finished_by_the_next_one() {
    let (test, _) = scene().await;
    let leaf = leaf("events", 10, 7);
    assert_eq!(
        detach_leaf(&test.db, &leaf, &patient()).await.expect("detached"),
        Stage::Detached
    );
    assert_eq!(
        number(&test.db, "SELECT count(*) FROM events").await,
        0,
        "out of sight"
    );
    assert_eq!(
        number(&test.db, "SELECT count(*) FROM events_20261110_k7").await,
        3,
        "and unharmed"
    );
    assert_eq!(
        unfinished(&test.db).await.expect("listed"),
        [(leaf, Stage::Detached)]
    );

    assert_eq!(
        drop_leaf(&test.db, &leaf, &patient())
            .await
            .expect("dropped")
            .rows,
        3
    );
    assert_eq!(unfinished(&test.db).await.expect("listed"), []);
    let again = drop_leaf(&test.db, &leaf, &patient())
        .await
        .expect("nothing to do");
    assert_eq!(again, Dropped::default());
    assert_eq!(
        record(&test, "events_20261110_k7").await,
        ("dropped".to_owned(), 3)
    );
}

#[tokio::test]
async fn a_drop_that_died_before_detaching_lost_nothing() {
    let (test, _) = scene().await;
    run(
        &test.db,
        "INSERT INTO leaf_drops (leaf, table_name, day, keep_days, state, since) \
         VALUES ('events_20261110_k7', 'events', '2026-11-10', 7, 'dropping', now())",
    )
    .await
    .expect("marked");
    let leaf = leaf("events", 10, 7);
    assert_eq!(
        unfinished(&test.db).await.expect("listed"),
        [(leaf, Stage::Attached)]
    );
    assert_eq!(number(&test.db, "SELECT count(*) FROM events").await, 3);
    assert_eq!(
        drop_leaf(&test.db, &leaf, &patient())
            .await
            .expect("dropped")
            .rows,
        3
    );
}

#[tokio::test]
async fn a_long_transaction_delays_a_drop_which_the_next_call_finishes() {
    let (test, _) = scene().await;
    let (first, second) = (leaf("events", 10, 7), leaf("events", 10, 0));
    let mut reader = test.db.pool().begin().await.expect("begun");
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
        .fetch_one(&mut *reader)
        .await
        .expect("read");
    assert_eq!(seen, 3);
    let error = drop_leaf(&test.db, &first, &hurried())
        .await
        .expect_err("somebody still reads");
    assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
    assert_eq!(
        unfinished(&test.db).await.expect("listed"),
        [(first, Stage::Detaching)]
    );
    // Rows of the class have no place now; whoever brings some is told to come back.
    let error = db::partitions::ensure(&test.db, day(10), day(10), &[first.keep_days]).await;
    assert!(matches!(error, Err(DbError::Moved)), "{error:?}");
    reader.commit().await.expect("ended");

    // A day can have only one leaf on its way out: the other one helps it along.
    drop_leaf(&test.db, &second, &patient()).await.expect("dropped");
    assert_eq!(
        unfinished(&test.db).await.expect("listed"),
        [(first, Stage::Detached)]
    );
    assert_eq!(
        drop_leaf(&test.db, &first, &patient())
            .await
            .expect("dropped")
            .rows,
        3
    );
}

#[tokio::test]
async fn a_detached_leaf_can_be_put_back_and_says_why() {
    let (test, project) = scene().await;
    let leaf = leaf("events", 10, 7);
    detach_leaf(&test.db, &leaf, &patient()).await.expect("detached");
    attach_back(&test.db, &leaf, "2 rows are in no segment", &patient())
        .await
        .expect("attached");
    assert_eq!(number(&test.db, "SELECT count(*) FROM events").await, 3);
    let (state, reason): (String, String) =
        sqlx::query_as("SELECT state, reason FROM leaf_drops WHERE leaf = 'events_20261110_k7'")
            .fetch_one(test.db.pool())
            .await
            .expect("a record");
    assert_eq!(
        (state.as_str(), reason.as_str()),
        ("refused", "2 rows are in no segment")
    );
    let checks = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'events_20261110_k7'::regclass AND contype = 'c'";
    let usual = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'events_20261110_k0'::regclass AND contype = 'c'";
    assert_eq!(number(&test.db, checks).await, number(&test.db, usual).await);
    insert_event(&test.db, project, noon(10, 9), 7)
        .await
        .expect("takes rows again");
    assert!(matches!(
        drop_detached(&test.db, &leaf, &patient()).await,
        Err(DbError::Moved)
    ));
    assert_eq!(
        drop_leaf(&test.db, &leaf, &patient())
            .await
            .expect("dropped")
            .rows,
        4
    );
}

#[tokio::test]
async fn a_detached_leaf_comes_back_with_its_rows_when_new_ones_need_it() {
    let (test, project) = scene().await;
    let leaf = leaf("events", 10, 7);
    detach_leaf(&test.db, &leaf, &patient()).await.expect("detached");
    let error = insert_event(&test.db, project, noon(10, 5), 7).await;
    assert!(matches!(error, Err(DbError::NoLeaf)), "{error:?}");
    assert_eq!(ensure(&test.db, 10, 10, &[7]).await.leaves, 1);
    insert_event(&test.db, project, noon(10, 5), 7)
        .await
        .expect("has a place");
    assert_eq!(number(&test.db, "SELECT count(*) FROM events").await, 4);
    assert!(matches!(
        drop_detached(&test.db, &leaf, &patient()).await,
        Err(DbError::Moved)
    ));
    assert_eq!(unfinished(&test.db).await.expect("listed"), []);
}

#[tokio::test]
async fn a_leaf_that_somebody_else_detached_is_not_dropped() {
    let (test, _) = scene().await;
    run(
        &test.db,
        "ALTER TABLE events_20261110 DETACH PARTITION events_20261110_k7",
    )
    .await
    .expect("detached");
    let leaf = leaf("events", 10, 7);
    let error = drop_leaf(&test.db, &leaf, &patient()).await;
    assert!(matches!(error, Err(DbError::Internal(_))), "{error:?}");
    assert!(matches!(
        drop_detached(&test.db, &leaf, &patient()).await,
        Err(DbError::Moved)
    ));
    assert_eq!(
        number(&test.db, "SELECT count(*) FROM events_20261110_k7").await,
        3
    );
}

#[tokio::test]
async fn a_leaf_that_came_again_adds_to_what_left_before() {
    let (test, project) = scene().await;
    let leaf = leaf("events", 10, 7);
    drop_leaf(&test.db, &leaf, &patient()).await.expect("dropped");
    ensure(&test.db, 10, 10, &[7]).await;
    insert_event(&test.db, project, noon(10, 8), 7)
        .await
        .expect("late");
    assert_eq!(
        drop_leaf(&test.db, &leaf, &patient())
            .await
            .expect("dropped")
            .rows,
        1
    );
    assert_eq!(
        record(&test, "events_20261110_k7").await,
        ("dropped".to_owned(), 4)
    );
}

#[tokio::test]
async fn days_without_leaves_go_and_others_stay() {
    let (test, project) = scene().await;
    for class in [0, 7] {
        drop_leaf(&test.db, &leaf("events", 10, class), &patient())
            .await
            .expect("dropped");
        drop_leaf(&test.db, &leaf("events", 11, class), &patient())
            .await
            .expect("dropped");
    }
    drop_leaf(&test.db, &leaf("event_deliveries", 10, 0), &patient())
        .await
        .expect("dropped");
    let mut reader = test.db.pool().begin().await.expect("begun");
    sqlx::query("SELECT count(*) FROM events")
        .execute(&mut *reader)
        .await
        .expect("read");
    let gone = drop_empty_days(&test.db, day(11), &hurried())
        .await
        .expect("looked");
    assert_eq!(gone, [], "somebody is at work");
    reader.commit().await.expect("ended");
    let gone = drop_empty_days(&test.db, day(11), &patient())
        .await
        .expect("dropped");
    assert_eq!(
        gone,
        [("events", day(10))],
        "the 11th is not over, the deliveries have a leaf left"
    );
    insert_event(&test.db, project, noon(10, 8), 7)
        .await
        .expect("the default leaf catches it");
    assert_eq!(number(&test.db, "SELECT count(*) FROM events_default").await, 1);
    assert_eq!(
        db::partitions::bring_home(&test.db)
            .await
            .expect("brought home")
            .moved,
        1
    );
    assert_eq!(
        number(&test.db, "SELECT count(*) FROM events_20261110_k7").await,
        1
    );
}
