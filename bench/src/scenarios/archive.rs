//! A large day: copied into the archive, dropped from PostgreSQL, read from the archive.
//!
//! The backup tells by itself where its time went. `gzip -6` packs the very same bytes in the same
//! run, so that the ratio says something about the code and not about the machine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{Days, NaiveDate};
use domain::clock::{Clock as _, SystemClock};
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, day_name, leaf_name, next_day, start_of};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;

use super::ratio;
use crate::Options;
use crate::bed::{Bed, Site};
use crate::gateway::{Process, Reader, Role};
use crate::measure::{add_counts, drive_beside, settle, steady_load};
use crate::report::{Report, Wanted};

/// The day is over for so long that it leaves at once.
const AGE_DAYS: u64 = 10;
/// The class of the day that goes into the archive.
const CLASS: KeepDays = KeepDays(7);
/// Events of one statement.
const BATCH: u64 = 100_000;
/// Events read by id.
const READS: usize = 200;
/// Events of one page when the archive is read in order.
const PAGE: usize = 1000;

/// Fills, copies, drops, reads.
pub(super) async fn run(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let folder = bed.stores.folder().join("archive-store");
    clear(&folder)?;
    let path = folder.display().to_string();
    let site = bed
        .fresh_site(&[
            ("CONVOY_ENABLE_FEATURE_FLAG", "retention-policy"),
            ("CONVOY_STORAGE_POLICY_TYPE", "on_prem"),
            ("CONVOY_STORAGE_PREM_PATH", &path),
        ])
        .await?;
    let day = SystemClock
        .now()
        .date_naive()
        .checked_sub_days(Days::new(AGE_DAYS))
        .context("a day")?;
    fill(&site, day, CLASS, &site.project.id, options.archive).await?;
    policy(&site).await?;

    let mut report = Report::new("archive");
    report.add("events of the day", options.archive as f64, "");
    let raw = back_up(&site, &mut report).await?;
    pack_beside(&folder, raw, &mut report).await?;
    // No scheduler, which would do at once what is measured.
    let process = site.start(Role::Server).await?;
    let worker = site.start(Role::Worker).await?;
    drop_day(&site, &process, options, &mut report).await?;
    delete_beside(&site, day, options.archive, &mut report).await?;
    read_by_id(&site, &process, &folder, options.seed, &mut report).await?;
    read_in_order(&site, &process, options.archive, &mut report).await?;
    worker.stop().await?;
    process.stop().await?;
    clear(&folder)?;
    Ok(report)
}

