//! Conversions that are refused, with the table as it was.

use services::access::{Actor, Grants};
use services::conversion::{Direction, Layout};
use services::{Error, Options};

use crate::bed::{Bed, TABLE};

async fn refusal(bed: &Bed, direction: Direction) -> String {
    match bed.convert(direction, &|_| ()).await {
        Err(Error::Conflict(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_the_feature_nothing_is_converted() {
    let bed = Bed::with(Options::default()).await;
    let why = refusal(&bed, Direction::Unpartition).await;
    assert!(why.contains("--enable-feature-flag=retention-policy"), "{why}");
    assert_eq!(bed.layout().await, Layout::Partitioned);
}

#[tokio::test]
async fn what_a_conversion_would_lose_is_named() {
    let bed = Bed::empty().await;
    bed.sql(&format!(
        "CREATE VIEW failures AS SELECT id FROM {TABLE} WHERE state = 4"
    ))
    .await;
    let why = refusal(&bed, Direction::Unpartition).await;
    assert!(why.contains("the view failures"), "{why}");
    assert_eq!(bed.layout().await, Layout::Partitioned);
    bed.sql("DROP VIEW failures").await;
    bed.converted(Direction::Unpartition).await;
}

#[tokio::test]
async fn one_conversion_goes_on_at_a_time() {
    let bed = Bed::empty().await;
    let other = db::conversion::Session::open(&bed.services.db, "events")
        .await
        .expect("opens")
        .expect("is the only one");
    let why = refusal(&bed, Direction::Unpartition).await;
    assert!(why.contains("another conversion"), "{why}");
    other.close().await;
    bed.converted(Direction::Unpartition).await;
}

#[tokio::test]
async fn a_leaf_in_the_way_that_holds_rows_is_never_taken_over() {
    let bed = Bed::plain().await;
    bed.sql(&format!(
        "CREATE TABLE {TABLE}_20261119_k7 AS SELECT * FROM {TABLE} WHERE keep_days = 7 LIMIT 1"
    ))
    .await;
    let why = refusal(&bed, Direction::Partition).await;
    assert!(
        why.contains("event_deliveries_20261119_k7 stands in the way"),
        "{why}"
    );
    assert_eq!(bed.one("SELECT state FROM conversions").await, "failed");
    bed.sql(&format!("DROP TABLE {TABLE}_20261119_k7")).await;
    bed.converted(Direction::Partition).await;
    bed.assert_same().await;
}

#[tokio::test]
async fn a_table_left_over_with_rows_is_never_dropped() {
    let bed = Bed::plain().await;
    bed.sql(&format!(
        "CREATE TABLE {TABLE}_legacy AS SELECT * FROM {TABLE} LIMIT 1"
    ))
    .await;
    let why = refusal(&bed, Direction::Partition).await;
    assert!(why.contains("event_deliveries_legacy is in the way"), "{why}");
    assert_eq!(
        bed.one(&format!("SELECT count(*)::text FROM {TABLE}_legacy"))
            .await,
        "1"
    );
    assert_eq!(bed.layout().await, Layout::Plain);
}

#[tokio::test]
async fn only_an_instance_admin_converts() {
    let bed = Bed::empty().await;
    let actor = Actor {
        grants: Grants::Projects(Vec::new()),
        ..Actor::system()
    };
    let tables = [TABLE];
    let refused =
        services::conversion::convert(&bed.services, &actor, Direction::Unpartition, &tables, &|_| ()).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    assert!(services::conversion::list(&bed.services, &actor).await.is_err());
    assert!(
        services::conversion::pause(&bed.services, &actor, TABLE)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn only_hot_tables_are_converted() {
    assert!(matches!(
        services::conversion::tables(Some("users")),
        Err(Error::Invalid(_))
    ));
    let order = services::conversion::tables(None).expect("all of them");
    assert_eq!(
        order,
        ["delivery_attempts", "event_deliveries", "events", "events_search"]
    );
}
