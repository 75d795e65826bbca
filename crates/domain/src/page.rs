//! Paging by id: how a list is cut into pages, with cursors that are plain ids.
//!
//! A list is ordered by id. The cursor of the next page is the id of its first row, so it is
//! inclusive; the cursor of the page before is the id of this page's first row, so it is exclusive.
//! A client may start from any id that it knows.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Rows on a page when the caller names no number.
pub const DEFAULT_PER_PAGE: u32 = 20;
/// Most rows on a page.
pub const MAX_PER_PAGE: u32 = 1_000;

/// Which way a cursor is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The rows from the cursor on.
    #[default]
    Next,
    /// The rows before the cursor.
    Prev,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Sort {
    /// Newest first.
    #[default]
    Desc,
    /// Oldest first.
    Asc,
}

/// Which page of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Rows on the page, at most [`MAX_PER_PAGE`]; see [`PageRequest::limit`].
    pub per_page: u32,
    /// Which way the cursor is followed.
    pub direction: Direction,
    /// Where to start; `None` is the first page.
    pub cursor: Option<Uuid>,
    /// The order of the list.
    pub sort: Sort,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            per_page: DEFAULT_PER_PAGE,
            direction: Direction::Next,
            cursor: None,
            sort: Sort::Desc,
        }
    }
}

impl PageRequest {
    /// The first page with up to `per_page` rows.
    pub fn first(per_page: u32) -> Self {
        Self {
            per_page,
            ..Self::default()
        }
    }

    /// Rows on the page, kept between 1 and [`MAX_PER_PAGE`].
    pub fn limit(self) -> usize {
        self.per_page.clamp(1, MAX_PER_PAGE) as usize
    }

    /// Whether the rows are read from the largest id down.
    ///
    /// A page before the cursor is read away from the cursor, and turned round by [`Page::cut`].
    pub fn reads_down(self) -> bool {
        (self.sort == Sort::Desc) == (self.direction == Direction::Next)
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows, in the order asked for.
    pub items: Vec<T>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows come before.
    pub has_prev: bool,
    /// The cursor that, with [`Direction::Next`], gives the following page.
    pub next_cursor: Option<Uuid>,
    /// The cursor that, with [`Direction::Prev`], gives the page before.
    pub prev_cursor: Option<Uuid>,
}

impl<T> Page<T> {
    /// Makes the page out of up to `limit() + 1` rows read in the direction of
    /// [`PageRequest::reads_down`].
    ///
    /// `before` tells whether rows come before the first one; only asked for with
    /// [`Direction::Next`], where the rows themselves cannot tell.
    pub fn cut(request: PageRequest, mut rows: Vec<T>, before: bool, id: impl Fn(&T) -> Uuid) -> Self {
        let limit = request.limit();
        let more = rows.len() > limit;
        match request.direction {
            Direction::Next => {
                let next_cursor = if more { rows.get(limit).map(&id) } else { None };
                rows.truncate(limit);
                Self {
                    has_next: more,
                    has_prev: before,
                    next_cursor,
                    prev_cursor: if before {
                        rows.first().map(&id).or(request.cursor)
                    } else {
                        None
                    },
                    items: rows,
                }
            }
            Direction::Prev => {
                rows.truncate(limit);
                rows.reverse();
                Self {
                    has_next: request.cursor.is_some(),
                    has_prev: more,
                    next_cursor: request.cursor,
                    prev_cursor: if more { rows.first().map(&id) } else { None },
                    items: rows,
                }
            }
        }
    }

    /// The same page with every row turned into something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(each).collect(),
            has_next: self.has_next,
            has_prev: self.has_prev,
            next_cursor: self.next_cursor,
            prev_cursor: self.prev_cursor,
        }
    }

    /// The same page with every row turned into something else, which may fail.
    ///
    /// # Errors
    /// The first error of `each`.
    pub fn try_map<U, E>(self, each: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        Ok(Page {
            items: self.items.into_iter().map(each).collect::<Result<_, E>>()?,
            has_next: self.has_next,
            has_prev: self.has_prev,
            next_cursor: self.next_cursor,
            prev_cursor: self.prev_cursor,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> Uuid {
        Uuid::from_u128(u128::from(n))
    }

    /// What a table with the rows 1 to 10 answers, as a repository would ask it.
    fn read(request: PageRequest) -> Page<Uuid> {
        let keep = |row: &Uuid| {
            request
                .cursor
                .is_none_or(|cursor| match (request.direction, request.reads_down()) {
                    (Direction::Next, true) => *row <= cursor,
                    (Direction::Next, false) => *row >= cursor,
                    (Direction::Prev, true) => *row < cursor,
                    (Direction::Prev, false) => *row > cursor,
                })
        };
        let mut rows: Vec<Uuid> = (1..=10).map(id).filter(keep).collect();
        if request.reads_down() {
            rows.reverse();
        }
        rows.truncate(request.limit() + 1);
        let before = request.cursor.is_some_and(|cursor| {
            let first = rows.first().copied().unwrap_or(cursor);
            (1..=10).map(id).any(|row| {
                if request.reads_down() {
                    row > first
                } else {
                    row < first
                }
            })
        });
        Page::cut(request, rows, before, |row| *row)
    }

    fn walk(sort: Sort) -> Vec<Vec<Uuid>> {
        let mut request = PageRequest {
            sort,
            ..PageRequest::first(4)
        };
        let mut pages = Vec::new();
        loop {
            let page = read(request);
            assert_eq!(page.has_next, page.next_cursor.is_some());
            pages.push(page.items);
            match page.next_cursor {
                Some(cursor) => request.cursor = Some(cursor),
                None => return pages,
            }
        }
    }

    #[test]
    fn following_the_next_cursor_shows_every_row_once() {
        let newest_first: Vec<Uuid> = (1..=10).rev().map(id).collect();
        assert_eq!(walk(Sort::Desc).concat(), newest_first);
        let oldest_first: Vec<Uuid> = (1..=10).map(id).collect();
        assert_eq!(walk(Sort::Asc).concat(), oldest_first);
    }

    #[test]
    fn the_previous_cursor_leads_back_to_the_same_page_in_the_same_order() {
        for sort in [Sort::Desc, Sort::Asc] {
            let first = read(PageRequest {
                sort,
                ..PageRequest::first(4)
            });
            assert!(!first.has_prev && first.prev_cursor.is_none());
            let second = read(PageRequest {
                sort,
                cursor: first.next_cursor,
                ..PageRequest::first(4)
            });
            assert!(second.has_prev);
            let back = PageRequest {
                sort,
                direction: Direction::Prev,
                cursor: second.prev_cursor,
                ..PageRequest::first(4)
            };
            let again = read(back);
            assert_eq!(again.items, first.items);
            assert!(again.has_next && !again.has_prev);
            let forth = read(PageRequest {
                sort,
                cursor: again.next_cursor,
                ..PageRequest::first(4)
            });
            assert_eq!(forth.items, second.items);
        }
    }

    #[test]
    fn the_limit_stays_within_its_bounds() {
        assert_eq!(PageRequest::first(0).limit(), 1);
        assert_eq!(PageRequest::first(u32::MAX).limit(), MAX_PER_PAGE as usize);
    }
}
