//! Query parameters: repeated and comma-joined lists, dates, paging; every refused one is named.

use axum::extract::FromRequestParts;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use domain::page::{DEFAULT_PER_PAGE, Direction, MAX_PER_PAGE, PageRequest, Sort};
use http::request::Parts;
use services::error::FieldError;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::body::NUL_REASON;
use crate::envelope::{List, Pagination};
use crate::error::{ApiError, ApiResult};
use crate::state::ApiState;

/// Most values of one repeated parameter.
const MAX_VALUES: usize = 1_000;
/// Days before today at which a list starts when nothing is asked for.
const DEFAULT_DAYS: u64 = 7;

/// What a handler wants of the query.
pub trait FromQuery: Sized {
    /// Takes its parameters; refusals are noted in `params`.
    fn read(params: &mut Params) -> Self;
}

/// The query of a request.
#[derive(Clone, Debug)]
pub struct Query<T>(pub T);

impl<T: FromQuery> FromRequestParts<ApiState> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Self> {
        let mut params = Params::new(parts.uri.query().unwrap_or_default(), state.services.clock.now());
        let value = T::read(&mut params);
        params.finish()?;
        Ok(Self(value))
    }
}

/// The parameters of a query and what is wrong with them.
#[derive(Debug)]
pub struct Params {
    pairs: Vec<(String, String)>,
    now: DateTime<Utc>,
    refused: Vec<FieldError>,
}

impl Params {
    /// Takes a query apart. `now` ends the default window of dates.
    pub fn new(query: &str, now: DateTime<Utc>) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self {
            pairs,
            now,
            refused: Vec::new(),
        }
    }

    fn finish(self) -> ApiResult<()> {
        if self.refused.is_empty() {
            Ok(())
        } else {
            Err(services::Error::Invalid(self.refused).into())
        }
    }

    /// Notes that `field` is refused.
    pub fn refuse(&mut self, field: &str, reason: impl Into<String>) {
        self.refused.push(FieldError {
            field: field.to_owned(),
            reason: reason.into(),
        });
    }

    /// The first value of the first of `names` that has one. Empty counts as left out.
    pub fn text(&mut self, names: &[&str]) -> Option<String> {
        let find = |name: &&str| {
            self.pairs
                .iter()
                .find(|(n, value)| n == name && !value.is_empty())
        };
        let (name, value) = names.iter().find_map(find).cloned()?;
        if value.contains('\0') {
            self.refuse(&name, NUL_REASON);
            return None;
        }
        Some(value)
    }

    /// All values under any of `names`, repeated or joined by commas.
    pub fn texts(&mut self, names: &[&str]) -> Vec<String> {
        let values: Vec<String> = self
            .pairs
            .iter()
            .filter(|(name, _)| {
                names
                    .iter()
                    .any(|n| name == n || name.strip_suffix("[]") == Some(n))
            })
            .flat_map(|(_, value)| value.split(','))
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            .collect();
        let reason = if values.len() > MAX_VALUES {
            format!("at most {MAX_VALUES} values are taken")
        } else if values.iter().any(|value| value.contains('\0')) {
            NUL_REASON.to_owned()
        } else {
            return values;
        };
        self.refuse(names[0], reason);
        Vec::new()
    }

    /// The values under any of `names`, each read by `read`; `expected` tells what would be right.
    pub fn many<T>(&mut self, names: &[&str], expected: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let texts = self.texts(names);
        let mut values = Vec::with_capacity(texts.len());
        for text in texts {
            match read(&text) {
                Some(value) => values.push(value),
                None => self.refuse(names[0], format!("`{}` is not {expected}", short(&text))),
            }
        }
        values
    }

    /// The value under any of `names`, read by `read`; `expected` tells what would be right.
    pub fn one<T>(&mut self, names: &[&str], expected: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(names)?;
        let value = read(text.trim());
        if value.is_none() {
            self.refuse(names[0], format!("`{}` is not {expected}", short(&text)));
        }
        value
    }

    /// The ids under `name`.
    pub fn ids<T: From<Uuid>>(&mut self, name: &str) -> Vec<T> {
        self.many(&[name], "an id", |text| text.parse::<Uuid>().ok().map(T::from))
    }

    /// The id under `name`.
    pub fn id<T: From<Uuid>>(&mut self, name: &str) -> Option<T> {
        self.one(&[name], "an id", |text| text.parse::<Uuid>().ok().map(T::from))
    }
}

