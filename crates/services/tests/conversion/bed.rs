//! What every test starts from: a database with old deliveries, plain or partitioned, and a mirror
//! of them that is never converted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use db::databases::answers;
use domain::clock::{Clock, DevClock};
use queue::{Redis, RedisOptions};
use services::access::Actor;
use services::conversion::{self, Converted, Direction, End, Progress};
use services::queues::{QueueSettings, Queues};
use services::vault::Vault;
use services::{Options, Result, Services};
use testkit::TestDb;

/// The table under conversion.
pub(crate) const TABLE: &str = "event_deliveries";
/// Today.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";

/// A function that makes an id for a moment, and old rows: of ten days up to today, in three
/// classes, waiting, delivered and failed.
const SCENE: &str = "
CREATE FUNCTION id_at(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid $$;
CREATE TABLE mirror (LIKE event_deliveries INCLUDING ALL);
INSERT INTO mirror (accepted_at, due_at, keep_days, state, attempts, id, project_id, event_id, endpoint_id, event_type,
                    description, retry)
SELECT at, CASE WHEN n % 3 = 0 THEN at END, (ARRAY[0, 7, 30])[n % 3 + 1], (ARRAY[1, 3, 4])[n % 3 + 1], n % 5,
       id_at(at), gen_random_uuid(), id_at(at), gen_random_uuid(), 'scene.' || n % 4, repeat('x', n % 50),
       CASE WHEN n % 7 = 0 THEN '{\"retry\":true}' END
FROM (SELECT n, date_trunc('milliseconds', '2026-11-20 12:00+00'::timestamptz - n * interval '43 seconds') AS at
      FROM generate_series(1, 20000) n) made;
";

/// A database under conversion.
pub(crate) struct Bed {
    pub(crate) services: Arc<Services>,
    pub(crate) actor: Actor,
    /// Last, so that the pool above is gone first.
    pub(crate) database: TestDb,
}

impl Bed {
    /// Partitioned, without rows.
    pub(crate) async fn empty() -> Self {
        let mut options = Options::default();
        options.lifecycle.retention_policy = true;
        options.partitions.days_ahead = 3;
        Self::with(options).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let database = testkit::database().await;
        let start: DateTime<Utc> = NOW.parse().expect("a time");
        let clock: Arc<dyn Clock> = Arc::new(DevClock::starting_at(start));
        // Nobody listens there: tables never need Redis.
        let redis = Redis::new(RedisOptions::new("redis://127.0.0.1:1")).expect("an address");
        let queues = Queues::open(&redis, &QueueSettings::default(), &clock).expect("opens");
        let vault = Vault::new(&[7; 32]);
        let services = Arc::new(Services::new(database.db.clone(), queues, clock, vault, options));
        services::partitions::keep_ahead(&services)
            .await
            .expect("partitions");
        Self {
            services,
            actor: Actor::system(),
            database,
        }
    }

    /// One heap with 20,000 rows.
    pub(crate) async fn plain() -> Self {
        let bed = Self::empty().await;
        bed.converted(Direction::Unpartition).await;
        bed.sql(&format!("{SCENE} INSERT INTO {TABLE} SELECT * FROM mirror"))
            .await;
        bed
    }

    /// Days and leaves with 20,000 rows.
    pub(crate) async fn partitioned() -> Self {
        let bed = Self::plain().await;
        bed.converted(Direction::Partition).await;
        bed
    }

    /// Runs SQL; the first column of every row.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<String> {
        match answers(&self.database.db, sql).await {
            Ok(rows) => rows,
            Err(error) => panic!("{error:?}: {sql}"),
        }
    }

    /// Runs SQL that answers one text.
    pub(crate) async fn one(&self, sql: &str) -> String {
        self.sql(sql).await.pop().unwrap_or_default()
    }

    /// Converts the table and is told of its progress.
    pub(crate) async fn convert(
        &self,
        direction: Direction,
        watch: &(dyn Fn(&Progress) + Send + Sync),
    ) -> Result<Vec<Converted>> {
        conversion::convert(&self.services, &self.actor, direction, &[TABLE], watch).await
    }

    /// Converts the table.
    pub(crate) async fn converted(&self, direction: Direction) -> Converted {
        let done = self.convert(direction, &|_| ()).await.expect("converts");
        assert_eq!(done.len(), 1);
        assert_eq!(done[0].end, End::Done, "{done:?}");
        done[0].clone()
    }

    /// Converts until `enough` says so of something that was told, and drops everything there, as if
    /// the process had died. Whether it died before it was done.
    pub(crate) async fn convert_until(
        &self,
        direction: Direction,
        enough: impl Fn(&Progress) -> bool + Send + Sync,
    ) -> bool {
        let seen = AtomicBool::new(false);
        let notify = tokio::sync::Notify::new();
        let watch = |progress: &Progress| {
            if enough(progress) && !seen.swap(true, Ordering::SeqCst) {
                notify.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = notify.notified() => true,
            done = self.convert(direction, &watch) => { done.expect("converts"); false }
        }
    }

    /// `plain`, `spread` or `partitioned`.
    pub(crate) async fn layout(&self) -> conversion::Layout {
        db::conversion::layout(&self.services.db, TABLE)
            .await
            .expect("answers")
            .expect("is there")
    }

    /// Compares table and mirror row for row.
    pub(crate) async fn assert_same(&self) {
        let different = self
            .sql(&format!(
                "(SELECT 'only in the table: ' || t::text FROM (SELECT * FROM {TABLE} EXCEPT ALL SELECT * FROM mirror) t LIMIT 3) \
                 UNION ALL \
                 (SELECT 'only in the mirror: ' || t::text FROM (SELECT * FROM mirror EXCEPT ALL SELECT * FROM {TABLE}) t LIMIT 3)"
            ))
            .await;
        assert!(different.is_empty(), "{different:#?}");
    }
}
