//! Rows, and what the tests ask about them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::partitions::{DropOptions, LeafId};
use db::{Db, DbError};
use domain::id::{AttemptId, DeliveryId, EventId, ProjectId};
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, start_of};
use sea_orm::sqlx;
use tokio::task::JoinHandle;

/// The class that nothing is ever deleted of.
pub(crate) const FOR_EVER: KeepDays = KeepDays(0);

/// The `n`th day of November 2026.
pub(crate) fn day(n: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, n).expect("a day of November")
}

/// Noon of that day, and so many seconds.
pub(crate) fn noon(n: u32, seconds: i64) -> DateTime<Utc> {
    start_of(day(n)) + TimeDelta::hours(12) + TimeDelta::seconds(seconds)
}

pub(crate) fn leaf(table: &'static str, n: u32, class: i16) -> LeafId {
    LeafId {
        table,
        day: day(n),
        keep_days: KeepDays(class),
    }
}

/// Days `first` to `last` with leaves of these classes.
pub(crate) async fn ensure(db: &Db, first: u32, last: u32, classes: &[i16]) -> db::partitions::Made {
    let classes: Vec<KeepDays> = classes.iter().copied().map(KeepDays).collect();
    db::partitions::ensure(db, day(first), day(last), &classes)
        .await
        .expect("made")
}

/// Runs a statement.
pub(crate) async fn run(db: &Db, sql: &str) -> Result<u64, DbError> {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    Ok(sqlx::query(sql).execute(db.pool()).await?.rows_affected())
}

/// Asks for one number.
pub(crate) async fn number(db: &Db, sql: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::query_scalar(sql)
        .fetch_one(db.pool())
        .await
        .expect("a number")
}

/// Rows of all hot tables for one event: itself, one delivery, two attempts, its words.
pub(crate) async fn insert_event(
    db: &Db,
    project: ProjectId,
    at: DateTime<Utc>,
    class: i16,
) -> Result<EventId, DbError> {
    let (event, delivery) = (EventId::at(at), DeliveryId::at(at));
    let mut txn = db.pool().begin().await?;
    sqlx::query(
        "INSERT INTO events (accepted_at, keep_days, state, kind, id, project_id, event_type, payload) \
         VALUES ($1, $2, 2, 0, $3, $4, 'order.created', '{}')",
    )
    .bind(at)
    .bind(class)
    .bind(event.0)
    .bind(project.0)
    .execute(&mut *txn)
    .await?;
    sqlx::query(
        "INSERT INTO event_deliveries (accepted_at, keep_days, state, attempts, id, project_id, event_id, endpoint_id, event_type) \
         VALUES ($1, $2, 3, 2, $3, $4, $5, $5, 'order.created')",
    )
    .bind(at)
    .bind(class)
    .bind(delivery.0)
    .bind(project.0)
    .bind(event.0)
    .execute(&mut *txn)
    .await?;
    for number in 1..=2_i16 {
        sqlx::query(
            "INSERT INTO delivery_attempts (accepted_at, requested_at, duration_us, keep_days, number, id, project_id, \
             delivery_id, url, request_headers) VALUES ($1, $1, 1, $2, $3, $4, $5, $6, '', '')",
        )
        .bind(at)
        .bind(class)
        .bind(number)
        .bind(AttemptId::at(at).0)
        .bind(project.0)
        .bind(delivery.0)
        .execute(&mut *txn)
        .await?;
    }
    sqlx::query(
        "INSERT INTO events_search (accepted_at, keep_days, id, project_id, words) VALUES ($1, $2, $3, $4, 'order')",
    )
    .bind(at)
    .bind(class)
    .bind(event.0)
    .bind(project.0)
    .execute(&mut *txn)
    .await?;
    txn.commit().await?;
    Ok(event)
}

/// Rows per event in the order of [`PARTITIONED_TABLES`].
pub(crate) const ROWS_PER_EVENT: [i64; 4] = [2, 1, 1, 1];

/// Rows of every hot table between two days, of one class.
pub(crate) async fn rows(db: &Db, first: u32, last: u32, class: i16) -> [i64; 4] {
    let mut counts = [0; 4];
    for (count, table) in counts.iter_mut().zip(PARTITIONED_TABLES) {
        *count = number(
            db,
            &format!(
                "SELECT count(*) FROM {table} WHERE keep_days = {class} AND accepted_at >= '{}' AND accepted_at < '{}'",
                start_of(day(first)),
                start_of(day(last + 1)),
            ),
        )
        .await;
    }
    counts
}

/// What `n` events come to.
pub(crate) fn of_events(n: i64) -> [i64; 4] {
    ROWS_PER_EVENT.map(|rows| rows * n)
}

/// A writer that inserts events until it is told to stop.
#[derive(Debug)]
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<i64, DbError>>,
}

impl Writer {
    /// Inserts events of one day and class on a task of its own, from `second` on. An insert that
    /// the day overtook is made again, as the delivery path does.
    pub(crate) fn start(db: &Db, project: ProjectId, n: u32, class: i16) -> Self {
        let (db, stop) = (db.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut written = 0;
            while !stopped.load(Ordering::Relaxed) {
                match insert_event(&db, project, noon(n, written % 3600), class).await {
                    Ok(_) => written += 1,
                    Err(DbError::Moved) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(written)
        });
        Self { stop, task }
    }

    /// Stops it; how many events it wrote, or why it could not.
    pub(crate) async fn stop(self) -> Result<i64, DbError> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the writer ends")
    }
}

/// Waits until a session waits for a lock that another one holds.
pub(crate) async fn somebody_waits(db: &Db) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while number(db, waiting).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// Drops with little patience.
pub(crate) fn hurried() -> DropOptions {
    DropOptions {
        lock_timeout: std::time::Duration::from_millis(30),
        tries: 1,
        ..DropOptions::at(noon(20, 0))
    }
}

/// Drops with patience for a busy machine.
pub(crate) fn patient() -> DropOptions {
    DropOptions::at(noon(20, 0))
}
