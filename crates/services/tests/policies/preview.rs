use chrono::NaiveDate;
use db::partitions::ensure;
use domain::lifecycle::KeepDays;
use services::holds::{self, NewHold};
use services::retention::{self, Preview};

use crate::world::{World, policy};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// From 10 to 20 November, each day ten events of the project and thirty of another, half of them
/// at 10 o'clock and half at 14, with two deliveries each; and the counters that belong to them.
const SCENE: &str = "
CREATE FUNCTION id_at(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid $$;
CREATE TABLE accepted AS
SELECT at, id_at(at) AS id, CASE WHEN n <= 10 THEN 'OWN'::uuid ELSE gen_random_uuid() END AS project
  FROM generate_series('2026-11-10 10:00+00'::timestamptz, '2026-11-20 10:00+00', '1 day') day,
       generate_series(1, 40) n,
       LATERAL (SELECT day + (n % 2) * interval '4 hours' + n * interval '1 ms' AS at) made;
INSERT INTO events (accepted_at, keep_days, state, kind, id, project_id, event_type, payload)
SELECT at, 10, 2, 0, id, project, 'order.created', '{}' FROM accepted;
INSERT INTO event_deliveries (accepted_at, ended_at, keep_days, state, attempts, id, project_id, event_id, endpoint_id,
                              event_type)
SELECT at, at, 10, 3, 1, id_at(at), project, id, gen_random_uuid(), 'order.created'
  FROM accepted, generate_series(1, 2);
INSERT INTO delivery_counts_hourly (hour, n, metric, shard, project_id, endpoint_id)
SELECT date_trunc('hour', at), count(*), 1, 0, project, '00000000-0000-0000-0000-000000000000'
  FROM accepted GROUP BY 1, project;
";

async fn scene() -> World {
    let world = World::new().await;
    world.keep(true, "10").await;
    ensure(
        &world.services.db,
        day("2026-11-10"),
        day("2026-11-20"),
        &[KeepDays::FOR_EVER, KeepDays(10)],
    )
    .await
    .expect("leaves");
    world.sql(&SCENE.replace("OWN", &world.project.to_string())).await;
    world.sql("UPDATE projects SET reclass_since = NULL").await;
    world
}

async fn look(world: &World, on: bool, days: &str) -> Preview {
    retention::preview(&world.services, &world.viewer(), world.project, &policy(on, days))
        .await
        .expect("worked out")
}

#[tokio::test]
async fn shortening_shows_days_rows_and_bytes_of_this_project_alone() {
    let world = scene().await;
    let preview = look(&world, true, "3").await;
    let days: Vec<_> = preview.days.iter().map(|day| day.day.to_string()).collect();
    assert_eq!(
        (days.len(), days[0].as_str(), days[7].as_str()),
        (8, "2026-11-10", "2026-11-17")
    );
    assert_eq!(
        preview.days_by_change(),
        7,
        "the first day leaves that night anyway"
    );
    assert!(preview.days[0].leaves_anyway && preview.days.iter().all(|day| day.events == 10));
    assert_eq!(preview.next_deletion_at.to_rfc3339(), "2026-11-21T02:15:00+00:00");
    assert!(preview.needs_confirmation);
    assert_eq!(preview.project_name, "Shop");

    let figures: Vec<_> = preview
        .tables
        .iter()
        .map(|table| (table.table.as_str(), table.leaves, table.rows))
        .collect();
    assert_eq!(
        figures,
        [
            ("delivery_attempts", 0, 0),
            ("event_deliveries", 8, 160),
            ("events", 8, 80),
            ("events_search", 0, 0),
        ]
    );
    assert_eq!((preview.total.leaves, preview.total.rows), (16, 240));
    assert_eq!(preview.total.oldest, Some(day("2026-11-10")));
    assert_eq!(preview.total.newest, Some(day("2026-11-17")));
    let events = &preview.tables[2];
    assert!(events.bytes > 0, "{events:?}");
    assert_eq!(
        preview.database_bytes_after,
        preview.database_bytes_before - preview.total.bytes
    );
    // Three days stay: 10 events and 20 deliveries each, to be moved.
    assert_eq!(preview.rows_moved, 90);
    // Nothing was changed by looking.
    assert_eq!(world.reclass_since().await, None);
}

#[tokio::test]
async fn what_a_hold_keeps_is_told_apart() {
    let world = scene().await;
    let morning = NewHold {
        name: "Chargeback".to_owned(),
        from: "2026-11-12T00:00:00Z".parse().expect("a time"),
        to: "2026-11-12T12:00:00Z".parse().expect("a time"),
    };
    holds::place(&world.services, &world.admin, world.project, morning)
        .await
        .expect("placed");
    let preview = look(&world, true, "3").await;
    let events = &preview.tables[2];
    assert_eq!((events.rows, events.held_rows), (75, 5));
    let deliveries = &preview.tables[1];
    assert_eq!((deliveries.rows, deliveries.held_rows), (150, 10));
    assert_eq!(preview.total.held_rows, 15);
}

#[tokio::test]
async fn lengthening_spares_days_and_lets_none_leave() {
    let world = scene().await;
    let preview = look(&world, true, "30").await;
    assert_eq!((preview.days.len(), preview.days_spared), (0, 1));
    assert!(!preview.needs_confirmation);
    assert_eq!(preview.total.rows, 0);
    assert_eq!(preview.database_bytes_after, preview.database_bytes_before);
    let off = look(&world, false, "30").await;
    assert_eq!((off.days.len(), off.days_spared), (0, 1));
}

#[tokio::test]
async fn days_with_a_verified_copy_stay_readable() {
    let world = scene().await;
    let covered = "INSERT INTO backup_days (project_id, day, part, state)
         SELECT 'OWN', day, part, CASE WHEN day = '2026-11-13' AND part = 'deliveries' THEN 'waiting' ELSE 'covered' END
           FROM generate_series('2026-11-10'::timestamp, '2026-11-13', '1 day') day,
                (VALUES ('events'), ('deliveries')) parts (part)";
    world
        .sql(&covered.replace("OWN", &world.project.to_string()))
        .await;
    let preview = look(&world, true, "3").await;
    assert_eq!(
        preview.days_readable(),
        3,
        "of 13 November only the events are copied"
    );
    assert!(preview.days[2].is_covered && !preview.days[3].is_covered);
}

#[tokio::test]
async fn while_the_feature_is_off_the_preview_says_so() {
    let world = scene().await;
    let preview = look(&world, true, "3").await;
    assert!(
        preview
            .flag
            .advice()
            .expect("advice")
            .contains("Nothing is deleted")
    );
    let on = world.process(|options| options.lifecycle.retention_policy = true);
    let preview = retention::preview(&on, &world.viewer(), world.project, &policy(true, "3"))
        .await
        .expect("worked out");
    assert_eq!(preview.flag.advice(), None);
}

#[tokio::test]
async fn a_project_without_events_lets_nothing_leave() {
    let world = scene().await;
    let (empty, admin) = world.new_project("Empty").await;
    let preview = retention::preview(&world.services, &admin, empty.id, &policy(true, "1"))
        .await
        .expect("worked out");
    assert_eq!(
        (preview.days.len(), preview.total.rows, preview.rows_moved),
        (0, 0, 0)
    );
    assert!(preview.needs_confirmation, "it is about what comes, too");
}
