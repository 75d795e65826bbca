//! Writers and readers beside a conversion. Everything is written to the table and, in the same
//! statement, to the mirror; a write that waits for more than three seconds fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use db::Db;
use db::databases::answers;
use db::pool::DbOptions;
use tokio::task::JoinSet;

use crate::bed::{Bed, TABLE};

/// Writers and readers under way.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    writes: Arc<AtomicU64>,
    reads: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

const INSERT: &str = "WITH made AS MATERIALIZED (
    SELECT at, id_at(at) AS id FROM (SELECT date_trunc('milliseconds',
        '2026-11-20 12:00+00'::timestamptz - random() * interval '2 days') AS at FROM generate_series(1, 5)) m
), one AS (INSERT INTO event_deliveries (accepted_at, due_at, keep_days, state, attempts, id, project_id, event_id,
               endpoint_id, event_type)
           SELECT at, at, 7, 1, 0, id, id, id, id, 'fresh' FROM made RETURNING 1)
, two AS (INSERT INTO mirror (accepted_at, due_at, keep_days, state, attempts, id, project_id, event_id,
               endpoint_id, event_type)
           SELECT at, at, 7, 1, 0, id, id, id, id, 'fresh' FROM made RETURNING 1)
SELECT ((SELECT count(*) FROM one) = (SELECT count(*) FROM two))::text";

/// Old and new rows; whatever the reminder says was written must be found.
const UPDATE: &str = "WITH chosen AS MATERIALIZED (SELECT id, accepted_at FROM mirror WHERE id >= id_at(
        '2026-11-20 12:00+00'::timestamptz - random() * interval '10 days') ORDER BY id LIMIT 5
), one AS (UPDATE event_deliveries t SET attempts = t.attempts + 1, description = 'touched' FROM chosen
           WHERE t.id = chosen.id AND t.accepted_at = chosen.accepted_at RETURNING 1)
, two AS (UPDATE mirror t SET attempts = t.attempts + 1, description = 'touched' FROM chosen
           WHERE t.id = chosen.id AND t.accepted_at = chosen.accepted_at RETURNING 1)
SELECT ((SELECT count(*) FROM one) = (SELECT count(*) FROM two))::text";

const DELETE: &str = "WITH chosen AS MATERIALIZED (SELECT id, accepted_at FROM mirror WHERE id >= id_at(
        '2026-11-20 12:00+00'::timestamptz - random() * interval '10 days') ORDER BY id LIMIT 1
), one AS (DELETE FROM event_deliveries t USING chosen WHERE t.id = chosen.id AND t.accepted_at = chosen.accepted_at RETURNING 1)
, two AS (DELETE FROM mirror t USING chosen WHERE t.id = chosen.id AND t.accepted_at = chosen.accepted_at RETURNING 1)
SELECT ((SELECT count(*) FROM one) = (SELECT count(*) FROM two))::text";

impl Traffic {
    /// One who inserts, one who updates, one who deletes, one who reads.
    pub(crate) fn start(bed: &Bed) -> Self {
        let mut traffic = Self {
            stop: Arc::default(),
            writes: Arc::default(),
            reads: Arc::default(),
            tasks: JoinSet::new(),
        };
        for sql in [INSERT, UPDATE, DELETE] {
            let (stop, writes, db) = (Arc::clone(&traffic.stop), Arc::clone(&traffic.writes), own(bed));
            traffic.tasks.spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let found = answers(&db, &format!("SET LOCAL statement_timeout = '3s'; {sql}")).await;
                    let found = found.unwrap_or_else(|error| panic!("a write failed: {error:?}: {sql}"));
                    assert_eq!(found, ["true"], "table and mirror differ for a writer: {sql}");
                    writes.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            });
        }
        let (stop, reads, db) = (Arc::clone(&traffic.stop), Arc::clone(&traffic.reads), own(bed));
        traffic.tasks.spawn(async move {
            let sql = format!(
                "SELECT (SELECT count(*) || ' rows, ' || count(DISTINCT id) || ' ids' FROM {TABLE}) || ' of ' || \
                 (SELECT count(*) || ' rows, ' || count(DISTINCT id) || ' ids' FROM mirror)"
            );
            while !stop.load(Ordering::SeqCst) {
                let seen = answers(&db, &sql).await.expect("reads");
                let (table, mirror) = seen[0].split_once(" of ").expect("both");
                assert_eq!(table, mirror, "a reader sees rows doubled or missing");
                reads.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
        traffic
    }

    /// Waits for so many writes, and as many reads as there is time for, from now on.
    pub(crate) async fn pass(&mut self, writes: u64) {
        let wanted = self.writes.load(Ordering::SeqCst) + writes;
        while self.writes.load(Ordering::SeqCst) < wanted {
            if let Some(ended) = self.tasks.try_join_next() {
                ended.expect("traffic goes on");
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Ends it; every statement was right.
    pub(crate) async fn stop(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("traffic went well");
        }
        let (writes, reads) = (
            self.writes.load(Ordering::SeqCst),
            self.reads.load(Ordering::SeqCst),
        );
        assert!(writes > 0 && reads > 0, "{writes} writes, {reads} reads");
    }
}

/// A connection of its own, which nobody else waits for.
pub(crate) fn own(bed: &Bed) -> Db {
    let options = DbOptions {
        max_connections: 1,
        acquire_timeout: std::time::Duration::from_mins(1),
        ..DbOptions::new(&bed.database.url)
    };
    Db::connect_lazy(&options).expect("an address")
}
