//! Which leaves there are, and how large. Sizes come from the catalog; rows are counted only where
//! that costs nothing.

use std::collections::HashMap;

use chrono::NaiveDate;
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES, day_name, parse_leaf_name};
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, Row};
use serde::Serialize;

use super::{LeafId, home};
use crate::conversion::{self, Layout};
use crate::{Db, DbError};

/// Tables up to this many bytes are counted row by row.
const COUNTED_BYTES: i64 = 2 << 20;
/// A leaf that leaves is counted up to this many rows.
const COUNTED_ROWS: i64 = 20_000_000;
/// How many tables one statement counts.
const COUNTED_AT_ONCE: usize = 100;
/// Rows in a default leaf are counted up to here.
const DEFAULT_LIMIT: i64 = 10_001;

/// What a leaf is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeafKind {
    /// Rows of a day and a keep class, which leave as a whole.
    Day,
    /// Rows whose day does not exist yet.
    Default,
    /// Belongs to a table that is laid out in another way, now or when its rows were written. Its rows
    /// are removed one by one, not with it.
    Legacy,
}

/// A partition that holds rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leaf {
    /// The hot table.
    pub table: &'static str,
    /// Its name in the database.
    pub name: String,
    /// Its UTC day; `None` for a default leaf and for a heap of another layout.
    pub day: Option<NaiveDate>,
    /// Its keep class; `None` as above.
    pub keep_days: Option<KeepDays>,
    /// Rows; see [`Leaf::counted`].
    pub rows: i64,
    /// Whether the rows were counted. Otherwise they are what PostgreSQL estimates.
    pub counted: bool,
    /// Bytes on disk with indexes.
    pub bytes: i64,
    /// What it is for.
    pub kind: LeafKind,
    /// Being detached: out of sight already.
    pub is_leaving: bool,
}

impl Leaf {
    /// Table, day and class of a leaf that can leave as a whole; `None` for a default or legacy one.
    pub fn id(&self) -> Option<LeafId> {
        if self.kind != LeafKind::Day {
            return None;
        }
        Some(LeafId {
            table: self.table,
            day: self.day?,
            keep_days: self.keep_days?,
        })
    }
}

/// Which leaves; `None` does not narrow. A limit of days leaves out leaves without a day.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeafFilter {
    /// Of this table.
    pub table: Option<&'static str>,
    /// Of this day or a later one.
    pub from: Option<NaiveDate>,
    /// Of this day or an earlier one.
    pub to: Option<NaiveDate>,
    /// Of this keep class.
    pub keep_days: Option<KeepDays>,
    /// Count the rows of small leaves, in a second statement.
    pub count: bool,
}

/// Sums over leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// How many leaves.
    pub leaves: i64,
    /// Their rows.
    pub rows: i64,
    /// Their bytes.
    pub bytes: i64,
}

/// A hot table as a whole.
#[derive(Clone, Copy, Debug)]
pub struct HotTable {
    /// Its name.
    pub table: &'static str,
    /// How it is laid out.
    pub layout: Layout,
    /// Rows, estimated.
    pub rows: i64,
    /// Bytes on disk with indexes.
    pub bytes: i64,
    /// Rows that wait in its default leaf, counted up to 10,001.
    pub rows_in_default: i64,
}

const LEAVES: &str = "\
    WITH below AS ( \
        SELECT t.relkind = 'p' AS split, c.oid, c.relname, c.relkind, c.reltuples, i.inhdetachpending AS leaving, \
               c.oid = coalesce(p.partdefid, 0) AS is_default \
        FROM pg_class t JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class c ON c.oid = i.inhrelid \
        LEFT JOIN pg_partitioned_table p ON p.partrelid = t.oid \
        WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = $1 \
        AND ($2::text IS NULL OR c.relname COLLATE \"C\" >= $2) \
        AND ($3::text IS NULL OR c.relname COLLATE \"C\" < $3)), \
    leaves AS ( \
        SELECT split, oid, relname, reltuples, leaving, is_default FROM below WHERE relkind = 'r' \
        UNION ALL \
        SELECT b.split, c.oid, c.relname, c.reltuples, i.inhdetachpending, false FROM below b \
        JOIN pg_inherits i ON i.inhparent = b.oid JOIN pg_class c ON c.oid = i.inhrelid WHERE b.relkind = 'p') \
    SELECT relname::text AS name, split, leaving, is_default, \
           CASE WHEN pg_stat_get_live_tuples(oid) > 0 THEN pg_stat_get_live_tuples(oid) \
                ELSE greatest(reltuples, 0)::bigint END AS rows, \
           coalesce(pg_relation_size(oid), 0) AS heap, coalesce(pg_total_relation_size(oid), 0) AS bytes \
    FROM leaves ORDER BY relname COLLATE \"C\"";

/// The leaves that `filter` names, by table and name, in one statement per table.
///
/// # Errors
/// As every statement.
pub async fn leaves(db: &Db, filter: &LeafFilter) -> Result<Vec<Leaf>, DbError> {
    let mut leaves = Vec::new();
    for table in PARTITIONED_TABLES {
        if filter.table.is_none_or(|wanted| wanted == table) {
            leaves.extend(of_table(db, table, filter).await?);
        }
    }
    Ok(leaves)
}

