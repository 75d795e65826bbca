//! When the disk is full, and what the archive will cost.
//!
//! Days of the last week tell how much a day takes in each keep class. From there on leaves that
//! exist go when their period ends, and new days come at the same pace and go in their turn.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use db::partitions::{Leaf, LeafKind};
use domain::lifecycle::{KeepDays, expires_at};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::leaf::is_empty;
use crate::Services;
use crate::access::Actor;
use crate::audit::{self, Change};
use crate::changed::now;
use crate::error::{Error, Result};
use crate::fields::Fields;

/// The row of what an admin entered.
const SETTING: &str = "storage_forecast";
/// Days that are looked back.
const WINDOW: u64 = 7;
/// Days that are looked ahead: ten years.
const HORIZON: u32 = 3_650;
/// A gigabyte, as stores charge it.
const GIGABYTE: f64 = 1e9;

/// What an admin entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Entered {
    /// Size of PostgreSQL's disk in gigabytes, for when it cannot be measured.
    disk_gb: Option<f64>,
    /// Price of a gigabyte of the archive per month.
    price: Option<f64>,
}

/// A change of what an admin entered; empty text removes the value.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ForecastChange {
    /// Size of PostgreSQL's disk in gigabytes; `None` leaves it as it is.
    pub disk_gb: Option<String>,
    /// Price of a gigabyte of the archive per month, in any currency; `None` leaves it as it is.
    pub price: Option<String>,
}

/// PostgreSQL's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskView {
    /// Bytes that are free.
    pub free: i64,
    /// Bytes in all.
    pub total: i64,
    /// Measured on this machine; otherwise entered.
    pub is_measured: bool,
}

/// When the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// No day has ended yet, or the disk is not known.
    Unknown,
    /// After so many days.
    In(u32),
    /// Not within ten years.
    Never,
}

/// How disk and archive will fill.
#[derive(Clone, Copy, Debug)]
pub struct Forecast {
    /// Bytes of the whole database.
    pub database: i64,
    /// Bytes that a day takes; `None` before the first day has ended.
    pub per_day: Option<i64>,
    /// How many days that was measured over.
    pub days: u32,
    /// The disk, when it is known.
    pub disk: Option<DiskView>,
    /// When it is full.
    pub full: Full,
    /// What the hot tables come to in the end; `None` when they never stop growing.
    pub settles_at: Option<i64>,
    /// Bytes of the archive.
    pub archive: i64,
    /// Bytes that a day adds to it.
    pub archive_per_day: i64,
    /// The price that was entered, per gigabyte and month.
    pub price: Option<f64>,
    /// The size of the disk that was entered, in gigabytes.
    pub disk_gb: Option<f64>,
}

impl Forecast {
    /// What the archive costs per month after `days`, at the entered price.
    pub fn cost(&self, days: u32) -> Option<f64> {
        let bytes = self.archive as f64 + self.archive_per_day as f64 * f64::from(days);
        Some(bytes / GIGABYTE * self.price?)
    }
}

pub(super) async fn of(services: &Services, leaves: &[Leaf], is_deleting: bool) -> Result<Forecast> {
    let db = &services.db;
    let today = services.clock.now().date_naive();
    let from = today.checked_sub_days(Days::new(WINDOW)).unwrap_or(today);
    let yesterday = today.pred_opt().unwrap_or(today);
    let (archive, archive_per_day) = db::partition_view::archive_bytes(db, from, yesterday).await?;
    let database = db::partition_view::database_bytes(db).await?;
    let entered = entered(services).await?;
    let measured = db::partition_view::disk(db).await?.map(|disk| DiskView {
        free: i64::try_from(disk.free).unwrap_or(i64::MAX),
        total: i64::try_from(disk.total).unwrap_or(i64::MAX),
        is_measured: true,
    });
    let disk = measured.or_else(|| entered.disk_gb.map(|gb| of_size(gb, database)));
    let pace = Pace::of(leaves, from, today);
    let growth = Growth::of(leaves, &pace, today, is_deleting);
    let full = match disk {
        Some(disk) if pace.days > 0 => growth.full(disk.free),
        _ => Full::Unknown,
    };
    Ok(Forecast {
        database,
        per_day: (pace.days > 0).then(|| pace.per_class.values().sum()),
        days: pace.days,
        disk,
        full,
        settles_at: growth.settles_at(),
        archive,
        archive_per_day,
        price: entered.price,
        disk_gb: entered.disk_gb,
    })
}