/// The start of what a caller sent, for a message.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Paging of a list.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "names and describes the parameters that `page` reads")]
pub struct PagingParams {
    /// Rows on a page: 1 to 1000, default 20.
    #[param(rename = "perPage", minimum = 1, maximum = 1000, default = 20)]
    per_page: Option<u32>,
    /// `next` (default) or `prev`: which cursor is followed.
    #[param(value_type = Option<String>, example = "next")]
    direction: Option<Direction>,
    /// Where the next page starts: `next_page_cursor` of the page before, or any id.
    next_page_cursor: Option<Uuid>,
    /// Where the page before ends: `prev_page_cursor` of this page.
    prev_page_cursor: Option<Uuid>,
    /// `DESC` (default, newest first) or `ASC`.
    #[param(value_type = Option<String>, example = "DESC")]
    sort: Option<Sort>,
}

/// Reads [`PagingParams`].
pub fn page(params: &mut Params) -> PageRequest {
    let per_page = params.one(
        &["perPage", "per_page"],
        "a whole number from 1 to 1000",
        |text| text.parse::<u32>().ok(),
    );
    let direction = params.one(&["direction"], "next or prev", |text| match text {
        "next" => Some(Direction::Next),
        "prev" => Some(Direction::Prev),
        _ => None,
    });
    let sort = params.one(&["sort"], "ASC or DESC", |text| {
        match text.to_ascii_uppercase().as_str() {
            "ASC" => Some(Sort::Asc),
            "DESC" => Some(Sort::Desc),
            _ => None,
        }
    });
    let direction = direction.unwrap_or_default();
    let cursor = match direction {
        Direction::Next => params.id::<Uuid>("next_page_cursor"),
        Direction::Prev => params.id::<Uuid>("prev_page_cursor"),
    };
    PageRequest {
        // SDKs send 0 for "not set".
        per_page: per_page
            .filter(|n| *n > 0)
            .unwrap_or(DEFAULT_PER_PAGE)
            .min(MAX_PER_PAGE),
        direction,
        // The largest id stands for the first page in the replaced gateway.
        cursor: cursor.filter(|id| !id.is_max()),
        sort: sort.unwrap_or_default(),
    }
}

/// The answer for one page.
pub fn list<T, U>(page: domain::page::Page<T>, request: PageRequest, each: impl FnMut(T) -> U) -> List<U> {
    let cursor = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    List {
        pagination: Pagination {
            per_page: request.per_page,
            has_next_page: page.has_next,
            has_prev_page: page.has_prev,
            next_page_cursor: cursor(page.next_cursor),
            prev_page_cursor: cursor(page.prev_cursor),
        },
        content: page.items.into_iter().map(each).collect(),
    }
}

/// The time range of a list.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "names and describes the parameters that `window` reads")]
pub struct WindowParams {
    /// First instant, UTC unless it names a zone. Default: the start of the day seven days ago.
    #[param(rename = "startDate", example = "2026-11-13T00:00:00")]
    start_date: Option<String>,
    /// Last instant, UTC unless it names a zone. Default: the end of today.
    #[param(rename = "endDate", example = "2026-11-20T23:59:59")]
    end_date: Option<String>,
}

/// From the first to the last instant of a list, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The last instant.
    pub to: DateTime<Utc>,
}

/// Reads [`WindowParams`].
pub fn window(params: &mut Params) -> Window {
    const EXPECTED: &str = "a date such as 2026-11-20T13:00:00";
    let today = params.now.date_naive();
    let first = today.checked_sub_days(Days::new(DEFAULT_DAYS)).unwrap_or(today);
    let from = params.one(&["startDate"], EXPECTED, |text| instant(text, false));
    let to = params.one(&["endDate"], EXPECTED, |text| instant(text, true));
    let window = Window {
        from: from.unwrap_or_else(|| domain::lifecycle::start_of(first)),
        to: to.unwrap_or_else(|| end_of(today)),
    };
    if window.from > window.to {
        params.refuse("startDate", "must not be after endDate");
    }
    window
}