fn clear(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The project keeps its events as long as the class says, with backup.
async fn policy(site: &Site<'_>) -> anyhow::Result<()> {
    let (id, days) = (&site.project.id, CLASS.0);
    let sql = format!(
        "UPDATE projects SET keep_days = {days}, retention_on = true, retention_days = {days}, backup_on = true \
         WHERE id = '{id}'; INSERT INTO keep_classes VALUES ({days}, now()) ON CONFLICT DO NOTHING; \
         VACUUM (ANALYZE) events; CHECKPOINT;"
    );
    for statement in sql.split_inclusive(';') {
        site.bed.stores.sql(statement).await?;
    }
    Ok(())
}

/// Runs the backup; returns the bytes of text that it wrote.
async fn back_up(site: &Site<'_>, report: &mut Report) -> anyhow::Result<f64> {
    eprintln!("archive: backup");
    let (run, peak) = site
        .run_measured(&["jobs", "run", "backup", "--format", "json"])
        .await?;
    let counts = counts(&run)?;
    if let Some(failed) = counts.get("failed") {
        bail!("the backup failed: {failed}");
    }
    let raw = number(&counts, "raw_bytes");
    let seconds = |name: &str| number(&counts, name) / 1000.0;
    let speed = |name: &str| ratio(raw / 1e6, seconds(name));
    report.add("text", raw / 1e6, "MB");
    report.add("objects", number(&counts, "size_bytes") / 1e6, "MB");
    report.add("segments", number(&counts, "segments"), "");
    report.add("reading from PostgreSQL", speed("reading_ms"), "MB/s");
    report.add("encoding and compressing", speed("encoding_ms"), "MB/s");
    report.add("handing to the store", speed("uploading_ms"), "MB/s");
    report.add("reading back", speed("verifying_ms"), "MB/s");
    report.want("peak memory of the backup", peak, "MiB", Wanted::AtMost(300.0));
    report.add("encoding", seconds("encoding_ms"), "s");
    Ok(raw)
}

/// `gzip -6` of the same bytes, on one core as gzip does.
async fn pack_beside(folder: &Path, raw: f64, report: &mut Report) -> anyhow::Result<()> {
    eprintln!("archive: gzip -6 of the same bytes");
    let text = folder.with_extension("text");
    let objects = objects(folder);
    let status = Command::new("gunzip")
        .arg("-c")
        .args(&objects)
        .stdout(File::create(&text)?)
        .status()
        .await?;
    if !status.success() {
        bail!("gunzip cannot read the objects");
    }
    let began = Instant::now();
    let status = Command::new("gzip")
        .args(["-6", "-c"])
        .arg(&text)
        .stdout(Stdio::null())
        .status()
        .await?;
    let took = began.elapsed().as_secs_f64();
    if !status.success() {
        bail!("gzip failed");
    }
    std::fs::remove_file(&text)?;
    report.add("gzip -6", ratio(raw / 1e6, took), "MB/s");
    let encoding = report.value("encoding").unwrap_or_default();
    report.want(
        "encoding against gzip -6",
        ratio(took, encoding),
        "",
        Wanted::AtLeast(2.0),
    );
    Ok(())
}

/// Drops the day while events come in and lists are read.
async fn drop_day(
    site: &Site<'_>,
    process: &Process,
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<()> {
    eprintln!("archive: dropping the day");
    let target = site.endpoint(process, "/ok").await?;
    let load = steady_load(options, options.hang_rate);
    let ledger = site.bed.receiver.open_run(load.capacity());
    let driving = drive_beside(&target, load, &ledger);
    let mut reader = Reader::connect(process, &site.project).await?;
    let path = format!("/api/v1/projects/{}/events?perPage=20", site.project.id);
    let began = Instant::now();
    let mut dropping = Box::pin(site.run_measured(&["jobs", "run", "deletion", "--format", "json"]));
    let mut longest = Duration::ZERO;
    let run = loop {
        let asked = Instant::now();
        tokio::select! {
            run = &mut dropping => break run?.0,
            read = reader.get(&path) => { read?; longest = longest.max(asked.elapsed()) }
        }
    };
    let took = began.elapsed();
    let refusals = driving.await??;
    settle(site.bed, &ledger).await?;
    let counts = counts(&run)?;
    report.want(
        "leaves dropped",
        number(&counts, "leaves"),
        "",
        Wanted::AtLeast(1.0),
    );
    report.want(
        "a table was locked for at most",
        number(&counts, "locked_ms"),
        "ms",
        Wanted::AtMost(1000.0),
    );
    report.add("the whole run, with comparing", took.as_secs_f64(), "s");
    report.want(
        "longest read meanwhile",
        longest.as_secs_f64() * 1e3,
        "ms",
        Wanted::AtMost(200.0),
    );
    report.want(
        "longest post to delivery meanwhile",
        ledger.latencies().percentile_ms(100.0),
        "ms",
        Wanted::AtMost(200.0),
    );
    let mut beside = Report::new("beside");
    add_counts(&mut beside, site.bed, &ledger);
    crate::measure::add_refusals(&mut beside, &refusals, &ledger);
    report.append("while dropping", beside);
    Ok(())
}

/// As many rows of the day before, removed row by row.
async fn delete_beside(
    site: &Site<'_>,
    day: NaiveDate,
    count: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    eprintln!("archive: DELETE of as many rows");
    let day = day.pred_opt().context("a day")?;
    let nobody = "00000000-0000-7000-8000-000000000001";
    fill(site, day, KeepDays::FOR_EVER, nobody, count).await?;
    let (from, to) = (start_of(day).to_rfc3339(), start_of(next_day(day)).to_rfc3339());
    let began = Instant::now();
    site.bed
        .stores
        .sql(&format!(
            "DELETE FROM events WHERE accepted_at >= '{from}' AND accepted_at < '{to}' AND project_id = '{nobody}'"
        ))
        .await?;
    report.add("DELETE of as many rows", began.elapsed().as_secs_f64(), "s");
    Ok(())
}

/// Single events from the archive, each twice.
async fn read_by_id(
    site: &Site<'_>,
    process: &Process,
    folder: &Path,
    seed: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    eprintln!("archive: reading single events");
    let ids = sample(folder, seed).await?;
    let mut reader = Reader::connect(process, &site.project).await?;
    let (mut cold, mut warm, mut requests) = (Vec::new(), Vec::new(), 0.0);
    for id in &ids {
        let path = format!("/api/v1/projects/{}/events/{id}", site.project.id);
        let began = Instant::now();
        let (headers, _) = reader.get(&path).await?;
        cold.push(began.elapsed().as_secs_f64() * 1e3);
        requests += header(&headers, "x-longhaul-archive-requests");
        let began = Instant::now();
        reader.get(&path).await?;
        warm.push(began.elapsed().as_secs_f64() * 1e3);
    }
    report.want(
        "requests to the store per event",
        ratio(requests, ids.len() as f64),
        "",
        Wanted::AtMost(1.0),
    );
    report.want(
        "one archived event, p50",
        super::median(cold),
        "ms",
        Wanted::AtMost(30.0),
    );
    report.want(
        "the same again, p50",
        super::median(warm),
        "ms",
        Wanted::AtMost(2.0),
    );
    Ok(())
}

/// Every archived event, oldest first, page after page.
async fn read_in_order(
    site: &Site<'_>,
    process: &Process,
    count: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    eprintln!("archive: reading in order");
    let mut reader = Reader::connect(process, &site.project).await?;
    let root = format!(
        "/api/v1/projects/{}/events?perPage={PAGE}&sort=ASC",
        site.project.id
    );
    let (mut path, mut read) = (root.clone(), 0_u64);
    let began = Instant::now();
    while read < count {
        let (_, body) = reader.get(&path).await?;
        let page: Value = serde_json::from_slice(&body)?;
        let items = page
            .pointer("/data/content")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        if items == 0 {
            bail!("a page without events after {read} of {count}");
        }
        read += items as u64;
        let next = page
            .pointer("/data/pagination/next_page_cursor")
            .and_then(Value::as_str)
            .unwrap_or_default();
        path = format!("{root}&next_page_cursor={next}&direction=next");
    }
    report.want(
        "events read in order by API",
        read as f64 / began.elapsed().as_secs_f64(),
        "/s",
        Wanted::Any,
    );
    Ok(())
}

/// Writes `count` events of a day as realistic JSON of about 1 kB.
async fn fill(
    site: &Site<'_>,
    day: NaiveDate,
    class: KeepDays,
    project: &str,
    count: u64,
) -> anyhow::Result<()> {
    let stores = &site.bed.stores;
    for table in PARTITIONED_TABLES {
        let (name, leaf) = (day_name(table, day), leaf_name(table, day, class));
        let (from, to) = (start_of(day).to_rfc3339(), start_of(next_day(day)).to_rfc3339());
        stores
            .sql(&format!(
                "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}') \
                 PARTITION BY LIST (keep_days)"
            ))
            .await?;
        stores
            .sql(&format!(
                "CREATE TABLE IF NOT EXISTS {leaf} PARTITION OF {name} FOR VALUES IN ({})",
                class.0
            ))
            .await?;
    }
    for first in (0..count).step_by(BATCH as usize) {
        stores
            .sql(&batch_sql(
                day,
                class,
                project,
                first,
                BATCH.min(count - first),
                count,
            ))
            .await?;
        eprintln!(
            "archive: {} of {count} events of {day}",
            first + BATCH.min(count - first)
        );
    }
    Ok(())
}

fn batch_sql(day: NaiveDate, class: KeepDays, project: &str, first: u64, count: u64, of_day: u64) -> String {
    let (start, last) = (start_of(day).to_rfc3339(), first + count - 1);
    let step_us = 86_400_000_000.0 / of_day as f64;
    let keep = class.0;
    format!(
        "SET synchronous_commit = off; SET timezone = 'UTC';
INSERT INTO events (accepted_at, keep_days, state, kind, id, project_id, event_type, payload)
SELECT at, {keep}, 2, 0,
       (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
            || substr(md5((n + 1)::text), 1, 15))::uuid,
       '{project}', (ARRAY['order.created','order.paid','order.shipped','invoice.issued','payment.failed'])[1 + n % 5],
       json_build_object('id', md5(n::text), 'number', n, 'currency', (ARRAY['EUR','USD','GBP'])[1 + n % 3],
         'total', round((random() * 10000)::numeric, 2), 'customer', json_build_object('id', 'cus_' || (n % 9973),
         'email', 'customer' || (n % 9973) || '@example.test', 'name', initcap(substr(md5((n % 9973)::text), 1, 8)) || ' Example'),
         'address', json_build_object('street', (n % 211) || ' Harbour Road', 'city', (ARRAY['Hamburg','Porto','Gdansk','Bergen'])[1 + n % 4],
         'postcode', 10000 + n % 80000, 'country', (ARRAY['DE','PT','PL','NO'])[1 + n % 4]),
         'lines', (SELECT json_agg(json_build_object('sku', 'sku-' || substr(md5((n * 7 + l)::text), 1, 10), 'quantity', 1 + (n + l) % 4,
           'price', round((random() * 500)::numeric, 2), 'description', 'Item ' || (n * 3 + l) || ' of the autumn catalogue'))
           FROM generate_series(1, 4) l), 'note', md5(random()::text) || md5(random()::text))::text
  FROM (SELECT n, date_trunc('milliseconds', '{start}'::timestamptz + n * {step_us}::float8 * interval '1 microsecond') AS at
          FROM generate_series({first}, {last}) n) moment;"
    )
}

/// Ids of archived events, drawn from the objects themselves.
async fn sample(folder: &Path, seed: u64) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for object in objects(folder) {
        let text = Command::new("gunzip")
            .arg("-c")
            .arg(&object)
            .output()
            .await?
            .stdout;
        let rows: Vec<Value> = serde_json::from_slice(&text)?;
        let some = rows.iter().step_by(997);
        ids.extend(some.filter_map(|row| row.get("uid").and_then(Value::as_str).map(ToOwned::to_owned)));
    }
    let mut random = StdRng::seed_from_u64(seed);
    Ok(ids.choose_multiple(&mut random, READS).cloned().collect())
}

/// Objects below a folder.
fn objects(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|end| end == "gz") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The counts of a run that was printed as JSON.
fn counts(run: &str) -> anyhow::Result<Value> {
    let run: Value = serde_json::from_str(run).context("the run printed no JSON")?;
    run.get("counts")
        .cloned()
        .with_context(|| format!("the run has no counts: {run}"))
}

fn number(counts: &Value, name: &str) -> f64 {
    counts.get(name).and_then(Value::as_f64).unwrap_or_default()
}

fn header(headers: &http::HeaderMap, name: &str) -> f64 {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}
