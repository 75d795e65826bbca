//! A conversion from its start to its end, while the table is in use.

use services::conversion::{Direction, End, Layout};

use crate::bed::{Bed, TABLE};
use crate::traffic::Traffic;

#[tokio::test(flavor = "multi_thread")]
async fn a_heap_becomes_days_and_leaves_under_traffic_row_for_row() {
    let bed = Bed::plain().await;
    let mut traffic = Traffic::start(&bed);
    traffic.pass(10).await;
    let done = bed.converted(Direction::Partition).await;
    traffic.pass(10).await;
    traffic.stop().await;
    assert_eq!(bed.layout().await, Layout::Partitioned);
    assert!(done.rows_moved >= 19_000, "{done:?}");
    bed.assert_same().await;
    let misplaced = bed
        .one(&format!(
            "SELECT count(*)::text FROM {TABLE} WHERE tableoid::regclass::text <> format('{TABLE}_%s_k%s', \
             to_char(accepted_at AT TIME ZONE 'UTC', 'YYYYMMDD'), keep_days)"
        ))
        .await;
    assert_eq!(misplaced, "0", "every row lies in the leaf of its day and class");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_and_leaves_become_a_heap_under_traffic_row_for_row() {
    let bed = Bed::partitioned().await;
    let mut traffic = Traffic::start(&bed);
    traffic.pass(10).await;
    bed.converted(Direction::Unpartition).await;
    traffic.pass(10).await;
    traffic.stop().await;
    assert_eq!(bed.layout().await, Layout::Plain);
    bed.assert_same().await;
}

#[tokio::test]
async fn a_table_comes_back_with_the_same_columns_keys_and_indexes() {
    let bed = Bed::empty().await;
    for table in ["delivery_attempts", "event_deliveries", "events", "events_search"] {
        let sql = format!(
            "SELECT 'column ' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' ' \
                || coalesce(pg_get_expr(adbin, adrelid), '') FROM pg_attribute LEFT JOIN pg_attrdef \
                ON adrelid = attrelid AND adnum = attnum WHERE attrelid = '{table}'::regclass AND attnum > 0 \
             UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE tablename IN ('{table}', '{table}_20261120_k0') \
             UNION ALL SELECT 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
                WHERE conrelid IN ('{table}'::regclass, '{table}_20261120_k0'::regclass) \
             UNION ALL SELECT 'part ' || relid || ' of ' || coalesce(parentrelid::text, '') FROM pg_partition_tree('{table}') \
             UNION ALL SELECT 'options ' || coalesce(array_to_string(reloptions, ','), '') FROM pg_class WHERE relname = '{table}' \
             ORDER BY 1"
        );
        let before = bed.sql(&sql).await;
        for direction in [Direction::Unpartition, Direction::Partition] {
            let (services, actor) = (&bed.services, &bed.actor);
            let done = services::conversion::convert(services, actor, direction, &[table], &|_| ()).await;
            assert_eq!(done.expect("converts")[0].end, End::Done);
        }
        assert_eq!(bed.sql(&sql).await, before);
    }
    let left = bed
        .sql("SELECT relname::text FROM pg_class WHERE relname ~ '_(new|old|legacy)$' AND relkind IN ('r', 'p')")
        .await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_is_laid_out_as_asked_is_left_alone() {
    let bed = Bed::empty().await;
    let done = bed.convert(Direction::Partition, &|_| ()).await.expect("looks");
    assert_eq!(done[0].end, End::Unchanged);
    bed.converted(Direction::Unpartition).await;
    let done = bed.convert(Direction::Unpartition, &|_| ()).await.expect("looks");
    assert_eq!(done[0].end, End::Unchanged);
}

#[tokio::test]
async fn privileges_go_along() {
    let bed = Bed::empty().await;
    bed.sql(&format!("GRANT SELECT ON {TABLE} TO PUBLIC")).await;
    let granted = format!(
        "SELECT bool_or(grantee = 0 AND privilege_type = 'SELECT')::text FROM pg_class, aclexplode(relacl) \
         WHERE oid = '{TABLE}'::regclass"
    );
    for direction in [Direction::Unpartition, Direction::Partition] {
        bed.converted(direction).await;
        assert_eq!(bed.one(&granted).await, "true", "{direction:?}");
    }
}

#[tokio::test]
async fn each_step_is_written_down() {
    let bed = Bed::plain().await;
    bed.converted(Direction::Partition).await;
    let views = services::conversion::list(&bed.services, &bed.actor)
        .await
        .expect("lists");
    let view = views.iter().find(|view| view.table == TABLE).expect("is there");
    let last = view.conversion.as_ref().expect("a conversion");
    let steps: Vec<&str> = last.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(
        steps,
        ["check", "index", "leaves", "split", "swap", "ahead", "tidy"]
    );
    assert_eq!(
        (last.state.as_str(), last.rows_done, last.rows_total),
        ("done", 20_000, 20_000)
    );
    assert_eq!(view.layout, Layout::Partitioned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_may_be_started_and_watched_from_elsewhere() {
    let bed = Bed::plain().await;
    services::conversion::start(&bed.services, &bed.actor, Direction::Partition, vec![TABLE])
        .await
        .expect("starts");
    while bed.one("SELECT state || direction FROM conversions").await != "donepartition" {
        tokio::task::yield_now().await;
    }
    assert_eq!(bed.layout().await, Layout::Partitioned);
    bed.assert_same().await;
}
