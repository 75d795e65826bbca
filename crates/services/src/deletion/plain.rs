//! Deletion from tables that are not partitioned at present: the same checks, and rows instead of
//! leaves, in batches that keep nobody waiting.

use chrono::{DateTime, NaiveDate, Utc};
use db::conversion::Layout;
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, expires_at, next_day};

use super::{Counts, release, unit};
use crate::Services;
use crate::error::Result;

/// Rows of one DELETE.
const BATCH: u32 = 5000;

/// Removes rows whose period is over from every hot table that is one heap.
///
/// # Errors
/// [`crate::Error::Unavailable`] while PostgreSQL is away: the next run goes on.
pub(super) async fn take(
    services: &Services,
    now: DateTime<Utc>,
    dry_run: bool,
    counts: &mut Counts,
) -> Result<()> {
    let tables = plain_tables(services).await?;
    let Some(first) = first_day(services, &tables).await? else {
        return Ok(());
    };
    for class in db::partitions::classes(&services.db).await? {
        let days = std::iter::successors(Some(first), |day| Some(next_day(*day)));
        for day in days.take_while(|day| expires_at(*day, class).is_some_and(|end| end <= now)) {
            if dry_run {
                if let Some(refusal) = unit::look(services, day, class).await?.refusal {
                    counts.refused.push(format!("{day}, kept {class}: {refusal}"));
                }
            } else if release(services, (day, class), now, counts).await?.is_none() {
                remove(services, &tables, (day, class), counts).await?;
            }
        }
    }
    Ok(())
}

async fn plain_tables(services: &Services) -> Result<Vec<&'static str>> {
    let known = db::partitions::tables(&services.db).await?;
    let plain = |table: &&str| {
        known
            .iter()
            .any(|one| one.table == *table && one.layout != Layout::Partitioned)
    };
    Ok(PARTITIONED_TABLES.into_iter().filter(plain).collect())
}

/// The first day that any of the tables has a row of.
async fn first_day(services: &Services, tables: &[&'static str]) -> Result<Option<NaiveDate>> {
    let mut first = None;
    for table in tables {
        let day = db::expiry::first_day(&services.db, table).await?;
        first = [first, day].into_iter().flatten().min();
    }
    Ok(first)
}

async fn remove(
    services: &Services,
    tables: &[&'static str],
    (day, class): (NaiveDate, KeepDays),
    counts: &mut Counts,
) -> Result<()> {
    for table in tables {
        loop {
            let gone = db::conversion::expire_rows(&services.db, table, day, class, BATCH).await?;
            counts.rows += i64::try_from(gone).unwrap_or(i64::MAX);
            if gone < u64::from(BATCH) {
                break;
            }
        }
    }
    Ok(())
}
