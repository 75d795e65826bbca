//! From the use cases to the page of partitions.

use chrono::{DateTime, NaiveDate, Utc};
use domain::lifecycle::{KeepDays, PARTITIONED_TABLES};
use services::partitions::view::{
    self, LeafQuery, LeafSort, LeafState, LeafView, Next, PartitionsView, WAITING_LIMIT,
};
use url::form_urlencoded;

use super::{
    dto::{GoneRow, LeafRow, LeavesDto, PartitionsDto},
    present_more::{conversions, forecast, strips, twin},
};
use crate::{
    context::viewing,
    error::UiError,
    features::query::{ListQuery, value_of},
    format::{self, Stamp},
    ui::{load::Place, tabs::Tab},
};

/// Filter words of the leaves.
const KEYS: &[&str] = &["table", "day", "class", "state"];
/// The orders, as the address and as people name them.
const SORTS: [(&str, &str, LeafSort); 4] = [
    ("", "Next", LeafSort::Next),
    ("day", "Day", LeafSort::Day),
    ("rows", "Rows", LeafSort::Rows),
    ("size", "Size", LeafSort::Size),
];

/// What the page of partitions shows.
///
/// # Errors
/// When the viewer is no instance admin or a store is away.
pub async fn page(place: Place) -> Result<PartitionsDto, UiError> {
    let by = viewing().await?;
    by.actor.require_instance()?;
    let asked = Asked::parse(&place.query);
    let view = view::overview(&by.services, &by.actor, &asked.query()).await?;
    Ok(dto(&view, &asked, by.now))
}

/// What the address asks for.
struct Asked {
    words: ListQuery,
    sort: usize,
    page: usize,
}

impl Asked {
    fn parse(query: &str) -> Self {
        let sort = value_of(query, "sort").unwrap_or_default();
        let page = value_of(query, "page").and_then(|page| page.parse().ok());
        Self {
            words: ListQuery::parse(query, KEYS, "table"),
            sort: SORTS.iter().position(|(name, ..)| *name == sort).unwrap_or(0),
            page: page.unwrap_or(1),
        }
    }

    /// The use case's query. A word that names nothing finds nothing.
    fn query(&self) -> LeafQuery {
        let mut query = LeafQuery {
            sort: SORTS[self.sort].2,
            page: self.page,
            ..LeafQuery::default()
        };
        for (key, value) in &self.words.words {
            let known = match key.as_str() {
                "table" => set(
                    &mut query.table,
                    PARTITIONED_TABLES.into_iter().find(|table| table == value),
                ),
                "day" => set(&mut query.day, day_of(value)),
                "class" => set(&mut query.keep_days, class_of(value)),
                _ => set(&mut query.state, LeafState::parse(value)),
            };
            query.nothing |= !known;
        }
        query
    }

    fn href(&self, sort: usize, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in &self.words.words {
            query.append_pair("q", &format!("{key}:{value}"));
        }
        if sort > 0 {
            query.append_pair("sort", SORTS[sort].0);
        }
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        format!("/system/partitions?{}", query.finish())
    }
}

/// Puts a value in its place; a second, different one contradicts the first.
fn set<T: PartialEq + Copy>(place: &mut Option<T>, value: Option<T>) -> bool {
    let agrees = value.is_some() && (place.is_none() || *place == value);
    *place = value;
    agrees
}

fn day_of(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y%m%d")
        .or_else(|_| text.parse())
        .ok()
}

/// A keep class as people write it: `30`, `k30`, `for-ever`.
fn class_of(text: &str) -> Option<KeepDays> {
    if text.eq_ignore_ascii_case("for-ever") {
        return Some(KeepDays::FOR_EVER);
    }
    text.trim_start_matches('k').parse().ok().map(KeepDays)
}

fn dto(view: &PartitionsView, asked: &Asked, now: DateTime<Utc>) -> PartitionsDto {
    let (trouble, trouble_href) = trouble(view.troubles);
    let conversions = conversions(&view.conversions, now);
    let idle = !conversions.iter().any(|one| one.state != "done");
    let heap = |table: &&view::TableView| table.layout != services::conversion::Layout::Partitioned;
    let heaps = view.tables.iter().filter(heap);
    let split = view.tables.len() > heaps.clone().count();
    let (strips, span) = strips(&view.tables, now);
    PartitionsDto {
        advice: advice(view.advice.unwrap_or_default()),
        trouble,
        trouble_href,
        figures: figures(view, now),
        reconciled: view
            .reconciled
            .map_or_else(Stamp::default, |at| Stamp::ago(at, now)),
        strips,
        span,
        twin: twin(&view.tables, now),
        heaps: if idle {
            heaps.map(|table| table.table.to_owned()).collect()
        } else {
            Vec::new()
        },
        can_join: split,
        conversions,
        list: list(view, asked, now),
        gone: view.gone.iter().map(|drop| gone(drop, now)).collect(),
        forecast: forecast(&view.forecast, now),
    }
}

/// The advice without what the title of its box says.
fn advice(text: &str) -> String {
    let rest = text.strip_prefix("Nothing is deleted: ").unwrap_or(text);
    let mut chars = rest.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    let end = if rest.is_empty() || rest.ends_with('.') {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.unwrap_or_default(), chars.as_str())
}

fn trouble((refused, failed): (usize, usize)) -> (String, String) {
    let leaves = |n: usize| {
        if n == 1 {
            "1 leaf".to_owned()
        } else {
            format!("{n} leaves")
        }
    };
    let (said, state) = match (refused, failed) {
        (0, 0) => return (String::new(), String::new()),
        (0, n) => (format!("Backup of {} failed", leaves(n)), LeafState::BackupFailed),
        (n, _) => (format!("{} could not leave", leaves(n)), LeafState::Refused),
    };
    (said, format!("/system/partitions?q=state%3A{}", state.as_str()))
}

