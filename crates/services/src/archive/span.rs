//! Between which ids a read goes, and in which direction.

use chrono::{DateTime, NaiveDate, SubsecRound as _, TimeDelta, Utc};
use domain::id::{bounds_of_millisecond, first_of_millisecond};
use domain::page::{Direction, PageRequest};
use uuid::Uuid;

/// Ids from the first to the last, both included, and in which order they are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) first: Uuid,
    pub(super) last: Uuid,
    /// Largest first.
    pub(super) down: bool,
}

impl Span {
    /// Everything, smallest id first.
    pub(super) const ALL: Self = Self {
        first: Uuid::nil(),
        last: Uuid::max(),
        down: false,
    };

    /// What a page may show.
    pub(super) fn of(request: PageRequest) -> Self {
        let mut span = Self {
            down: request.reads_down(),
            ..Self::ALL
        };
        if let Some(cursor) = request.cursor {
            // The cursor of the page before is not part of it.
            let step = u128::from(request.direction == Direction::Prev);
            if span.down {
                span.last = Uuid::from_u128(cursor.as_u128().saturating_sub(step));
            } else {
                span.first = Uuid::from_u128(cursor.as_u128().saturating_add(step));
            }
        }
        span
    }

    /// What lies behind `after`, smallest id first.
    pub(super) fn behind(after: Option<Uuid>) -> Self {
        Self {
            first: after.map_or(Uuid::nil(), |id| Uuid::from_u128(id.as_u128().saturating_add(1))),
            ..Self::ALL
        }
    }

    /// Of this, what was accepted at or after `from` and before or at `to`.
    pub(super) fn within(self, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Self {
        // Ids carry whole milliseconds.
        let from = from.map(|from| first_of_millisecond(from + TimeDelta::nanoseconds(999_999)));
        let to = to.map(|to| bounds_of_millisecond(to.trunc_subsecs(3)).1);
        self.between(from.unwrap_or(Uuid::nil()), to.unwrap_or(Uuid::max()))
    }

    /// Of this, what lies from `first` to `last`.
    pub(super) fn between(self, first: Uuid, last: Uuid) -> Self {
        Self {
            first: self.first.max(first),
            last: self.last.min(last),
            ..self
        }
    }

    /// Of this, what was accepted in the same milliseconds as these and between them.
    pub(super) fn around(self, instants: impl Iterator<Item = DateTime<Utc>> + Clone) -> Self {
        match (instants.clone().min(), instants.max()) {
            (Some(first), Some(last)) => {
                self.between(bounds_of_millisecond(first).0, bounds_of_millisecond(last).1)
            }
            _ => self,
        }
    }

    /// Whether `a` is read before `b`.
    pub(super) fn is_before(self, a: Uuid, b: Uuid) -> bool {
        if self.down { a > b } else { a < b }
    }

    pub(super) fn is_empty(self) -> bool {
        self.first > self.last
    }

    /// Of ids from `first` to `last`, the one that is read first and lies within the span.
    pub(super) fn nearest(self, first: Uuid, last: Uuid) -> Uuid {
        if self.down {
            last.min(self.last)
        } else {
            first.max(self.first)
        }
    }

    pub(super) fn days(self) -> (NaiveDate, NaiveDate) {
        (day_of(self.first), day_of(self.last))
    }
}

/// The day that an id, or a bound of ids, lies in.
pub(super) fn day_of(id: Uuid) -> NaiveDate {
    let millis = i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX);
    // Forty-eight bits of milliseconds reach to the year 10889.
    DateTime::from_timestamp_millis(millis)
        .unwrap_or_default()
        .date_naive()
}

#[cfg(test)]
mod tests {
    use domain::page::Sort::{Asc, Desc};

    use super::*;

    #[test]
    fn bounds_of_ids_tell_their_days() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day");
        let at = day.and_hms_milli_opt(23, 59, 59, 999).expect("a time").and_utc();
        let (first, last) = domain::id::bounds_of_millisecond(at);
        assert_eq!((day_of(first), day_of(last)), (day, day));
        assert!(day_of(Uuid::nil()) < day && day < day_of(Uuid::max()));
    }

    #[test]
    fn a_span_holds_what_the_statement_of_a_list_holds() {
        let at: DateTime<Utc> = "2026-11-20T10:00:00.123456Z".parse().expect("a time");
        let ids = |ms: i64| bounds_of_millisecond(at.trunc_subsecs(3) + TimeDelta::milliseconds(ms));
        let span = Span::ALL.within(Some(at), Some(at + TimeDelta::milliseconds(5)));
        assert_eq!((span.first, span.last), (ids(1).0, ids(5).1));
        let whole = at.trunc_subsecs(3);
        let span = Span::ALL.within(Some(whole), Some(whole));
        assert_eq!((span.first, span.last), ids(0));

        let page = |direction, sort| {
            Span::of(PageRequest {
                direction,
                sort,
                cursor: Some(Uuid::from_u128(10)),
                ..PageRequest::default()
            })
        };
        let ends = |span: Span| (span.first.as_u128(), span.last.as_u128(), span.down);
        assert_eq!(ends(page(Direction::Next, Desc)), (0, 10, true));
        assert_eq!(ends(page(Direction::Next, Asc)), (10, u128::MAX, false));
        assert_eq!(ends(page(Direction::Prev, Desc)), (11, u128::MAX, false));
        assert_eq!(ends(page(Direction::Prev, Asc)), (0, 9, true));
        assert_eq!(Span::behind(Some(Uuid::from_u128(10))).first.as_u128(), 11);
        assert!(
            Span::ALL
                .between(Uuid::from_u128(2), Uuid::from_u128(1))
                .is_empty()
        );
    }

    #[test]
    fn the_nearest_id_lies_within_the_span() {
        let id = |n: u128| Uuid::from_u128(n);
        let span = |down| Span {
            first: id(10),
            last: id(20),
            down,
        };
        assert_eq!(span(false).nearest(id(5), id(30)), id(10));
        assert_eq!(span(true).nearest(id(5), id(30)), id(20));
        assert_eq!(span(false).nearest(id(12), id(15)), id(12));
        assert_eq!(span(true).nearest(id(12), id(15)), id(15));
        assert!(span(true).is_before(id(2), id(1)) && span(false).is_before(id(1), id(2)));
    }
}
