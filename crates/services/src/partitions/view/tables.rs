//! The hot tables, and their days around today.

use chrono::{Days, NaiveDate};
use db::conversion::Layout;
use db::partition_view::Heap;
use db::partitions::LeafKind;

use super::coverage::{Coverage, worse};
use super::leaf::{LeafState, LeafView, is_empty};

/// The tables as pages list them.
pub(super) const ORDER: [&str; 4] = ["events", "event_deliveries", "delivery_attempts", "events_search"];
/// Days before today that are shown.
const BEFORE: u64 = 30;
/// Days after today that are shown.
const AFTER: u64 = 14;

/// A hot table with its days.
#[derive(Clone, Debug)]
pub struct TableView {
    /// Its name.
    pub table: &'static str,
    /// How it is laid out.
    pub layout: Layout,
    /// Rows, estimated.
    pub rows: i64,
    /// Bytes on disk with indexes.
    pub bytes: i64,
    /// How many leaves it has, the default leaf not counted.
    pub leaves: usize,
    /// Rows in its default leaf.
    pub waiting: i64,
    /// Its days around today, oldest first.
    pub days: Vec<DayView>,
}

/// One day of a table.
#[derive(Clone, Debug)]
pub struct DayView {
    /// The day.
    pub day: NaiveDate,
    /// How many leaves it has.
    pub leaves: usize,
    /// Rows in them, estimated.
    pub rows: i64,
    /// Bytes of them.
    pub bytes: i64,
    /// Whether a leaf of it could not leave.
    pub is_refused: bool,
    /// How far the backup is.
    pub coverage: Coverage,
    /// Rows of it may lie outside of its leaves: the table is being converted.
    pub is_legacy: bool,
}

/// The tables that exist.
pub(super) fn views(
    heaps: &[Heap],
    leaves: &[LeafView],
    waiting: &[(&'static str, i64)],
    today: NaiveDate,
) -> Vec<TableView> {
    let heaps = ORDER
        .into_iter()
        .filter_map(|name| heaps.iter().find(|heap| heap.table == name));
    heaps.map(|heap| view(heap, leaves, waiting, today)).collect()
}

fn view(heap: &Heap, leaves: &[LeafView], waiting: &[(&'static str, i64)], today: NaiveDate) -> TableView {
    let own: Vec<&LeafView> = leaves
        .iter()
        .filter(|view| view.leaf.table == heap.table)
        .collect();
    let with_days: Vec<&&LeafView> = own
        .iter()
        .filter(|view| view.leaf.kind != LeafKind::Default)
        .collect();
    let layout = match (heap.is_partitioned, with_days.is_empty()) {
        (true, _) => Layout::Partitioned,
        (false, false) => Layout::Spread,
        (false, true) => Layout::Plain,
    };
    let first = today.checked_sub_days(Days::new(BEFORE)).unwrap_or(today);
    let days = first.iter_days().take((BEFORE + AFTER + 1) as usize);
    TableView {
        table: heap.table,
        layout,
        rows: heap.rows + own.iter().map(|view| view.leaf.rows).sum::<i64>(),
        bytes: heap.bytes + own.iter().map(|view| view.leaf.bytes).sum::<i64>(),
        leaves: with_days.len(),
        waiting: waiting
            .iter()
            .find(|(table, _)| *table == heap.table)
            .map_or(0, |(_, rows)| *rows),
        days: days.map(|day| of_day(day, &own, layout, today)).collect(),
    }
}

fn of_day(day: NaiveDate, own: &[&LeafView], layout: Layout, today: NaiveDate) -> DayView {
    let mut view = DayView {
        day,
        leaves: 0,
        rows: 0,
        bytes: 0,
        is_refused: false,
        coverage: Coverage::Off,
        is_legacy: layout == Layout::Spread && day <= today,
    };
    for leaf in own.iter().filter(|leaf| leaf.leaf.day == Some(day)) {
        view.leaves += 1;
        view.rows += leaf.leaf.rows;
        view.bytes += leaf.leaf.bytes;
        view.is_refused |= leaf.state == LeafState::Refused;
        // An empty leaf waits for nothing.
        if !is_empty(&leaf.leaf) {
            view.coverage = worse(view.coverage, leaf.coverage.clone());
        }
    }
    view
}