/// `2026-11-20T13:00:00` (UTC), the same with a zone, or a day.
fn instant(text: &str, ends: bool) -> Option<DateTime<Utc>> {
    if let Ok(at) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f") {
        return Some(at.and_utc());
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(if ends {
        end_of(day)
    } else {
        domain::lifecycle::start_of(day)
    })
}

/// The last microsecond of `day`: the tables keep no finer one.
fn end_of(day: NaiveDate) -> DateTime<Utc> {
    domain::lifecycle::start_of(domain::lifecycle::next_day(day)) - TimeDelta::microseconds(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T13:37:00Z";

    fn params(query: &str) -> Params {
        Params::new(query, NOW.parse().expect("a time"))
    }

    fn refusals(params: &Params) -> Vec<&str> {
        params.refused.iter().map(|f| f.field.as_str()).collect()
    }

    #[test]
    fn lists_may_be_repeated_or_joined_by_commas() {
        let mut p = params("endpointId=a,b&endpointId=c&endpointId[]=d&endpointId=");
        assert_eq!(p.texts(&["endpointId"]), ["a", "b", "c", "d"]);
    }

    #[test]
    fn both_spellings_are_read() {
        assert_eq!(
            params("event_type=x")
                .text(&["eventType", "event_type"])
                .as_deref(),
            Some("x")
        );
        assert_eq!(
            params("eventType=y")
                .text(&["eventType", "event_type"])
                .as_deref(),
            Some("y")
        );
    }

    #[test]
    fn the_first_page_is_asked_for_by_nothing_or_by_the_largest_id() {
        for query in [
            "",
            "next_page_cursor=FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "next_page_cursor=&perPage=0",
        ] {
            assert_eq!(page(&mut params(query)), PageRequest::default(), "{query}");
        }
    }

    #[test]
    fn a_page_is_asked_for_in_full() {
        let id = "01932b0c-0000-7000-8000-000000000001";
        let mut p = params(&format!(
            "perPage=5000&direction=prev&prev_page_cursor={id}&sort=asc"
        ));
        let expected = PageRequest {
            per_page: MAX_PER_PAGE,
            direction: Direction::Prev,
            cursor: Some(id.parse().expect("an id")),
            sort: Sort::Asc,
        };
        assert_eq!(page(&mut p), expected);
        assert!(p.refused.is_empty());
    }

    #[test]
    fn every_refused_parameter_is_named() {
        let mut p =
            params("perPage=-1&direction=up&sort=x&next_page_cursor=y&startDate=now&endpointId=z,%00");
        page(&mut p);
        window(&mut p);
        p.ids::<Uuid>("endpointId");
        assert_eq!(
            refusals(&p),
            [
                "perPage",
                "direction",
                "sort",
                "next_page_cursor",
                "startDate",
                "endpointId"
            ]
        );
        assert!(p.finish().is_err());
    }

    #[test]
    fn the_default_window_is_a_week_and_today() {
        let window = window(&mut params(""));
        assert_eq!(window.from.to_rfc3339(), "2026-11-13T00:00:00+00:00");
        assert_eq!(window.to.to_rfc3339(), "2026-11-20T23:59:59.999999+00:00");
    }

    #[test]
    fn dates_are_utc_unless_they_name_a_zone() {
        let mut p = params("startDate=2026-11-01T10:00:00&endDate=2026-11-01T13:00:00%2B02:00");
        let window = window(&mut p);
        assert_eq!(window.to - window.from, TimeDelta::hours(1));
    }

    #[test]
    fn a_window_that_ends_before_it_starts_is_refused() {
        let mut p = params("startDate=2026-11-02&endDate=2026-11-01");
        window(&mut p);
        assert_eq!(refusals(&p), ["startDate"]);
    }
}
