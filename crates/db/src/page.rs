//! Keyset windows over rows that are ordered by id.

use domain::id::instant_of;
use sea_orm::sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// Direction of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Largest id first.
    NewestFirst,
    /// Smallest id first.
    OldestFirst,
}

/// Part of an ordered list: up to `limit` rows behind an id.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The direction.
    pub order: Order,
    /// Rows behind this id, itself left out.
    pub after: Option<Uuid>,
    /// Most rows.
    pub limit: u32,
}

impl Window {
    /// Adds the condition, the order and the limit for rows of `alias`, whose table has `id` and
    /// `accepted_at`. The instant in the id spares PostgreSQL the days beyond it.
    pub(crate) fn apply(&self, sql: &mut QueryBuilder<Postgres>, alias: &str) {
        let (compare, order) = match self.order {
            Order::NewestFirst => ("<", "DESC"),
            Order::OldestFirst => (">", "ASC"),
        };
        if let Some(after) = self.after {
            sql.push(format!(" AND {alias}.id {compare} ")).push_bind(after);
            if let Some(instant) = instant_of(after) {
                sql.push(format!(" AND {alias}.accepted_at {compare}= ")).push_bind(instant);
            }
        }
        sql.push(format!(" ORDER BY {alias}.id {order} LIMIT ")).push_bind(i64::from(self.limit));
    }
}
