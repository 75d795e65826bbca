//! Older rows follow their project to another keep class.

use db::partitions::{Moves, ReclassBatch, reclass_batch, reclass_done, reclass_span, reclass_work};
use db::{Db, DbError};
use domain::id::ProjectId;
use domain::lifecycle::{KeepDays, next_day, start_of};
use sea_orm::sqlx;
use testkit::database;

use crate::scene::{day, ensure, insert_event, noon, of_events, rows, run, somebody_waits};

fn batch(project: ProjectId, n: u32, class: i16) -> ReclassBatch {
    ReclassBatch {
        project,
        from: start_of(day(n)),
        to: start_of(next_day(day(n))),
        after: None,
        keep_days: KeepDays(class),
        events: 100,
    }
}

async fn filled(db: &Db, project: ProjectId, n: u32, class: i16, events: i64) {
    for second in 0..events {
        insert_event(db, project, noon(n, second), class)
            .await
            .expect("inserted");
    }
}

#[tokio::test]
async fn a_batch_takes_everything_of_its_events_along_and_nothing_of_other_projects() {
    let test = database().await;
    let (mine, other) = (ProjectId::at(noon(1, 0)), ProjectId::at(noon(1, 1)));
    ensure(&test.db, 10, 11, &[7, 30]).await;
    filled(&test.db, mine, 10, 30, 5).await;
    filled(&test.db, other, 10, 30, 4).await;
    filled(&test.db, mine, 11, 30, 2).await;
    let first = reclass_batch(
        &test.db,
        &ReclassBatch {
            events: 3,
            ..batch(mine, 10, 7)
        },
    )
    .await
    .expect("moved");
    assert_eq!(first.moved, [6, 3, 3, 3]);
    assert_eq!(first.found, first.moved);
    let second = ReclassBatch {
        after: first.last,
        ..batch(mine, 10, 7)
    };
    assert_eq!(
        reclass_batch(&test.db, &second).await.expect("moved").moved,
        [4, 2, 2, 2]
    );
    assert_eq!(rows(&test.db, 10, 10, 7).await, of_events(5));
    assert_eq!(rows(&test.db, 10, 10, 30).await, of_events(4));
    assert_eq!(rows(&test.db, 11, 11, 30).await, of_events(2));
    let again = reclass_batch(&test.db, &batch(mine, 10, 7))
        .await
        .expect("looked");
    assert_eq!((again.found, again.moved), ([0; 4], [0; 4]));
    let span = reclass_span(&test.db, mine).await.expect("asked");
    assert_eq!(span, Some((noon(10, 0), noon(11, 1))));
}

#[tokio::test]
async fn an_attempt_that_was_written_late_follows_its_event() {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    ensure(&test.db, 10, 10, &[7, 30]).await;
    filled(&test.db, project, 10, 7, 1).await;
    run(
        &test.db,
        "UPDATE delivery_attempts SET keep_days = 30 WHERE number = 2",
    )
    .await
    .expect("late");
    let moves = reclass_batch(&test.db, &batch(project, 10, 7))
        .await
        .expect("moved");
    assert_eq!(moves.moved, [1, 0, 0, 0]);
    assert_eq!(rows(&test.db, 10, 10, 7).await, of_events(1));
}

#[tokio::test]
async fn a_row_that_somebody_is_changing_is_found_and_left_for_the_next_pass() {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    ensure(&test.db, 10, 10, &[7, 30]).await;
    filled(&test.db, project, 10, 30, 2).await;
    let mut writer = test.db.pool().begin().await.expect("begun");
    sqlx::query("UPDATE event_deliveries SET last_status = 200 WHERE accepted_at = '2026-11-10 12:00Z'")
        .execute(&mut *writer)
        .await
        .expect("changed");
    let moves = reclass_batch(&test.db, &batch(project, 10, 7))
        .await
        .expect("moved");
    assert_eq!((moves.found[1], moves.moved[1]), (2, 1));
    writer.commit().await.expect("committed");
    let moves = reclass_batch(&test.db, &batch(project, 10, 7))
        .await
        .expect("moved");
    assert_eq!((moves.found[1], moves.moved[1]), (1, 1));
    assert_eq!(rows(&test.db, 10, 10, 7).await, of_events(2));
}

