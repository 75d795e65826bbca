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

/// A statement under construction: common table expressions and the arrays they unnest.
#[derive(Debug, Default)]
pub(super) struct Statement<'a> {
    sql: String,
    parts: usize,
    arrays: Vec<Array<'a>>,
}

impl<'a> Statement<'a> {
    /// Adds new rows of `table`. `conflict` is an `ON CONFLICT` clause or empty.
    pub(super) fn insert(&mut self, table: &str, columns: Vec<(&'static str, Array<'a>)>, conflict: &str) {
        let names = columns
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ");
        let rows = self.unnest(columns);
        let part = self.next_part();
        let _ = write!(
            self.sql,
            "{part} AS (INSERT INTO {table} ({names}) SELECT * FROM {rows} {conflict})"
        );
    }

    /// Changes rows of `table`, found by `id` and `accepted_at` where `fence` holds.
    ///
    /// The smallest and the largest of `days` are given to PostgreSQL as constants, so that it
    /// looks only at the partitions between them.
    pub(super) fn update(
        &mut self,
        table: &str,
        columns: Vec<(&'static str, Array<'a>)>,
        set: &str,
        fence: &str,
        days: impl Iterator<Item = DateTime<Utc>> + Clone,
    ) {
        let rows = self.unnest(columns);
        let first = self.array(Array::Time(days.clone().min().into_iter().collect()));
        let last = self.array(Array::Time(days.max().into_iter().collect()));
        let part = self.next_part();
        let _ = write!(
            self.sql,
            "{part} AS (UPDATE {table} t SET {set} FROM {rows} \
             WHERE t.id = n.id AND t.accepted_at = n.accepted_at AND {fence} \
             AND t.accepted_at BETWEEN {first}[1] AND {last}[1])"
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

    fn next_part(&mut self) -> String {
        self.sql.push_str(if self.parts == 0 { "WITH " } else { ", " });
        self.parts += 1;
        format!("p{}", self.parts)
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
