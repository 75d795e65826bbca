//! Days and leaves, and the net under them.

use chrono::{Days, TimeDelta};
use domain::lifecycle::KeepDays;
use domain::state::DeliveryState;
use testkit::{Gateway, Receiver};

#[tokio::test]
async fn events_of_a_day_that_nobody_prepared_are_kept_and_moved_home() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    gateway.pass(TimeDelta::days(40));
    let event = gateway.send(endpoint, "{}").await;
    let before = gateway.wait_for(event, DeliveryState::Success).await;
    let db = &gateway.services.db;
    let waiting: i64 = rows_in_default(db).await;
    assert_eq!(waiting, 3, "event, delivery and attempt wait in default leaves");
    let made = services::partitions::keep_ahead(&gateway.services)
        .await
        .expect("made");
    assert_eq!(made.moved, 3);
    assert_eq!(rows_in_default(db).await, 0);
    let after = gateway.wait_for(event, DeliveryState::Success).await;
    assert_eq!(before.id, after.id);
    let again = services::partitions::keep_ahead(&gateway.services)
        .await
        .expect("made");
    assert_eq!(
        again,
        db::partitions::Made::default(),
        "a second run finds nothing to do"
    );
}

#[tokio::test]
async fn rows_come_home_although_their_day_is_long_over() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let endpoint = gateway.endpoint(&receiver.url("/")).await;
    gateway.pass(TimeDelta::days(40));
    let event = gateway.send(endpoint, "{}").await;
    gateway.wait_for(event, DeliveryState::Success).await;
    gateway.pass(TimeDelta::days(40));
    let made = services::partitions::keep_ahead(&gateway.services)
        .await
        .expect("made");
    assert_eq!(made.moved, 3);
    assert_eq!(rows_in_default(&gateway.services.db).await, 0);
    gateway.wait_for(event, DeliveryState::Success).await;
}

#[tokio::test]
async fn leaves_of_a_class_exist_before_the_class_is_used() {
    let gateway = Gateway::start().await;
    let (services, db) = (&gateway.services, &gateway.services.db);
    services::partitions::use_class(services, KeepDays(30))
        .await
        .expect("used");
    assert_eq!(
        db::partitions::classes(db).await.expect("classes"),
        [KeepDays(0), KeepDays(30)]
    );
    let today = services.clock.now().date_naive();
    let tomorrow = today.checked_add_days(Days::new(1)).expect("a day");
    let made = db::partitions::ensure(db, today, tomorrow, &[KeepDays(30)])
        .await
        .expect("ensured");
    assert_eq!(made, db::partitions::Made::default());
}

async fn rows_in_default(db: &db::Db) -> i64 {
    db::partitions::rows_in_default(db, 100)
        .await
        .expect("counted")
        .iter()
        .map(|(_, n)| n)
        .sum()
}