async fn of_table(db: &Db, table: &'static str, filter: &LeafFilter) -> Result<Vec<Leaf>, DbError> {
    let after = filter.to.map(domain::lifecycle::next_day);
    let rows = sqlx::query(LEAVES)
        .bind(table)
        .bind(filter.from.map(|day| day_name(table, day)))
        .bind(after.map(|day| day_name(table, day)))
        .fetch_all(db.pool())
        .await?;
    let mut leaves = Vec::with_capacity(rows.len());
    let mut small = Vec::new();
    for row in &rows {
        let (leaf, heap) = leaf_of(table, row)?;
        let of_class = filter.keep_days.is_none_or(|class| leaf.keep_days == Some(class));
        let of_days = leaf.day.is_some() || (filter.from.is_none() && filter.to.is_none());
        if of_class && of_days {
            if !leaf.counted && heap <= COUNTED_BYTES {
                small.push(leaf.name.clone());
            }
            leaves.push(leaf);
        }
    }
    if filter.count {
        let counts = count(db, &small).await?;
        for leaf in &mut leaves {
            if let Some(n) = counts.get(&leaf.name) {
                (leaf.rows, leaf.counted) = (*n, true);
            }
        }
    }
    Ok(leaves)
}

fn leaf_of(table: &'static str, row: &PgRow) -> Result<(Leaf, i64), sqlx::Error> {
    let name: String = row.try_get("name")?;
    let heap: i64 = row.try_get("heap")?;
    let is_default: bool = row.try_get("is_default")?;
    let split: bool = row.try_get("split")?;
    let parsed = parse_leaf_name(&name);
    let leaf = Leaf {
        table,
        day: parsed.map(|(_, day, _)| day),
        keep_days: parsed.map(|(_, _, class)| class),
        // Nothing on disk is nothing at all, whatever an estimate says.
        rows: if heap == 0 { 0 } else { row.try_get("rows")? },
        counted: heap == 0,
        bytes: row.try_get("bytes")?,
        kind: match parsed {
            _ if is_default => LeafKind::Default,
            Some(_) if split => LeafKind::Day,
            _ => LeafKind::Legacy,
        },
        is_leaving: row.try_get("leaving")?,
        name,
    };
    Ok((leaf, heap))
}

/// Rows of small tables. One that goes away meanwhile spoils its group, which keeps its estimates.
async fn count(db: &Db, names: &[String]) -> Result<HashMap<String, i64>, DbError> {
    let mut counts = HashMap::new();
    for names in names.chunks(COUNTED_AT_ONCE) {
        let parts: Vec<String> = names
            .iter()
            .map(|name| format!("SELECT '{name}'::text, count(*) FROM {name}"))
            .collect();
        let sql = parts.join(" UNION ALL ");
        match sqlx::query_as::<_, (String, i64)>(sqlx::AssertSqlSafe(sql))
            .fetch_all(db.pool())
            .await
        {
            Ok(rows) => counts.extend(rows),
            Err(error) => match DbError::from(error) {
                DbError::Internal(_) => {}
                other => return Err(other),
            },
        }
    }
    Ok(counts)
}

/// Sums over `leaves`.
pub fn totals<'a>(leaves: impl IntoIterator<Item = &'a Leaf>) -> Totals {
    let mut totals = Totals::default();
    for leaf in leaves {
        totals.leaves += 1;
        totals.rows += leaf.rows;
        totals.bytes += leaf.bytes;
    }
    totals
}

/// Every hot table, with its layout and what waits in its default leaf.
///
/// # Errors
/// As every statement.
pub async fn tables(db: &Db) -> Result<Vec<HotTable>, DbError> {
    let waiting = home::rows_in_default(db, DEFAULT_LIMIT).await?;
    let mut tables = Vec::new();
    for (table, rows_in_default) in waiting {
        let Some(layout) = conversion::layout(db, table).await? else {
            continue;
        };
        let filter = LeafFilter {
            table: Some(table),
            ..LeafFilter::default()
        };
        let below = totals(&leaves(db, &filter).await?);
        // A plain heap, or the root of a spread table, holds rows itself.
        let (rows, bytes): (i64, i64) = sqlx::query_as(
            "SELECT greatest(pg_stat_get_live_tuples(oid), reltuples::bigint, 0), pg_total_relation_size(oid) \
             FROM pg_class WHERE oid = to_regclass($1)",
        )
        .bind(table)
        .fetch_one(db.pool())
        .await?;
        let own = layout != Layout::Partitioned;
        tables.push(HotTable {
            table,
            layout,
            rows: below.rows + if own { rows } else { 0 },
            bytes: below.bytes + if own { bytes } else { 0 },
            rows_in_default,
        });
    }
    Ok(tables)
}

/// Rows and bytes of a table that nobody writes to any more.
pub(super) async fn size_of(db: &Db, name: &str) -> Result<(i64, i64), DbError> {
    let (estimate, bytes): (i64, i64) = sqlx::query_as(
        "SELECT greatest(pg_stat_get_live_tuples(oid), reltuples::bigint, 0), pg_total_relation_size(oid) \
         FROM pg_class WHERE oid = to_regclass($1)",
    )
    .bind(name)
    .fetch_one(db.pool())
    .await?;
    if estimate > COUNTED_ROWS {
        return Ok((estimate, bytes));
    }
    let sql = format!("SELECT count(*) FROM {name}");
    match sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(db.pool())
        .await
    {
        Ok(rows) => Ok((rows, bytes)),
        Err(error) => match DbError::from(error) {
            DbError::Timeout => Ok((estimate, bytes)),
            other => Err(other),
        },
    }
}
