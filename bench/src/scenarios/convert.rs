//! `longhaul utils partition` and `unpartition` on a large table while it is written to.
//!
//! Each conversion is killed once at the beginning of each of its steps and started again. Every
//! write goes to a second table as well, which is never converted; at the end both hold the same.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::Options;
use crate::bed::{Bed, Site};
use crate::report::{Report, Wanted};
use crate::session::Session;

/// The table under conversion.
const TABLE: &str = "event_deliveries";
/// Old rows are spread over so many days, today included.
const DAYS: u64 = 30;
/// Old rows of one statement.
const BATCH: u64 = 500_000;
/// Sessions that write; together they keep the rate.
const WRITERS: u32 = 10;
/// One of so many writes is followed by an update of its row, as an outcome follows a delivery.
const UPDATES: u64 = 5;
/// No write may wait longer, in milliseconds.
const LONGEST_WAIT_MS: f64 = 3_000.0;

/// An id stamped with a moment.
const ID_AT: &str = "CREATE FUNCTION convert_id_at(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid $$;";

const COLUMNS: &str = "accepted_at, due_at, ended_at, latency_ms, keep_days, state, attempts, last_status, id, project_id, \
                       event_id, endpoint_id, event_type";

/// Fills, converts there and back, compares after each.
pub(super) async fn run(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let site = bed
        .fresh_site(&[("CONVOY_ENABLE_FEATURE_FLAG", "retention-policy")])
        .await?;
    // An empty table is one heap in a moment.
    convert(&site, "unpartition", false).await?;
    fill(&site, options.convert).await?;
    let mut report = Report::new("convert");
    report.add("rows", options.convert as f64, "");
    report.add("inserts wanted", f64::from(options.convert_rate), "/s");
    for direction in ["partition", "unpartition"] {
        let writers = Writers::start(&site, options.convert_rate)?;
        let ended = convert(&site, direction, true).await?;
        let written = writers.stop().await?;
        let mut figures = Report::new(direction);
        figures.add("took", ended.took.as_secs_f64(), "s");
        figures.add(
            "rows",
            options.convert as f64 / ended.took.as_secs_f64().max(0.001),
            "/s",
        );
        figures.add("killed and resumed", ended.kills as f64, "times");
        figures.add(
            "inserts",
            written.inserts as f64 / written.took.as_secs_f64(),
            "/s",
        );
        figures.want_none("failed writes", written.failed);
        figures.want(
            "longest write",
            written.longest.as_secs_f64() * 1000.0,
            "ms",
            Wanted::NoMoreThan(LONGEST_WAIT_MS),
        );
        figures.want_none("rows that differ", differences(&site).await?);
        report.append(direction, figures);
    }
    Ok(report)
}

/// Writes `count` old rows into the heap, and a copy of them beside it.
async fn fill(site: &Site<'_>, count: u64) -> anyhow::Result<()> {
    let stores = &site.bed.stores;
    stores.sql(ID_AT).await?;
    let now = SystemClock.now().to_rfc3339();
    for first in (0..count).step_by(BATCH as usize) {
        let last = (first + BATCH).min(count) - 1;
        eprintln!("convert: {} of {count} rows", last + 1);
        stores
            .sql(&format!(
                "SET synchronous_commit = off;
                 INSERT INTO {TABLE} ({COLUMNS})
                 SELECT at, NULL, at, 1, (ARRAY[0, 7, 30])[n % 3 + 1], 3, 1, 200, convert_id_at(at), '{project}',
                        convert_id_at(at), '{project}', 'bench.event'
                 FROM (SELECT n, date_trunc('milliseconds', '{now}'::timestamptz
                          - interval '{DAYS} days' * (1 - n::float8 / {count})) AS at
                       FROM generate_series({first}, {last}) n) made;",
                project = site.project.id
            ))
            .await?;
    }
    stores
        .sql(&format!(
            "CREATE TABLE convert_mirror AS SELECT * FROM {TABLE};
             CREATE INDEX ON convert_mirror (id);
             VACUUM (ANALYZE) {TABLE}, convert_mirror;
             CHECKPOINT;"
        ))
        .await?;
    Ok(())
}

/// How many rows are in one table and not in the other.
async fn differences(site: &Site<'_>) -> anyhow::Result<u64> {
    site.bed
        .stores
        .number(&format!(
            "SELECT (SELECT count(*) FROM (SELECT * FROM {TABLE} EXCEPT ALL SELECT * FROM convert_mirror) a)
                  + (SELECT count(*) FROM (SELECT * FROM convert_mirror EXCEPT ALL SELECT * FROM {TABLE}) b)"
        ))
        .await
}

/// A conversion that came to its end.
struct Ended {
    took: Duration,
    kills: usize,
}

