//! One statement out of many inserts and updates of whole columns.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, PgPool};
use uuid::Uuid;

use crate::DbError;

/// One column: the values of all rows.
#[derive(Debug)]
pub(super) enum Array<'a> {
    Bool(Vec<bool>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    OptBytes(Vec<Option<&'a [u8]>>),
    OptI16(Vec<Option<i16>>),
    OptI32(Vec<Option<i32>>),
    OptText(Vec<Option<&'a str>>),
    OptTime(Vec<Option<DateTime<Utc>>>),
    OptUuid(Vec<Option<Uuid>>),
    Text(Vec<&'a str>),
    Time(Vec<DateTime<Utc>>),
    Uuid(Vec<Uuid>),
}

impl Array<'_> {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool[]",
            Self::I16(_) | Self::OptI16(_) => "int2[]",
            Self::I32(_) | Self::OptI32(_) => "int4[]",
            Self::I64(_) => "int8[]",
            Self::OptBytes(_) => "bytea[]",
            Self::OptText(_) | Self::Text(_) => "text[]",
            Self::OptTime(_) | Self::Time(_) => "timestamptz[]",
            Self::OptUuid(_) | Self::Uuid(_) => "uuid[]",
        }
    }
}

/// A part of a statement.
#[derive(Debug)]
pub(super) struct Part {
    /// Its name inside of the statement.
    pub(super) name: String,
    /// Whether it has a column `tag` that names the rows which it wrote.
    pub(super) returns_tags: bool,
}

/// New rows of a hot table.
#[derive(Debug)]
pub(super) struct Insert<'a> {
    pub(super) table: &'static str,
    pub(super) columns: Vec<(&'static str, Array<'a>)>,
    /// Leaves out rows whose id is stored, in whatever class, on a day between the two. PostgreSQL
    /// looks only at partitions between them. The part returns the ids it wrote as tags.
    pub(super) unless_stored: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Takes the keep class from the row of an update whose id stands in this column.
    pub(super) class_of: Option<(Part, &'static str)>,
}

/// Changes of rows of a hot table, found by `id` and `accepted_at`, where `fence` holds. The part
/// returns the column `tag` of the rows it changed, with their `id` and `keep_days`.
///
/// Rows are never found by their keep class: they may be moved to another one at any moment.
#[derive(Debug)]
pub(super) struct Update<'a> {
    pub(super) table: &'static str,
    pub(super) columns: Vec<(&'static str, Array<'a>)>,
    pub(super) set: &'static str,
    pub(super) fence: &'static str,
    /// Given to PostgreSQL as constants, so that it looks only at the partitions between them.
    pub(super) days: (DateTime<Utc>, DateTime<Utc>),
}

/// A statement under construction: common table expressions and the arrays they unnest.
#[derive(Debug, Default)]
pub(super) struct Statement<'a> {
    sql: String,
    parts: usize,
    arrays: Vec<Array<'a>>,
}

impl<'a> Statement<'a> {
    /// Adds a part that inserts rows.
    pub(super) fn insert(&mut self, insert: Insert<'a>) -> Part {
        let Insert {
            table,
            columns,
            unless_stored,
            class_of,
        } = insert;
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let (list, join) = match class_of {
            None => ("*".to_owned(), String::new()),
            Some((of, id)) => (
                names
                    .iter()
                    .map(|name| match *name {
                        "keep_days" => "coalesce(c.keep_days, n.keep_days)".to_owned(),
                        name => format!("n.{name}"),
                    })
                    .collect::<Vec<_>>()
                    .join(", "),
                format!(" LEFT JOIN {} c ON c.id = n.{id}", of.name),
            ),
        };
        let names = names.join(", ");
        let rows = self.unnest(columns);
        let stored = unless_stored.map_or_else(String::new, |(first, last)| {
            let (first, last) = (self.time(first), self.time(last));
            format!(
                " WHERE NOT EXISTS (SELECT FROM {table} t WHERE t.id = n.id AND t.accepted_at = n.accepted_at \
                 AND t.accepted_at BETWEEN {first} AND {last}) ON CONFLICT DO NOTHING RETURNING id AS tag"
            )
        });
        let part = self.next_part(unless_stored.is_some());
        let _ = write!(
            self.sql,
            "{} AS (INSERT INTO {table} ({names}) SELECT {list} FROM {rows}{join}{stored})",
            part.name
        );
        part
    }

