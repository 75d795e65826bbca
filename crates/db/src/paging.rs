//! Pages of entities that are ordered by id.

use domain::page::{Direction, Page, PageRequest};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

use crate::DbError;

/// Reads the page that `request` asks for out of `rows`, whose key is the column `key`.
pub(crate) async fn page<E, M>(
    conn: &impl ConnectionTrait,
    rows: Select<E>,
    key: E::Column,
    request: PageRequest,
    id: fn(&M) -> Uuid,
) -> Result<Page<M>, DbError>
where
    E: EntityTrait<Model = M>,
    M: FromQueryResult + Sized + Send + Sync,
{
    let down = request.reads_down();
    let mut query = rows.clone();
    if let Some(cursor) = request.cursor {
        query = query.filter(match (request.direction, down) {
            (Direction::Next, true) => key.lte(cursor),
            (Direction::Next, false) => key.gte(cursor),
            (Direction::Prev, true) => key.lt(cursor),
            (Direction::Prev, false) => key.gt(cursor),
        });
    }
    query = if down {
        query.order_by_desc(key)
    } else {
        query.order_by_asc(key)
    };
    let found = query.limit(request.limit() as u64 + 1).all(conn).await?;

    let mut before = false;
    if let (Direction::Next, Some(cursor)) = (request.direction, request.cursor) {
        let first = found.first().map_or(cursor, id);
        let beyond = rows.filter(if down { key.gt(first) } else { key.lt(first) });
        before = beyond.limit(1).one(conn).await?.is_some();
    }
    Ok(Page::cut(request, found, before, id))
}

/// A pattern for `ILIKE` that finds `text` anywhere, taken literally.
pub(crate) fn containing(text: &str) -> String {
    format!("%{}", starting(text))
}

/// A pattern for `LIKE` that finds what starts with `text`, taken literally.
pub(crate) fn starting(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