fn of_size(gb: f64, database: i64) -> DiskView {
    let total = (gb * GIGABYTE) as i64;
    DiskView {
        free: (total - database).max(0),
        total,
        is_measured: false,
    }
}

async fn entered(services: &Services) -> Result<Entered> {
    let setting = db::instance_settings::find(services.db.orm(), SETTING).await?;
    Ok(setting
        .and_then(|setting| serde_json::from_value(setting.value).ok())
        .unwrap_or_default())
}

/// Keeps what an admin entered.
///
/// # Errors
/// [`Error::Forbidden`] unless the actor rules the instance; [`Error::Invalid`] names the fields.
pub async fn save_forecast(services: &Services, actor: &Actor, change: &ForecastChange) -> Result<()> {
    actor.require_instance()?;
    let mut kept = entered(services).await?;
    let mut fields = Fields::new();
    for (field, text, value) in [
        ("disk_gb", &change.disk_gb, &mut kept.disk_gb),
        ("price", &change.price, &mut kept.price),
    ] {
        let Some(text) = text.as_deref().map(str::trim) else {
            continue;
        };
        // Half the world writes a comma.
        let number = text.replace(',', ".").parse::<f64>();
        match number {
            _ if text.is_empty() => *value = None,
            Ok(number) if (0.0..=1e9).contains(&number) => *value = Some(number),
            _ => fields.refuse(field, "must be a number from 0 on"),
        }
    }
    fields.finish()?;
    let at = now(services);
    let txn = services.db.begin().await?;
    let setting = db::instance_settings::Setting {
        value: serde_json::to_value(kept).map_err(Error::internal)?,
        updated_at: at,
        updated_by: actor.label.clone(),
    };
    db::instance_settings::set(&txn, SETTING, &setting).await?;
    let change = Change {
        action: "forecast.updated",
        project: None,
        subject: SETTING,
        subject_id: None,
        detail: json!(kept),
    };
    audit::record(&txn, actor, at, change).await?;
    Ok(txn.commit().await?)
}

/// What a day takes, per keep class, over the days that have ended lately.
#[derive(Debug)]
struct Pace {
    per_class: BTreeMap<KeepDays, i64>,
    days: u32,
}

impl Pace {
    fn of(leaves: &[Leaf], from: NaiveDate, today: NaiveDate) -> Self {
        let lately = || {
            leaves.iter().filter_map(|leaf| {
                let id = leaf.id().filter(|id| id.day >= from && id.day < today)?;
                (!is_empty(leaf)).then_some((id, leaf.bytes))
            })
        };
        let first = lately().map(|(id, _)| id.day).min();
        let days = first.map_or(0, |first| (today - first).num_days());
        let mut per_class = BTreeMap::new();
        for (id, bytes) in lately() {
            *per_class.entry(id.keep_days).or_insert(0) += bytes;
        }
        for bytes in per_class.values_mut() {
            *bytes /= days.max(1);
        }
        Self {
            per_class,
            days: u32::try_from(days).unwrap_or(0),
        }
    }
}

/// How the hot tables grow from today on.
#[derive(Debug)]
struct Growth {
    per_class: BTreeMap<KeepDays, i64>,
    /// Bytes of leaves that exist, by the day on which their period is over.
    leaving: BTreeMap<u32, i64>,
    is_deleting: bool,
    /// Bytes that never leave.
    staying: i64,
}

impl Growth {
    fn of(leaves: &[Leaf], pace: &Pace, today: NaiveDate, is_deleting: bool) -> Self {
        let mut growth = Self {
            per_class: pace.per_class.clone(),
            leaving: BTreeMap::new(),
            is_deleting,
            staying: 0,
        };
        for leaf in leaves.iter().filter(|leaf| leaf.kind == LeafKind::Day) {
            let end = leaf.id().and_then(|id| expires_at(id.day, id.keep_days));
            match end.filter(|_| is_deleting) {
                None => growth.staying += leaf.bytes,
                Some(end) => {
                    let days = (end.date_naive() - today).num_days().max(0);
                    *growth
                        .leaving
                        .entry(u32::try_from(days).unwrap_or(0))
                        .or_insert(0) += leaf.bytes;
                }
            }
        }
        growth
    }

