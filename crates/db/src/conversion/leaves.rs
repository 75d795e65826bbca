//! Leaves of a spread table: which are needed, made and joined; and the checks that bound them.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use domain::lifecycle::{KeepDays, leaf_name, next_day, parse_leaf_name, start_of};
use sea_orm::sqlx::Row;

use super::layout::{Index, KEY, any_row};
use super::session::{CHANGED, Limits, Session, Tried};
use crate::DbError;

/// Name of the check that tells the planner, and PostgreSQL when a leaf changes its parent, what a
/// leaf holds.
pub(super) const BOUNDS: &str = "leaf_bounds";

/// What must be copied of a table so that another one can take its place.
pub(super) const ALIKE: &str = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE \
                                INCLUDING GENERATED INCLUDING COMPRESSION";

/// How long the leaves may keep others out while they join.
const JOIN: Limits = Limits {
    lock_ms: 1_000,
    statement_ms: 1_000,
};

/// How long to wait for a leaf, in milliseconds; whoever wants it waits as well.
pub(super) const LEAF_LOCK_MS: u32 = 500;

/// Where the rows of a plain or spread table lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Rows still in the root.
    pub waiting: i64,
    /// Rows in all.
    pub total: i64,
    /// Days and keep classes of all rows.
    pub leaves: BTreeSet<(NaiveDate, KeepDays)>,
}

/// The condition that a row belongs into the leaf of `day` and `class`.
pub(super) fn bounds(day: NaiveDate, class: KeepDays) -> String {
    let (from, to) = (start_of(day).to_rfc3339(), start_of(next_day(day)).to_rfc3339());
    format!(
        "keep_days = {}::smallint AND accepted_at >= '{from}'::timestamptz AND accepted_at < '{to}'::timestamptz",
        class.0
    )
}

impl Session {
    /// Counts the rows of a plain or spread table by day and keep class: one scan that keeps
    /// nobody out.
    ///
    /// # Errors
    /// As every statement.
    pub async fn survey(&mut self) -> Result<Survey, DbError> {
        let table = self.table();
        let sql = format!(
            "SELECT tableoid = '{table}'::regclass, (accepted_at AT TIME ZONE 'UTC')::date, keep_days, count(*) \
             FROM {table} GROUP BY 1, 2, 3"
        );
        let mut survey = Survey::default();
        for row in self.rows(&sql).await? {
            let (waits, rows): (bool, i64) = (row.try_get(0)?, row.try_get(3)?);
            survey.total += rows;
            survey.waiting += if waits { rows } else { 0 };
            survey.leaves.insert((row.try_get(1)?, KeepDays(row.try_get(2)?)));
        }
        Ok(survey)
    }

    /// Days and keep classes of the leaves that a spread table has.
    ///
    /// # Errors
    /// As every statement.
    pub async fn joined(&mut self) -> Result<BTreeSet<(NaiveDate, KeepDays)>, DbError> {
        let children = self.children(self.table()).await?;
        let names = children.iter().filter_map(|child| parse_leaf_name(&child.name));
        Ok(names.map(|(_, day, class)| (day, class)).collect())
    }