/// Runs the command until it is done, again after every kill.
async fn convert(site: &Site<'_>, direction: &str, with_kills: bool) -> anyhow::Result<Ended> {
    let started = Instant::now();
    let mut seen: HashSet<String> = HashSet::new();
    'again: loop {
        let mut child = site.begin(&["utils", direction, TABLE])?;
        let errors = child.stderr.take().context("no progress to read")?;
        let mut lines = BufReader::new(errors).lines();
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await? {
            // `event_deliveries  split ... 35 %, ...`
            let mut words = line.split_whitespace();
            let step = match (words.next(), words.next()) {
                (Some(TABLE), Some(step)) => step.trim_end_matches(':').to_owned(),
                _ => String::new(),
            };
            if with_kills && !step.is_empty() && seen.insert(step.clone()) {
                eprintln!("convert: {direction} killed at {step}");
                child.kill().await?;
                continue 'again;
            }
            eprintln!("convert: {line}");
            said.push(line);
        }
        if !child.wait().await?.success() {
            bail!("longhaul utils {direction}: {}", said.join("\n"));
        }
        return Ok(Ended {
            took: started.elapsed(),
            kills: seen.len(),
        });
    }
}

/// What the writers did.
struct Written {
    inserts: u64,
    failed: u64,
    longest: Duration,
    took: Duration,
}

/// Sessions that write at a fixed rate.
struct Writers {
    tasks: JoinSet<anyhow::Result<(u64, Duration)>>,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    started: Instant,
}

impl Writers {
    fn start(site: &Site<'_>, rate: u32) -> anyhow::Result<Self> {
        let mut writers = Self {
            tasks: JoinSet::new(),
            stop: Arc::default(),
            failed: Arc::default(),
            started: Instant::now(),
        };
        let pause = Duration::from_secs_f64(f64::from(WRITERS) / f64::from(rate));
        for _ in 0..WRITERS {
            let session = site.bed.stores.session()?;
            let (stop, failed) = (Arc::clone(&writers.stop), Arc::clone(&writers.failed));
            writers
                .tasks
                .spawn(write(session, site.project.id.clone(), pause, stop, failed));
        }
        Ok(writers)
    }

    async fn stop(mut self) -> anyhow::Result<Written> {
        self.stop.store(true, Ordering::SeqCst);
        let (mut inserts, mut longest) = (0, Duration::ZERO);
        while let Some(ended) = self.tasks.join_next().await {
            let (written, waited) = ended??;
            inserts += written;
            longest = longest.max(waited);
        }
        Ok(Written {
            inserts,
            failed: self.failed.load(Ordering::SeqCst),
            longest,
            took: self.started.elapsed(),
        })
    }
}

/// Writes one row at a time; how many, and the longest wait for one.
async fn write(
    mut session: Session,
    project: String,
    pause: Duration,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
) -> anyhow::Result<(u64, Duration)> {
    let mut ticks = tokio::time::interval(pause);
    // Who had to wait catches up.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut written, mut longest) = (0, Duration::ZERO);
    while !stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        let since = Instant::now();
        let rows = session.run(&insert(&project)).await?;
        longest = longest.max(since.elapsed());
        let Some((id, at)) = rows.first().and_then(|row| row.split_once('|')) else {
            failed.fetch_add(1, Ordering::SeqCst);
            continue;
        };
        written += 1;
        if written % UPDATES == 0 {
            let since = Instant::now();
            let rows = session.run(&update(id, at)).await?;
            longest = longest.max(since.elapsed());
            if rows != ["1|1"] {
                failed.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
    Ok((written, longest))
}

/// A delivery that is under way, in both tables.
fn insert(project: &str) -> String {
    let values = format!(
        "SELECT at, at, NULL, NULL, 30, 1, 0, NULL, id, '{project}', id, '{project}', 'bench.live' FROM made"
    );
    format!(
        "WITH made AS MATERIALIZED (SELECT at, convert_id_at(at) AS id \
            FROM (SELECT date_trunc('milliseconds', clock_timestamp()) AS at) now), \
         one AS (INSERT INTO {TABLE} ({COLUMNS}) {values} RETURNING id, accepted_at), \
         two AS (INSERT INTO convert_mirror ({COLUMNS}) {values}) \
         SELECT id, accepted_at FROM one;"
    )
}

/// Its outcome.
fn update(id: &str, at: &str) -> String {
    let set = format!(
        "SET state = 3, due_at = NULL, ended_at = accepted_at, attempts = 1 WHERE id = '{id}' AND accepted_at = '{at}' RETURNING 1"
    );
    format!(
        "WITH one AS (UPDATE {TABLE} {set}), two AS (UPDATE convert_mirror {set}) \
         SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two);"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_goes_to_both_tables() {
        for sql in [insert("0193"), update("0193", "2026-11-20 12:00:00+00")] {
            assert!(sql.contains(TABLE) && sql.contains("convert_mirror"), "{sql}");
        }
    }
}
