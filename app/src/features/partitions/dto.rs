//! What the page of partitions shows and sends.

use serde::{Deserialize, Serialize};

use crate::{
    format::Stamp,
    ui::{filter::FilterDto, html::Html, tabs::Tab},
};

/// What the page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionsDto {
    /// What it means that nothing is deleted; empty when things are.
    pub advice: String,
    /// What wants a person; empty for nothing.
    pub trouble: String,
    /// Where what wants a person is listed.
    pub trouble_href: String,
    /// Figures of everything, each with its label.
    pub figures: Vec<(String, String)>,
    /// When days ahead were last looked after; empty for never.
    pub reconciled: Stamp,
    /// The days of each table.
    pub strips: Vec<StripDto>,
    /// Which days: `21 Oct to 4 Dec`.
    pub span: String,
    /// The same days as rows, newest first.
    pub twin: Vec<TwinRow>,
    /// Conversions that go on, wait or failed, and those that ended lately.
    pub conversions: Vec<ConversionDto>,
    /// Tables that are one heap, when nothing converts them.
    pub heaps: Vec<String>,
    /// Whether a table is split into days, so that it could be joined.
    pub can_join: bool,
    /// The leaves.
    pub list: LeavesDto,
    /// What left lately, newest first.
    pub gone: Vec<GoneRow>,
    /// How disk and archive fill.
    pub forecast: ForecastDto,
}

/// The days of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StripDto {
    /// The table.
    pub table: String,
    /// `16.0 M rows, 22.8 GB, 162 leaves`.
    pub note: String,
    /// The drawing; empty for a table that is one heap.
    pub svg: Html,
}

/// One day of every table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinRow {
    /// `20 Nov`.
    pub day: String,
    /// Its leaves.
    pub href: String,
    /// Rows per table, in the order of the strips.
    pub rows: Vec<String>,
    /// How far the backup is, in words.
    pub backup: String,
}

/// A conversion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionDto {
    /// The table.
    pub table: String,
    /// Into days; otherwise into one heap.
    pub into_days: bool,
    /// `running`, `paused`, `failed` or `done`.
    pub state: String,
    /// Its steps in order.
    pub steps: Vec<StepDto>,
    /// Percent of the rows; none when they are not counted.
    pub percent: Option<u8>,
    /// `8 082 242 of 11 801 286 rows`.
    pub rows: String,
    /// When it started.
    pub started: Stamp,
    /// When it ended; empty while it has not.
    pub ended: Stamp,
    /// Who started it.
    pub by: String,
    /// Why it failed; empty when it did not.
    pub error: String,
}

/// One step of a conversion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDto {
    /// What it does.
    pub word: String,
    /// What there is to say about it.
    pub say: String,
    /// How long it took.
    pub took: String,
    /// `success`, `active`, `paused`, `failure`; empty for one to come.
    pub state: String,
}

/// The list of leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeavesDto {
    /// The filters.
    pub filter: FilterDto,
    /// The orders.
    pub sorts: Vec<Tab>,
    /// The leaves of the page.
    pub rows: Vec<LeafRow>,
    /// `25 of 618 leaves`.
    pub note: String,
    /// The page before; empty on the first.
    pub back: String,
    /// The page after; empty on the last.
    pub next: String,
}

/// One leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafRow {
    /// Its name.
    pub name: String,
    /// The leaves of its day; empty for a leaf without a day.
    pub href: String,
    /// How it stands, as addresses name it.
    pub state: String,
    /// Why, when there is more to say.
    pub why: String,
    /// `30 days`; empty for a leaf without a class.
    pub kept: String,
    /// Rows.
    pub rows: String,
    /// Bytes.
    pub size: String,
    /// `12 segments`; empty for none.
    pub backup: String,
    /// What happens next.
    pub next: String,
    /// Whether it leaves next.
    pub leaves: bool,
    /// When; empty for never or not known.
    pub at: Stamp,
}

/// A leaf that left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneRow {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: String,
    /// Its bytes.
    pub size: String,
    /// For how long others waited.
    pub locked: String,
    /// When it was gone.
    pub at: Stamp,
}

/// How disk and archive fill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForecastDto {
    /// Bytes of the database.
    pub database: String,
    /// What a day adds, and over how many days that was measured.
    pub per_day: String,
    /// The disk; empty when it is not known.
    pub disk: String,
    /// When it is full.
    pub full: String,
    /// Whether that is soon.
    pub is_soon: bool,
    /// What the hot tables come to.
    pub settles: String,
    /// Bytes of the archive.
    pub archive: String,
    /// What a day adds to it.
    pub archive_per_day: String,
    /// What it costs now and in a year; empty without a price.
    pub cost: String,
    /// The price that was entered.
    pub price: String,
    /// The size of the disk that was entered.
    pub disk_gb: String,
    /// Whether the disk can be measured: nothing is entered then.
    pub is_measured: bool,
}

/// What an admin enters for the forecast.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ForecastForm {
    /// Size of PostgreSQL's disk in gigabytes; none when it is measured.
    pub disk_gb: Option<String>,
    /// Price of a gigabyte of the archive per month.
    pub price: String,
}
