//! The address of a list: filter words, range and cursor.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domain::page::{Direction, Page, PageRequest, Sort};
use url::form_urlencoded;
use uuid::Uuid;

use crate::ui::{
    filter::{Chip, FilterDto},
    pager::Pager,
};

/// Rows of a list.
const PER_PAGE: u32 = 25;
/// Ranges that lists offer: value, words and hours.
const RANGES: [(&str, &str, i64); 5] = [
    ("1h", "Last hour", 1),
    ("24h", "Last 24 h", 24),
    ("7d", "Last 7 days", 168),
    ("30d", "Last 30 days", 720),
    ("all", "All", 0),
];
/// The range of a list whose address names none.
const DEFAULT_RANGE: &str = "7d";

/// What the address of a list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Filter words in the order of the address, each with its value.
    pub words: Vec<(String, String)>,
    /// The chosen tab; empty for the first.
    pub state: String,
    range: String,
    cursor: Option<(Direction, Uuid)>,
}

impl ListQuery {
    /// Reads `query`. A word without a known key counts as the value of `fallback`.
    pub fn parse(query: &str, keys: &[&str], fallback: &str) -> Self {
        let mut list = Self {
            range: DEFAULT_RANGE.to_owned(),
            ..Self::default()
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "q" => list.add(&value, keys, fallback),
                "state" => list.state = value.into_owned(),
                "range" if RANGES.iter().any(|(known, ..)| *known == value) => {
                    list.range = value.into_owned();
                }
                "after" => list.cursor = value.parse().ok().map(|id| (Direction::Next, id)),
                "before" => list.cursor = value.parse().ok().map(|id| (Direction::Prev, id)),
                _ => {}
            }
        }
        list
    }

    fn add(&mut self, text: &str, keys: &[&str], fallback: &str) {
        for token in text.split_whitespace() {
            let word = match token.split_once(':') {
                Some((key, value)) if keys.contains(&key) && !value.is_empty() => {
                    (key.to_owned(), value.to_owned())
                }
                _ => (fallback.to_owned(), token.to_owned()),
            };
            if !self.words.contains(&word) {
                self.words.push(word);
            }
        }
    }

    /// The last value of a filter word.
    pub fn word(&self, key: &str) -> Option<&str> {
        self.words
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a filter word.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.words
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// The stretch of time asked for: the day of the word `day`, or the range up to now.
    pub fn window(&self, now: DateTime<Utc>) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        if let Some(day) = self
            .word("day")
            .and_then(|text| NaiveDate::parse_from_str(text, "%Y%m%d").ok())
        {
            let start = domain::lifecycle::start_of(day);
            return (
                Some(start),
                start
                    .checked_add_days(Days::new(1))
                    .map(|end| end - TimeDelta::milliseconds(1)),
            );
        }
        let hours = RANGES
            .iter()
            .find(|(value, ..)| *value == self.range)
            .map_or(0, |(_, _, hours)| *hours);
        ((hours > 0).then(|| now - TimeDelta::hours(hours)), None)
    }

    /// Hours of the range; `None` when it has no start or a day is asked for.
    pub fn hours(&self) -> Option<u16> {
        let hours = RANGES
            .iter()
            .find(|(value, ..)| *value == self.range)
            .map_or(0, |(_, _, hours)| *hours);
        (hours > 0 && self.word("day").is_none()).then(|| u16::try_from(hours).unwrap_or(u16::MAX))
    }

    /// The page asked for.
    pub fn page(&self) -> PageRequest {
        let (direction, cursor) = self
            .cursor
            .map_or((Direction::Next, None), |(d, id)| (d, Some(id)));
        PageRequest {
            per_page: PER_PAGE,
            direction,
            cursor,
            sort: Sort::Desc,
        }
    }

    /// This list with another tab, from its first page on.
    pub fn with_state(&self, state: &str) -> String {
        Self {
            state: state.to_owned(),
            cursor: None,
            ..self.clone()
        }
        .href()
    }

    /// The filter bar. `ranged` lists offer a range.
    pub fn filter(&self, ranged: bool) -> FilterDto {
        let chips = self.words.iter().map(|word| Chip {
            key: word.0.clone(),
            value: word.1.clone(),
            remove: self.without(word),
        });
        let kept = if self.state.is_empty() {
            Vec::new()
        } else {
            vec![("state".to_owned(), self.state.clone())]
        };
        let ranges = RANGES
            .iter()
            .map(|(value, words, _)| ((*value).to_owned(), (*words).to_owned()));
        FilterDto {
            chips: chips.collect(),
            kept,
            range: self.range.clone(),
            ranges: if ranged { ranges.collect() } else { Vec::new() },
        }
    }

    fn without(&self, word: &(String, String)) -> String {
        let words = self.words.iter().filter(|w| *w != word).cloned().collect();
        Self {
            words,
            cursor: None,
            ..self.clone()
        }
        .href()
    }

    /// The line below the list.
    pub fn pager<T>(&self, page: &Page<T>, note: String, cost: String) -> Pager {
        let turn = |direction, cursor: Option<Uuid>| {
            cursor.map_or_else(String::new, |id| {
                Self {
                    cursor: Some((direction, id)),
                    ..self.clone()
                }
                .href()
            })
        };
        Pager {
            newer: turn(Direction::Prev, page.prev_cursor.filter(|_| page.has_prev)),
            older: turn(Direction::Next, page.next_cursor.filter(|_| page.has_next)),
            note,
            cost,
        }
    }

    /// This list as a query string, without its question mark.
    pub fn text(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in &self.words {
            query.append_pair("q", &format!("{key}:{value}"));
        }
        if !self.state.is_empty() {
            query.append_pair("state", &self.state);
        }
        if self.range != DEFAULT_RANGE {
            query.append_pair("range", &self.range);
        }
        match self.cursor {
            Some((Direction::Next, id)) => query.append_pair("after", &id.to_string()),
            Some((Direction::Prev, id)) => query.append_pair("before", &id.to_string()),
            None => &mut query,
        };
        query.finish()
    }

    fn href(&self) -> String {
        format!("?{}", self.text())
    }
}