    /// Bytes more than today after `day` days.
    fn after(&self, day: u32) -> i64 {
        let grown = |(class, bytes): (&KeepDays, &i64)| {
            let days = if self.is_deleting && *class != KeepDays::FOR_EVER {
                // A day stays for its period and until the night after.
                i64::from(day).min(i64::from(class.0) + 1)
            } else {
                i64::from(day)
            };
            bytes.saturating_mul(days)
        };
        let come: i64 = self.per_class.iter().map(grown).sum();
        let gone: i64 = self.leaving.range(..=day).map(|(_, bytes)| bytes).sum();
        come.saturating_sub(gone)
    }

    fn full(&self, free: i64) -> Full {
        match (1..=HORIZON).find(|day| self.after(*day) > free) {
            Some(day) => Full::In(day),
            None => Full::Never,
        }
    }

    /// What the leaves come to once every day that comes lets one go.
    fn settles_at(&self) -> Option<i64> {
        let grows = |(class, bytes): (&KeepDays, &i64)| {
            *bytes > 0 && !(self.is_deleting && *class != KeepDays::FOR_EVER)
        };
        if self.per_class.is_empty() || self.per_class.iter().any(grows) {
            return None;
        }
        let steady = |(class, bytes): (&KeepDays, &i64)| bytes.saturating_mul(i64::from(class.0) + 1);
        Some(self.staying + self.per_class.iter().map(steady).sum::<i64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::lifecycle::leaf_name;

    const TODAY: u32 = 20;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, n).expect("a day")
    }

    fn leaf(n: u32, class: i16, bytes: i64) -> Leaf {
        Leaf {
            table: "events",
            name: leaf_name("events", day(n), KeepDays(class)),
            day: Some(day(n)),
            keep_days: Some(KeepDays(class)),
            rows: bytes,
            counted: true,
            bytes,
            kind: LeafKind::Day,
            is_leaving: false,
        }
    }

    fn growth(leaves: &[Leaf], is_deleting: bool) -> Growth {
        let pace = Pace::of(leaves, day(13), day(TODAY));
        Growth::of(leaves, &pace, day(TODAY), is_deleting)
    }

    #[test]
    fn the_pace_is_the_mean_of_the_days_that_ended_with_rows() {
        let leaves = [
            leaf(18, 30, 100),
            leaf(19, 30, 300),
            leaf(20, 30, 5_000),
            leaf(21, 30, 0),
        ];
        let pace = Pace::of(&leaves, day(13), day(TODAY));
        assert_eq!((pace.days, pace.per_class[&KeepDays(30)]), (2, 200));
        assert_eq!(
            Pace::of(&leaves[2..], day(13), day(TODAY)).days,
            0,
            "today does not count"
        );
    }

    #[test]
    fn a_period_makes_growth_end_and_without_it_the_disk_fills() {
        // Seven days are kept, and all of them are there: what comes equals what goes.
        let leaves: Vec<Leaf> = (12..20).map(|n| leaf(n, 7, 100)).collect();
        let ending = growth(&leaves, true);
        assert_eq!(ending.settles_at(), Some(800));
        assert_eq!(ending.full(100), Full::Never);
        let growing = growth(&leaves, false);
        assert_eq!(growing.settles_at(), None, "nothing is deleted");
        assert_eq!(growing.full(1_000), Full::In(11));
        let kept = growth(&[leaf(19, 0, 10)], true);
        assert_eq!(
            kept.full(95),
            Full::In(10),
            "what is kept for ever grows for ever"
        );
    }

    #[test]
    fn a_full_disk_is_foreseen_before_the_first_leaf_leaves() {
        let growing = growth(&[leaf(19, 30, 100)], true);
        assert_eq!(growing.settles_at(), Some(3_100));
        assert_eq!(growing.full(500), Full::In(6));
        assert_eq!(growing.full(3_100), Full::Never);
    }
}
