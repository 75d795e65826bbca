//! A long history: cost must not grow with what lies in the tables already.

use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::clock::{Clock as _, SystemClock};
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, day_name, leaf_name, next_day, start_of};
use domain::state::{DeliveryState, EventState};

use crate::Options;
use crate::bed::{Bed, Site};
use crate::measure::burst_load;
use crate::report::{Report, Wanted};

use super::{load, ratio};

/// Old rows are spread over so many days, today included.
const DAYS: u64 = 10;
/// Old events of one statement.
const BATCH: u64 = 250_000;

/// The burst on empty tables, the history, the burst again.
pub(super) async fn run(bed: &Bed, options: &Options) -> anyhow::Result<Report> {
    let site = bed.fresh_site(&[]).await?;
    let empty = load::run(&site, burst_load(options)).await?;
    fill(&site, options.history).await?;
    let full = load::run(&site, burst_load(options)).await?;

    let mut report = Report::new("history");
    report.add("old deliveries", options.history as f64, "");
    let (before, after) = (
        empty.ledger.delivered_per_second(),
        full.ledger.delivered_per_second(),
    );
    report.add("delivered, empty tables", before, "/s");
    report.add("delivered, full tables", after, "/s");
    report.want(
        "ratio of throughput",
        ratio(after, before),
        "",
        Wanted::AtLeast(0.85),
    );
    let (before, after) = (empty.cpu.product(), full.cpu.product());
    report.add("CPU of gateway and stores, empty tables", before, "ms/event");
    report.add("CPU of gateway and stores, full tables", after, "ms/event");
    report.want("ratio of CPU", ratio(after, before), "", Wanted::AtMost(1.15));
    report.add("disk per event, empty tables", empty.disk, "bytes");
    report.add("disk per event, full tables", full.disk, "bytes");
    report.want(
        "ratio of disk",
        ratio(full.disk, empty.disk),
        "",
        Wanted::AtMost(1.15),
    );
    for (name, measured) in [("empty tables", empty), ("full tables", full)] {
        let mut counts = Report::new(name);
        measured.add_to(&mut counts, bed);
        report.append(name, counts);
    }
    Ok(report)
}

/// Writes `count` old events, each with a delivery and an attempt.
async fn fill(site: &Site<'_>, count: u64) -> anyhow::Result<()> {
    let stores = &site.bed.stores;
    let now = SystemClock.now();
    let today = now.date_naive();
    for back in (0..DAYS).rev() {
        let day = today.checked_sub_days(Days::new(back)).unwrap_or(today);
        let end = if back == 0 { now } else { start_of(next_day(day)) };
        stores.sql(&partitions_sql(day)).await?;
        let of_day = count / DAYS + u64::from(back < count % DAYS);
        eprintln!("history: {of_day} events of {day}");
        for first in (0..of_day).step_by(BATCH as usize) {
            let batch = Batch {
                day: start_of(day),
                end,
                of_day,
                first,
                count: BATCH.min(of_day - first),
            };
            stores.sql(&batch.sql(&site.project.id)).await?;
        }
    }
    // What fresh rows cost in maintenance is not the cost of a history.
    stores
        .sql("VACUUM (ANALYZE) events, event_deliveries, delivery_attempts")
        .await?;
    stores.sql("CHECKPOINT").await?;
    Ok(())
}

/// The day's partitions, as the gateway makes them.
fn partitions_sql(day: NaiveDate) -> String {
    let class = KeepDays::FOR_EVER;
    let table_sql = |table: &str| {
        let (name, leaf) = (day_name(table, day), leaf_name(table, day, class));
        let (from, to) = (start_of(day).to_rfc3339(), start_of(next_day(day)).to_rfc3339());
        format!(
            "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{from}') TO ('{to}') \
             PARTITION BY LIST (keep_days);\n\
             CREATE TABLE IF NOT EXISTS {leaf} PARTITION OF {name} FOR VALUES IN ({});\n",
            class.0
        )
    };
    // Nobody needs to hear that a partition is there already.
    PARTITIONED_TABLES.into_iter().map(table_sql).collect()
}

/// Old events that are written together: `count` of the `of_day` between `day` and `end`, from
/// number `first` on.
struct Batch {
    day: DateTime<Utc>,
    end: DateTime<Utc>,
    of_day: u64,
    first: u64,
    count: u64,
}

impl Batch {
    fn sql(&self, project: &str) -> String {
        let step_us = (self.end - self.day).num_microseconds().unwrap_or(0) as f64 / self.of_day as f64;
        let (start, first, last) = (self.day.to_rfc3339(), self.first, self.first + self.count - 1);
        let (matched, delivered) = (EventState::Success.code(), DeliveryState::Success.code());
        let keep = KeepDays::FOR_EVER.0;
        format!(
            "SET synchronous_commit = off; SET timezone = 'UTC';
CREATE FUNCTION pg_temp.id_at(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid $$;
WITH moment AS (
    SELECT date_trunc('milliseconds', '{start}'::timestamptz + n * {step_us}::float8 * interval '1 microsecond') AS at
      FROM generate_series({first}, {last}) n
), made AS MATERIALIZED (
    SELECT at, pg_temp.id_at(at) AS event, pg_temp.id_at(at) AS delivery, pg_temp.id_at(at) AS attempt FROM moment
), event AS (
    INSERT INTO events (accepted_at, keep_days, state, kind, id, project_id, event_type, payload)
    SELECT at, {keep}, {matched}, 0, event, '{project}', 'bench.event', '{{\"old\":true}}' FROM made
), delivery AS (
    INSERT INTO event_deliveries (accepted_at, ended_at, latency_ms, keep_days, state, attempts, last_status,
                                  id, project_id, event_id, endpoint_id, event_type)
    SELECT at, at, 1, {keep}, {delivered}, 1, 200, delivery, '{project}', event, '{project}', 'bench.event' FROM made
)
INSERT INTO delivery_attempts (accepted_at, requested_at, duration_us, keep_days, number, http_status,
                               id, project_id, delivery_id, url, request_headers)
SELECT at, at, 900, {keep}, 1, 200, attempt, '{project}', delivery, 'http://127.0.0.1/ok', '' FROM made;"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_covers_its_share_of_the_day() {
        let day = DateTime::from_timestamp(1_763_596_800, 0).expect("valid");
        let batch = Batch {
            day,
            end: day + chrono::TimeDelta::days(1),
            of_day: 864_000,
            first: 500_000,
            count: 250_000,
        };
        let sql = batch.sql("0193");
        assert!(sql.contains("generate_series(500000, 749999)"), "{sql}");
        assert!(
            sql.contains(
                "'2025-11-20T00:00:00+00:00'::timestamptz + n * 100000::float8 * interval '1 microsecond'"
            ),
            "{sql}"
        );
    }

    #[test]
    fn partitions_have_the_names_of_the_product() {
        let sql = partitions_sql(NaiveDate::from_ymd_opt(2026, 11, 20).expect("valid"));
        assert!(sql.contains(
            "event_deliveries_20261120_k0 PARTITION OF event_deliveries_20261120 FOR VALUES IN (0)"
        ));
        assert!(sql.contains("FROM ('2026-11-20T00:00:00+00:00') TO ('2026-11-21T00:00:00+00:00')"));
    }
}