/// One value of a page's query string.
pub fn value_of(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[&str] = &["type", "endpoint"];

    #[test]
    fn words_are_read_and_written_back() {
        let list = ListQuery::parse(
            "q=type%3Aorder.paid+hello&q=endpoint:e1&state=Failure&range=24h",
            KEYS,
            "text",
        );
        let words = [("type", "order.paid"), ("text", "hello"), ("endpoint", "e1")];
        assert_eq!(list.words, words.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(
            ListQuery::parse(&list.text(), &["type", "endpoint", "text"], "text"),
            list
        );
    }

    #[test]
    fn removing_a_chip_leaves_the_rest_and_goes_to_the_first_page() {
        let id = Uuid::from_u128(7);
        let list = ListQuery::parse(&format!("q=type:a&q=type:b&after={id}"), KEYS, "text");
        assert_eq!(list.filter(true).chips[0].remove, "?q=type%3Ab");
        assert_eq!(list.page().cursor, Some(id));
    }

    #[test]
    fn a_day_beats_the_range() {
        let now = "2026-11-20T10:42:18Z".parse().expect("valid");
        let list = ListQuery::parse("q=day:20261021&range=1h", &["day"], "text");
        let (from, to) = list.window(now);
        assert_eq!(
            from.map(|t| t.to_rfc3339()),
            Some("2026-10-21T00:00:00+00:00".to_owned())
        );
        assert_eq!(
            to.map(|t| t.to_rfc3339()),
            Some("2026-10-21T23:59:59.999+00:00".to_owned())
        );
        assert_eq!(list.hours(), None);
        assert_eq!(
            ListQuery::parse("range=all", &[], "text").window(now),
            (None, None)
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let list = ListQuery::parse("range=99y&after=no-id&q=%20", KEYS, "text");
        assert_eq!(list, ListQuery::parse("", KEYS, "text"));
    }
}