    /// Adds a part that changes rows.
    pub(super) fn update(&mut self, update: Update<'a>) -> Part {
        let Update {
            table,
            columns,
            set,
            fence,
            days: (first, last),
        } = update;
        let rows = self.unnest(columns);
        let (first, last) = (self.time(first), self.time(last));
        let part = self.next_part(true);
        let _ = write!(
            self.sql,
            "{} AS (UPDATE {table} t SET {set} FROM {rows} \
             WHERE t.id = n.id AND t.accepted_at = n.accepted_at AND {fence} \
             AND t.accepted_at BETWEEN {first} AND {last} RETURNING n.tag, t.id, t.keep_days)",
            part.name
        );
        part
    }

    /// Adds counters. Those with a tag count only when one of `parts` returned it.
    pub(super) fn count(&mut self, columns: Vec<(&'static str, Array<'a>)>, parts: &[String], shard: i16) {
        let rows = self.unnest(columns);
        let shard = self.array(Array::I16(vec![shard]));
        let part = self.next_part(false);
        let _ = write!(
            self.sql,
            "{} AS (INSERT INTO delivery_counts_hourly (hour, project_id, endpoint_id, metric, shard, n) ",
            part.name
        );
        if parts.is_empty() {
            let _ = write!(
                self.sql,
                "SELECT hour, project_id, endpoint_id, metric, {shard}[1], n.n FROM {rows}"
            );
        } else {
            let written: Vec<String> = parts.iter().map(|p| format!("SELECT tag FROM {p}")).collect();
            let _ = write!(
                self.sql,
                "SELECT hour, project_id, endpoint_id, metric, {shard}[1], sum(n.n)::bigint FROM {rows} \
                 WHERE tag IS NULL OR tag IN ({}) GROUP BY hour, project_id, endpoint_id, metric \
                 ORDER BY hour, project_id, endpoint_id, metric",
                written.join(" UNION ALL ")
            );
        }
        self.sql.push_str(
            " ON CONFLICT (project_id, hour, endpoint_id, metric, shard) \
             DO UPDATE SET n = delivery_counts_hourly.n + excluded.n)",
        );
    }

    /// Runs it.
    pub(super) async fn execute(mut self, pool: &PgPool) -> Result<(), DbError> {
        self.sql.push_str(" SELECT 1");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(self.sql));
        for array in self.arrays {
            query = match array {
                Array::Bool(v) => query.bind(v),
                Array::I16(v) => query.bind(v),
                Array::I32(v) => query.bind(v),
                Array::I64(v) => query.bind(v),
                Array::OptBytes(v) => query.bind(v),
                Array::OptI16(v) => query.bind(v),
                Array::OptI32(v) => query.bind(v),
                Array::OptText(v) => query.bind(v),
                Array::OptTime(v) => query.bind(v),
                Array::OptUuid(v) => query.bind(v),
                Array::Text(v) => query.bind(v),
                Array::Time(v) => query.bind(v),
                Array::Uuid(v) => query.bind(v),
            };
        }
        query.execute(pool).await?;
        Ok(())
    }

    fn next_part(&mut self, returns_tags: bool) -> Part {
        self.sql.push_str(if self.parts == 0 { "WITH " } else { ", " });
        self.parts += 1;
        Part {
            name: format!("p{}", self.parts),
            returns_tags,
        }
    }

    /// Adds an instant and returns what stands for it. PostgreSQL sees it as a constant.
    fn time(&mut self, at: DateTime<Utc>) -> String {
        format!("{}[1]", self.array(Array::Time(vec![at])))
    }

    /// Adds an array and returns its typed placeholder, in brackets so that it can be indexed.
    fn array(&mut self, array: Array<'a>) -> String {
        let placeholder = format!("(${}::{})", self.arrays.len() + 1, array.type_name());
        self.arrays.push(array);
        placeholder
    }

    fn unnest(&mut self, columns: Vec<(&'static str, Array<'a>)>) -> String {
        let mut names = Vec::with_capacity(columns.len());
        let mut placeholders = Vec::with_capacity(columns.len());
        for (name, array) in columns {
            names.push(name);
            placeholders.push(self.array(array));
        }
        format!("unnest({}) AS n({})", placeholders.join(", "), names.join(", "))
    }
}