#[tokio::test]
async fn a_writer_that_waits_for_a_moving_row_is_told_to_try_again() {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    ensure(&test.db, 10, 10, &[7, 30]).await;
    filled(&test.db, project, 10, 30, 1).await;
    let change = "UPDATE event_deliveries SET last_status = 200 WHERE accepted_at = '2026-11-10 12:00Z'";
    // Somebody keeps the move from ending: the events come last.
    let mut holdup = test.db.pool().begin().await.expect("begun");
    sqlx::query("LOCK TABLE events_20261110_k7 IN SHARE MODE")
        .execute(&mut *holdup)
        .await
        .expect("locked");
    let db = test.db.clone();
    let moving = tokio::spawn(async move { reclass_batch(&db, &batch(project, 10, 7)).await });
    somebody_waits(&test.db).await;
    let db = test.db.clone();
    let changing = tokio::spawn(async move { run(&db, change).await });
    let two_wait = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while crate::scene::number(&test.db, two_wait).await < 2 && !changing.is_finished() {
        tokio::task::yield_now().await;
    }
    holdup.rollback().await.expect("let go");
    let moved = moving.await.expect("ends");
    let changed = changing.await.expect("ends");
    match moved {
        Ok(moves) => {
            assert_eq!(moves.moved, [2, 1, 1, 1]);
            assert!(matches!(changed, Err(DbError::Moved)), "{changed:?}");
            assert_eq!(run(&test.db, change).await.expect("changed"), 1);
        }
        // On a slow machine the move may run into its own limit first; then nothing happened.
        Err(DbError::Unavailable(_)) => assert_eq!(changed.expect("changed"), 1),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_day_without_a_leaf_of_the_class_is_told() {
    let test = database().await;
    let project = ProjectId::at(noon(1, 0));
    ensure(&test.db, 10, 10, &[30]).await;
    filled(&test.db, project, 10, 30, 1).await;
    let error = reclass_batch(&test.db, &batch(project, 10, 7)).await;
    assert!(matches!(error, Err(DbError::NoLeaf)), "{error:?}");
    assert_eq!(rows(&test.db, 10, 10, 30).await, of_events(1));
    let nobody = reclass_batch(&test.db, &batch(ProjectId::at(noon(2, 0)), 10, 7)).await;
    assert_eq!(nobody.expect("nothing to do"), Moves::default());
}

#[tokio::test]
async fn work_is_finished_only_if_nothing_changed_since() {
    let test = database().await;
    let ids = "SELECT gen_random_uuid()";
    let organisation: uuid::Uuid = sqlx::query_scalar(ids)
        .fetch_one(test.db.pool())
        .await
        .expect("an id");
    let project = ProjectId::at(noon(1, 0));
    sqlx::query(
        "INSERT INTO organisations (id, name, created_at, updated_at) VALUES ($1, 'Harbour', now(), now())",
    )
    .bind(organisation)
    .execute(test.db.pool())
    .await
    .expect("an organisation");
    sqlx::query(
        "INSERT INTO projects (id, organisation_id, name, kind, logo_url, config, keep_days, created_at, updated_at, reclass_since) \
         VALUES ($1, $2, 'Checkout', 'outgoing', '', '{}', 7, now(), now(), $3)",
    )
    .bind(project.0)
    .bind(organisation)
    .bind(noon(20, 0))
    .execute(test.db.pool())
    .await
    .expect("a project");
    sqlx::query("INSERT INTO holds VALUES (gen_random_uuid(), $1, 'audit', $2, $3, now(), 'somebody')")
        .bind(project.0)
        .bind(noon(3, 0))
        .bind(noon(4, 0))
        .execute(test.db.pool())
        .await
        .expect("a hold");
    let work = reclass_work(&test.db).await.expect("work");
    assert_eq!(work.len(), 1);
    assert_eq!((work[0].keep_days, work[0].since), (KeepDays(7), noon(20, 0)));
    assert_eq!(work[0].holds, [(noon(3, 0), noon(4, 0))]);
    run(
        &test.db,
        "UPDATE projects SET reclass_since = '2026-11-20 13:00Z'",
    )
    .await
    .expect("changed");
    assert!(!reclass_done(&test.db, project, noon(20, 0)).await.expect("asked"));
    assert!(
        reclass_done(&test.db, project, noon(20, 3600))
            .await
            .expect("done")
    );
    assert_eq!(reclass_work(&test.db).await.expect("work"), []);
}