    /// Tables that have the name of one of `leaves`, are no leaf, and hold rows: what was detached to
    /// be dropped, or somebody's own. Their rows must not come into sight.
    ///
    /// # Errors
    /// As every statement.
    pub async fn in_the_way(
        &mut self,
        leaves: &BTreeSet<(NaiveDate, KeepDays)>,
    ) -> Result<Vec<String>, DbError> {
        let joined = self.joined().await?;
        let mut names = Vec::new();
        for (day, class) in leaves.difference(&joined) {
            let name = leaf_name(self.table(), *day, *class);
            if self.exists(&name).await? && self.has_rows(&name).await? {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Makes `leaves` and lets them join the spread table. Those that are there stay as they are.
    ///
    /// # Errors
    /// [`DbError::Internal`] when a table is [in the way](Self::in_the_way).
    pub async fn make_leaves(
        &mut self,
        leaves: &BTreeSet<(NaiveDate, KeepDays)>,
    ) -> Result<Tried<()>, DbError> {
        let table = self.table();
        let joined = self.joined().await?;
        let indexes = self.indexes(table).await?;
        let mut join = Vec::new();
        for (day, class) in leaves.difference(&joined) {
            let leaf = leaf_name(table, *day, *class);
            // Made in one transaction apart from the table: nobody waits for it.
            let mut build = vec![format!(
                "CREATE TABLE IF NOT EXISTS {leaf} (LIKE {table} {ALIKE}, PRIMARY KEY {KEY}, \
                 CONSTRAINT {BOUNDS} CHECK ({}))",
                bounds(*day, *class)
            )];
            if !self.exists(&leaf).await? {
                let made = |index: &Index| format!("CREATE INDEX ON {leaf} {}", index.tail);
                build.extend(indexes.iter().map(made));
            }
            self.run(&build.join("; ")).await?;
            if self.has_rows(&leaf).await? {
                return Err(DbError::Internal(
                    format!("the table {leaf} is in the way and holds rows").into(),
                ));
            }
            join.push(format!("ALTER TABLE {leaf} INHERIT {table}"));
        }
        if join.is_empty() {
            return Ok(Tried::Done(()));
        }
        let lock = format!("LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE");
        Ok(match self.locked(&lock, &join.join("; "), JOIN).await? {
            Tried::Done(_) => Tried::Done(()),
            Tried::Busy => Tried::Busy,
        })
    }

    /// Gives every leaf of a partitioned or spread table that holds rows its check: without one the
    /// planner could not skip it, and PostgreSQL would scan it when it changes its parent. Returns how many leaves
    /// still lack it because a lock could not be had.
    ///
    /// # Errors
    /// As every statement.
    pub async fn bound_leaves(&mut self) -> Result<usize, DbError> {
        let mut left = 0;
        for child in self.children(self.table()).await? {
            let Some((_, day, class)) = parse_leaf_name(&child.name) else {
                continue;
            };
            let leaf = child.name;
            let valid = self
                .strings(&format!(
                    "SELECT convalidated::text FROM pg_constraint WHERE conrelid = '{leaf}'::regclass AND conname = '{BOUNDS}'"
                ))
                .await?;
            if valid.first().is_some_and(|valid| valid == "true") || !self.has_rows(&leaf).await? {
                continue;
            }
            let check = bounds(day, class);
            let add = format!("ALTER TABLE {leaf} ADD CONSTRAINT {BOUNDS} CHECK ({check}) NOT VALID");
            if valid.is_empty() && self.brief(&add, LEAF_LOCK_MS).await? == Tried::Busy {
                left += 1;
                continue;
            }
            self.run(&format!("ALTER TABLE {leaf} VALIDATE CONSTRAINT {BOUNDS}"))
                .await?;
        }
        Ok(left)
    }

    /// Drops a child that has no rows any more and gets none. Refused while it holds some.
    ///
    /// # Errors
    /// As every statement.
    pub async fn drop_emptied(&mut self, child: &str) -> Result<Tried<()>, DbError> {
        let lock = format!("LOCK TABLE ONLY {child} IN ACCESS EXCLUSIVE MODE");
        let work = format!("{}; DROP TABLE {child}", refuse_if(&any_row(child)));
        Ok(match self.locked(&lock, &work, JOIN).await? {
            Tried::Done(_) => Tried::Done(()),
            Tried::Busy => Tried::Busy,
        })
    }
}

/// A statement that fails, worth another try, when `query` answers a row.
pub(super) fn refuse_if(query: &str) -> String {
    format!(
        "DO $$ BEGIN IF EXISTS ({query}) THEN RAISE EXCEPTION 'there are more rows than expected' USING ERRCODE = '{CHANGED}'; \
         END IF; END $$"
    )
}
