//! Rows on their way between the root and the leaves, a batch at a time.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use domain::lifecycle::{KeepDays, leaf_name};
use sea_orm::sqlx::Row;
use uuid::Uuid;

use super::layout::KEY;
use super::leaves::bounds;
use super::session::{Limits, Locked, Session, Tried};
use crate::DbError;

/// How long a batch may keep writers out.
const BATCH: Limits = Limits {
    lock_ms: 500,
    statement_ms: 1_500,
};

/// Where rows are taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The root itself.
    Root,
    /// A child of the root.
    Child(String),
}

/// What a batch moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Rows.
    pub rows: u64,
    /// Where the next batch starts; `None` when the source has no rows behind this batch.
    pub next: Option<Uuid>,
}

/// The next rows of a source.
#[derive(Debug, Default)]
struct Peek {
    last: Option<Uuid>,
    /// Whether there may be more rows behind these.
    is_full: bool,
    leaves: BTreeSet<(NaiveDate, KeepDays)>,
}

impl Session {
    /// Moves up to about `limit` rows with ids behind `after` from `source` into their leaves,
    /// which are made when they are missing.
    ///
    /// # Errors
    /// As every statement. Nothing is half done.
    pub async fn split_batch(
        &mut self,
        source: &Source,
        after: Uuid,
        limit: u32,
    ) -> Result<Tried<Locked<Moved>>, DbError> {
        let peek = self.peek(source, after, limit).await?;
        let Some(last) = peek.last else {
            return Ok(Tried::Done(Locked::default()));
        };
        if self.make_leaves(&peek.leaves).await? == Tried::Busy {
            return Ok(Tried::Busy);
        }
        let (table, columns) = (self.table(), self.columns().await?.join(", "));
        let known: Vec<String> = peek
            .leaves
            .iter()
            .map(|(day, class)| bounds(*day, *class))
            .collect();
        let mut parts = Vec::new();
        for (n, (day, class)) in peek.leaves.iter().enumerate() {
            // A row that lies in its leaf already was inserted a second time: the older one stays.
            parts.push(format!(
                "part{n} AS (INSERT INTO {} ({columns}) SELECT {columns} FROM gone WHERE {} ON CONFLICT DO NOTHING)",
                leaf_name(table, *day, *class),
                bounds(*day, *class)
            ));
        }
        // Rows of other leaves that came since are left to the next round.
        let work = format!(
            "WITH gone AS (DELETE FROM ONLY {} WHERE id > '{after}' AND id <= '{last}' AND (({})) RETURNING *), {} \
             SELECT count(*) FROM gone",
            self.name_of(source),
            known.join(") OR ("),
            parts.join(", ")
        );
        self.move_rows(&work, last, peek.is_full).await
    }

    /// Moves up to about `limit` rows with ids behind `after` from the child `source` into the root.
    ///
    /// # Errors
    /// As every statement. Nothing is half done.
    pub async fn gather_batch(
        &mut self,
        source: &Source,
        after: Uuid,
        limit: u32,
    ) -> Result<Tried<Locked<Moved>>, DbError> {
        let peek = self.peek(source, after, limit).await?;
        let Some(last) = peek.last else {
            return Ok(Tried::Done(Locked::default()));
        };
        let (table, columns) = (self.table(), self.columns().await?);
        let take_over: Vec<String> = columns.iter().map(|c| format!("{c} = excluded.{c}")).collect();
        let list = columns.join(", ");
        // A row that the root holds already was inserted a second time: the older one replaces it.
        let work = format!(
            "WITH gone AS (DELETE FROM ONLY {} WHERE id > '{after}' AND id <= '{last}' RETURNING *), \
             home AS (INSERT INTO {table} ({list}) SELECT {list} FROM gone ON CONFLICT {KEY} DO UPDATE SET {}) \
             SELECT count(*) FROM gone",
            self.name_of(source),
            take_over.join(", ")
        );
        self.move_rows(&work, last, peek.is_full).await
    }

    /// Gives the space of moved rows free for new ones, and makes looking past them cheap.
    ///
    /// # Errors
    /// As every statement.
    pub async fn vacuum(&mut self, source: &Source) -> Result<(), DbError> {
        let name = self.name_of(source);
        // Cutting the file off would lock the table.
        self.run(&format!("VACUUM (TRUNCATE false) {name}")).await
    }

    fn name_of(&self, source: &Source) -> String {
        match source {
            Source::Root => self.table().to_owned(),
            Source::Child(name) => name.clone(),
        }
    }

    async fn peek(&mut self, source: &Source, after: Uuid, limit: u32) -> Result<Peek, DbError> {
        let sql = format!(
            "SELECT (accepted_at AT TIME ZONE 'UTC')::date, keep_days, (array_agg(id ORDER BY id DESC))[1], count(*) FROM ( \
                SELECT id, accepted_at, keep_days FROM ONLY {} WHERE id > '{after}' ORDER BY id LIMIT {limit}) rows \
             GROUP BY 1, 2",
            self.name_of(source)
        );
        let (mut peek, mut seen) = (Peek::default(), 0);
        for row in self.rows(&sql).await? {
            peek.leaves.insert((row.try_get(0)?, KeepDays(row.try_get(1)?)));
            peek.last = peek.last.max(Some(row.try_get(2)?));
            seen += row.try_get::<i64, _>(3)?;
        }
        peek.is_full = seen >= i64::from(limit);
        Ok(peek)
    }

    async fn move_rows(
        &mut self,
        work: &str,
        last: Uuid,
        is_full: bool,
    ) -> Result<Tried<Locked<Moved>>, DbError> {
        // Whoever writes the table, in any of its children, holds a lock on the root that this one
        // waits for. Rows may be locked by a statement before the one that writes, hence EXCLUSIVE.
        let lock = format!("LOCK TABLE ONLY {} IN EXCLUSIVE MODE", self.table());
        let done = match self.locked(&lock, work, BATCH).await? {
            Tried::Done(done) => done,
            Tried::Busy => return Ok(Tried::Busy),
        };
        let rows: i64 = done
            .what
            .first()
            .map(|row| row.try_get(0))
            .transpose()?
            .unwrap_or(0);
        Ok(Tried::Done(Locked {
            what: Moved {
                rows: u64::try_from(rows).unwrap_or(0),
                next: is_full.then_some(last),
            },
            held: done.held,
        }))
    }
}
