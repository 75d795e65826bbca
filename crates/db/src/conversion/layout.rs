//! What a table looks like now: its layout, columns, indexes and children.

use domain::lifecycle::{PARTITIONED_TABLES, parse_leaf_name};
use sea_orm::sqlx;
use serde::Serialize;

use super::session::Session;
use crate::{Db, DbError};

/// How a hot table is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// One heap.
    Plain,
    /// On the way: a heap, with leaves as children by inheritance.
    Spread,
    /// Days and leaves.
    Partitioned,
}

impl Layout {
    fn of(relkind: &str, has_children: bool) -> Self {
        match (relkind, has_children) {
            ("p", _) => Self::Partitioned,
            (_, true) => Self::Spread,
            (_, false) => Self::Plain,
        }
    }
}

/// The layout of `table`; `None` when there is no such table.
///
/// # Errors
/// As every statement.
pub async fn layout(db: &Db, table: &str) -> Result<Option<Layout>, DbError> {
    let row: Option<(String, bool)> = sqlx::query_as(
        "SELECT c.relkind::text, EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhparent = c.oid) \
         FROM pg_class c WHERE c.relname = $1 AND c.relnamespace = current_schema()::regnamespace",
    )
    .bind(table)
    .fetch_optional(db.pool())
    .await?;
    Ok(row.map(|(relkind, has_children)| Layout::of(&relkind, has_children)))
}

/// The hot tables that are spread now: keep classes of their rows cannot change until they are not.
///
/// # Errors
/// As every statement.
pub async fn in_progress(db: &Db) -> Result<Vec<&'static str>, DbError> {
    let mut spread = Vec::new();
    for table in PARTITIONED_TABLES {
        if layout(db, table).await? == Some(Layout::Spread) {
            spread.push(table);
        }
    }
    Ok(spread)
}

/// An index that is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Index {
    /// Its name.
    pub(super) name: String,
    /// `USING btree (project_id, id) WHERE ...`
    pub(super) tail: String,
}

/// A table below another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Child {
    /// Its name.
    pub(super) name: String,
    /// The table right above it.
    pub(super) parent: String,
}

impl Child {
    /// Whether it is named as a leaf. A default partition is not.
    pub(super) fn is_leaf(&self) -> bool {
        parse_leaf_name(&self.name).is_some()
    }
}

/// The key of every hot table.
pub(super) const KEY: &str = "(id, accepted_at, keep_days)";

/// `name` as an identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Session {
    /// Names of the columns, as a list for statements.
    pub(super) async fn columns(&mut self) -> Result<Vec<String>, DbError> {
        let sql = format!(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 \
             AND NOT attisdropped ORDER BY attnum",
            self.table()
        );
        let names = self.strings(&sql).await?;
        Ok(names.iter().map(|name| quoted(name)).collect())
    }

    /// Indexes of `table` that are no keys, oldest first: names that PostgreSQL makes up for the
    /// indexes of leaves depend on the order.
    pub(super) async fn indexes(&mut self, table: &str) -> Result<Vec<Index>, DbError> {
        let sql = format!(
            "SELECT c.relname::text || chr(1) || pg_get_indexdef(i.indexrelid) FROM pg_index i \
             JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = '{table}'::regclass AND NOT i.indisunique AND i.indisvalid ORDER BY i.indexrelid"
        );
        let rows = self.strings(&sql).await?;
        Ok(rows
            .iter()
            .filter_map(|row| {
                let (name, definition) = row.split_once('\u{1}')?;
                let (_, tail) = definition.split_once(" USING ")?;
                Some(Index {
                    name: name.to_owned(),
                    tail: format!("USING {tail}"),
                })
            })
            .collect())
    }

    /// Names of all indexes of `table`, keys as well.
    pub(super) async fn index_names(&mut self, table: &str) -> Result<Vec<String>, DbError> {
        self.strings(&format!(
            "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = '{table}'::regclass ORDER BY 1"
        ))
        .await
    }

    /// Every table with rows below `table`, at any depth, by name. One that is being dropped is not.
    pub(super) async fn children(&mut self, table: &str) -> Result<Vec<Child>, DbError> {
        let sql = format!(
            "WITH RECURSIVE below AS (SELECT inhrelid, inhparent, inhdetachpending FROM pg_inherits WHERE inhparent = '{table}'::regclass \
             UNION ALL SELECT i.inhrelid, i.inhparent, i.inhdetachpending FROM pg_inherits i JOIN below b ON i.inhparent = b.inhrelid) \
             SELECT c.relname::text || chr(1) || p.relname::text FROM below b JOIN pg_class c ON c.oid = b.inhrelid \
             JOIN pg_class p ON p.oid = b.inhparent WHERE c.relkind = 'r' AND NOT b.inhdetachpending ORDER BY 1"
        );
        let rows = self.strings(&sql).await?;
        Ok(rows
            .iter()
            .filter_map(|row| row.split_once('\u{1}'))
            .map(|(name, parent)| Child {
                name: name.to_owned(),
                parent: parent.to_owned(),
            })
            .collect())
    }

    /// Names of the tables right below a spread table, oldest day first: its leaves when `leaves`,
    /// else what is no leaf, such as a default partition on its way.
    ///
    /// # Errors
    /// As every statement.
    pub async fn parts(&mut self, leaves: bool) -> Result<Vec<String>, DbError> {
        let children = self.children(self.table()).await?;
        let names = children.into_iter().filter(|child| child.is_leaf() == leaves);
        Ok(names.map(|child| child.name).collect())
    }

    /// Whether there is a table `name`.
    pub(super) async fn exists(&mut self, name: &str) -> Result<bool, DbError> {
        self.flag(&format!("SELECT to_regclass('{name}') IS NOT NULL"))
            .await
    }

    /// Whether `table` or a table below it holds a row. Goes by the key, so that a large heap whose
    /// rows are all gone answers at once.
    pub(super) async fn has_rows(&mut self, table: &str) -> Result<bool, DbError> {
        self.flag(&format!("SELECT EXISTS ({})", any_row(table))).await
    }

    /// The layout of the session's table.
    ///
    /// # Errors
    /// As every statement.
    pub async fn layout(&mut self) -> Result<Layout, DbError> {
        let table = self.table();
        let sql = format!(
            "SELECT relkind::text || chr(1) || EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = pg_class.oid)::text \
             FROM pg_class WHERE oid = '{table}'::regclass"
        );
        let rows = self.strings(&sql).await?;
        let (relkind, children) = rows
            .first()
            .and_then(|row| row.split_once('\u{1}'))
            .unwrap_or_default();
        Ok(Layout::of(relkind, children == "true"))
    }
}

/// A query that answers a row exactly when `table` holds one.
pub(super) fn any_row(table: &str) -> String {
    format!("SELECT 1 FROM {table} WHERE id >= '00000000-0000-0000-0000-000000000000' LIMIT 1")
}
