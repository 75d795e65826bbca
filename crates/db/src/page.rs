//! Keyset windows over hot rows that are ordered by id.

use domain::id::instant_of;
use domain::page::{Direction, PageRequest};
use sea_orm::sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// Part of a list ordered by id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Largest id first.
    down: bool,
    /// Where to start.
    from: Option<Uuid>,
    /// Whether the row at `from` belongs to the part.
    inclusive: bool,
    /// Most rows.
    limit: usize,
}

impl Window {
    /// The rows of a page, and one more that tells whether another page follows.
    pub(crate) fn of(request: PageRequest) -> Self {
        Self {
            down: request.reads_down(),
            from: request.cursor,
            inclusive: request.direction == Direction::Next,
            limit: request.limit() + 1,
        }
    }

    /// Up to `limit` rows behind `after`, smallest id first.
    pub(crate) fn behind(after: Option<Uuid>, limit: usize) -> Self {
        Self {
            down: false,
            from: after,
            inclusive: false,
            limit,
        }
    }

    /// Adds the condition, the order and the limit for rows of `alias`, whose table has `id` and
    /// `accepted_at`. The instant in the id spares PostgreSQL the days beyond it.
    pub(crate) fn apply(self, sql: &mut QueryBuilder<Postgres>, alias: &str) {
        let (compare, order) = if self.down { ("<", "DESC") } else { (">", "ASC") };
        if let Some(from) = self.from {
            let equal = if self.inclusive { "=" } else { "" };
            sql.push(format!(" AND {alias}.id {compare}{equal} "))
                .push_bind(from);
            if let Some(instant) = instant_of(from) {
                sql.push(format!(" AND {alias}.accepted_at {compare}= "))
                    .push_bind(instant);
            }
        }
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        sql.push(format!(" ORDER BY {alias}.id {order} LIMIT "))
            .push_bind(limit);
    }
}