fn figures(view: &PartitionsView, now: DateTime<Utc>) -> Vec<(String, String)> {
    let (made, wanted) = view.days_ahead;
    let next = match view.next_drop {
        None => "None".to_owned(),
        Some((at, 1)) => format!("{} UTC, 1 leaf", format::day_time(at, now)),
        Some((at, n)) => format!("{} UTC, {n} leaves", format::day_time(at, now)),
    };
    [
        ("Leaves", format::count(view.totals.leaves)),
        ("Rows", format::short_count(view.totals.rows)),
        ("Size", format::bytes(view.totals.bytes.unsigned_abs())),
        ("Days ahead", format!("{made} of {wanted}")),
        (
            "Rows in default leaves",
            format::count_at_most(view.waiting, WAITING_LIMIT - 1),
        ),
        ("Next drop", next),
    ]
    .map(|(label, value)| (label.to_owned(), value))
    .to_vec()
}

fn list(view: &PartitionsView, asked: &Asked, now: DateTime<Utc>) -> LeavesDto {
    let (page, pages) = view.page;
    let mut filter = asked.words.filter(false);
    if asked.sort > 0 {
        filter
            .kept
            .push(("sort".to_owned(), SORTS[asked.sort].0.to_owned()));
    }
    let sorts = SORTS
        .iter()
        .enumerate()
        .map(|(i, (_, word, _))| Tab::new(word, asked.href(i, 1), i == asked.sort));
    let turn = |there: bool, page: usize| {
        if there {
            asked.href(asked.sort, page)
        } else {
            String::new()
        }
    };
    LeavesDto {
        filter,
        sorts: sorts.collect(),
        rows: view.leaves.iter().map(|leaf| row(leaf, now)).collect(),
        note: format!("{} of {} leaves", view.leaves.len(), view.found),
        back: turn(page > 1, page.saturating_sub(1)),
        next: turn(page < pages, page + 1),
    }
}

fn row(view: &LeafView, now: DateTime<Utc>) -> LeafRow {
    let leaf = &view.leaf;
    let next = match view.next {
        Next::Drop => "Drop",
        Next::BackUp => "Back up",
        Next::Open => "Open",
        Next::Move => "Move rows",
        Next::Held => "None while held",
        Next::ForEver => "None, kept for ever",
        Next::DeletingOff => "None, deleting is off",
        Next::Nothing => "None",
    };
    LeafRow {
        name: leaf.name.clone(),
        href: leaf.day.map_or_else(String::new, day_href),
        state: view.state.as_str().to_owned(),
        why: view.why.clone().unwrap_or_default(),
        kept: leaf
            .keep_days
            .as_ref()
            .map(KeepDays::to_string)
            .unwrap_or_default(),
        rows: format::count(leaf.rows),
        size: format::bytes(leaf.bytes.unsigned_abs()),
        backup: match view.segments {
            0 => String::new(),
            1 => "1 segment".to_owned(),
            n => format!("{} segments", format::count(n)),
        },
        next: next.to_owned(),
        leaves: view.next == Next::Drop,
        at: view.at.map_or_else(Stamp::default, |at| Stamp::row(at, now)),
    }
}

/// The leaves of a day.
pub(super) fn day_href(day: NaiveDate) -> String {
    format!("/system/partitions?q=day%3A{}#leaves", format::day_compact(day))
}

fn gone(drop: &view::LeafDrop, now: DateTime<Utc>) -> GoneRow {
    GoneRow {
        name: drop.leaf.clone(),
        rows: format::count(drop.rows),
        size: format::bytes(drop.bytes.unsigned_abs()),
        locked: drop.locked_ms.map_or_else(String::new, |ms| {
            format::duration_ms(u64::from(ms.unsigned_abs()))
        }),
        at: Stamp::row(drop.ended_at.unwrap_or(drop.since), now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_narrow_and_a_word_that_names_nothing_finds_nothing() {
        let asked = Asked::parse("q=table%3Aevents+day%3A20261021&q=class%3Ak30&sort=size&page=3");
        let query = asked.query();
        assert_eq!(query.table, Some("events"));
        assert_eq!(query.day, NaiveDate::from_ymd_opt(2026, 10, 21));
        assert_eq!(query.keep_days, Some(KeepDays(30)));
        assert_eq!(
            (query.sort, query.page, query.nothing),
            (LeafSort::Size, 3, false)
        );
        assert!(Asked::parse("q=state%3Anone").query().nothing);
        assert!(
            Asked::parse("q=table%3Aevents+table%3Aevents_search")
                .query()
                .nothing
        );
        assert_eq!(class_of("for-ever"), Some(KeepDays::FOR_EVER));
    }

    #[test]
    fn another_order_begins_at_its_first_page() {
        let asked = Asked::parse("q=state%3Aopen&page=2");
        assert_eq!(asked.href(3, 1), "/system/partitions?q=state%3Aopen&sort=size");
        assert_eq!(asked.href(0, 2), "/system/partitions?q=state%3Aopen&page=2");
    }

    #[test]
    fn advice_does_not_repeat_its_title() {
        assert_eq!(
            advice("Nothing is deleted: the feature is off"),
            "The feature is off."
        );
        assert_eq!(advice(""), "");
    }

    #[test]
    fn what_could_not_leave_is_named_before_what_failed() {
        assert_eq!(trouble((0, 0)).0, "");
        assert_eq!(trouble((0, 1)).0, "Backup of 1 leaf failed");
        let (said, href) = trouble((3, 5));
        assert_eq!(said, "3 leaves could not leave");
        assert!(href.ends_with("state%3Arefused"));
    }
}
