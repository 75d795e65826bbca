//! The days of each table, conversions and the forecast, as the page shows them.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use services::conversion::{Conversion, Layout};
use services::partitions::view::{Coverage, DayView, Forecast, Full, TableView};

use super::{
    dto::{ConversionDto, ForecastDto, StepDto, StripDto, TwinRow},
    present::day_href,
};
use crate::{
    format::{self, NBSP, Stamp},
    ui::{
        html::Html,
        strips::{StripDay, StripParts, strip},
    },
};

/// Every so many days a strip names its day.
const NAMED: usize = 7;
/// A disk that is full within so many days is a worry.
const SOON: u32 = 30;
/// For how long a conversion that is done stays on the page.
const DONE_SHOWN: TimeDelta = TimeDelta::days(1);

/// The strips, and which days they show.
pub(super) fn strips(tables: &[TableView], now: DateTime<Utc>) -> (Vec<StripDto>, String) {
    let mut hatched = false;
    let last = tables.iter().rposition(|table| table.layout != Layout::Plain);
    let mut strips = Vec::new();
    for (i, table) in tables.iter().enumerate() {
        let most = table.days.iter().map(|day| day.rows).max().unwrap_or(0);
        let hatch = table.layout == Layout::Spread && !hatched;
        hatched |= hatch;
        let days: Vec<StripDay> = table
            .days
            .iter()
            .enumerate()
            .map(|(i, day)| strip_day(table.table, (i, day), most, now))
            .collect();
        let parts = StripParts {
            words: last == Some(i),
            hatch,
        };
        strips.push(StripDto {
            table: table.table.to_owned(),
            note: note(table),
            svg: if table.layout == Layout::Plain {
                Html::default()
            } else {
                strip(table.table, &days, parts)
            },
        });
    }
    let edge = |day: Option<&DayView>| day.map_or_else(String::new, |day| format::day(day.day, now));
    let days = tables
        .first()
        .map(|table| table.days.as_slice())
        .unwrap_or_default();
    (strips, format!("{} to {}", edge(days.first()), edge(days.last())))
}

fn note(table: &TableView) -> String {
    let rows = format::short_count(table.rows);
    let bytes = format::bytes(table.bytes.unsigned_abs());
    let leaves = match table.leaves {
        1 => "1 leaf".to_owned(),
        n => format!("{n} leaves"),
    };
    format!("{rows} rows, {bytes}, {leaves}")
}

fn strip_day(table: &str, (i, day): (usize, &DayView), most: i64, now: DateTime<Utc>) -> StripDay {
    let today = now.date_naive();
    let shaded = day.leaves > 0 && day.day <= today;
    let mark = if day.leaves > 0 {
        "ahead"
    } else if day.is_legacy {
        "legacy"
    } else {
        "dropped"
    };
    let named = day.day == today || (i % NAMED == 0 && (day.day - today).num_days().abs() > 2);
    let word = if day.day == today {
        "Today".to_owned()
    } else {
        format::day(day.day, now)
    };
    StripDay {
        href: day_href(day.day),
        label: format!("{table}, {}: {}", format::day(day.day, now), said(day, today)),
        level: shaded.then(|| level(day.rows, most)),
        mark,
        rail: if day.day < today { rail(day) } else { "" },
        word: if named { word } else { String::new() },
        is_today: day.day == today,
    }
}

/// Shade 0 for no rows, 1 to 5 by the share of the fullest day.
fn level(rows: i64, most: i64) -> u8 {
    if rows <= 0 || most <= 0 {
        return 0;
    }
    u8::try_from((rows.saturating_mul(5) + most - 1) / most).map_or(5, |level| level.clamp(1, 5))
}

fn rail(day: &DayView) -> &'static str {
    match day.coverage {
        _ if day.is_refused => "failure",
        Coverage::Failed(..) => "failure",
        Coverage::Covered => "success",
        Coverage::Off | Coverage::Waiting(_) => "",
    }
}

fn said(day: &DayView, today: NaiveDate) -> String {
    if day.leaves == 0 {
        return if day.is_legacy {
            "still in the heap".to_owned()
        } else {
            "no leaf".to_owned()
        };
    }
    let rows = format!("{} rows", format::count(day.rows));
    if day.day > today {
        return if day.rows == 0 {
            "created ahead, empty".to_owned()
        } else {
            format!("created ahead, {rows}")
        };
    }
    if day.day == today {
        return format!("{rows}, open");
    }
    match backup_word(day) {
        "" => rows,
        word => format!("{rows}, {word}"),
    }
}

fn backup_word(day: &DayView) -> &'static str {
    match day.coverage {
        _ if day.is_refused => "could not leave",
        Coverage::Off => "",
        Coverage::Covered => "backed up",
        Coverage::Waiting(_) => "waits for its backup",
        Coverage::Failed(..) => "backup failed",
    }
}

/// The same days as rows, newest first; days without any leaf are left out.
pub(super) fn twin(tables: &[TableView], now: DateTime<Utc>) -> Vec<TwinRow> {
    let today = now.date_naive();
    let days = tables.first().map(|table| table.days.len()).unwrap_or_default();
    let row = |i: usize| {
        let of_day: Vec<&DayView> = tables.iter().filter_map(|table| table.days.get(i)).collect();
        let day = of_day.first()?.day;
        if of_day.iter().all(|day| day.leaves == 0) {
            return None;
        }
        let count = |day: &&DayView| {
            if day.leaves == 0 {
                String::new()
            } else {
                format::count(day.rows)
            }
        };
        let worst = [
            "could not leave",
            "backup failed",
            "waits for its backup",
            "backed up",
        ]
        .into_iter()
        .find(|word| day < today && of_day.iter().any(|day| backup_word(day) == *word));
        Some(TwinRow {
            day: format::day(day, now),
            href: day_href(day),
            rows: of_day.iter().map(count).collect(),
            backup: worst.unwrap_or_default().to_owned(),
        })
    };
    (0..days).rev().filter_map(row).collect()
}

/// Conversions that go on, wait or failed, and those that ended lately.
pub(super) fn conversions(list: &[Conversion], now: DateTime<Utc>) -> Vec<ConversionDto> {
    let lately =
        |one: &&Conversion| one.state != "done" || one.ended_at.is_some_and(|ended| now - ended < DONE_SHOWN);
    list.iter()
        .filter(lately)
        .map(|one| conversion(one, now))
        .collect()
}

fn conversion(one: &Conversion, now: DateTime<Utc>) -> ConversionDto {
    let into_days = one.direction == "partition";
    let percent = (one.rows_total > 0).then(|| {
        u8::try_from((one.rows_done.max(0).saturating_mul(100) / one.rows_total).min(100)).unwrap_or(100)
    });
    ConversionDto {
        table: one.table.clone(),
        into_days,
        state: one.state.clone(),
        steps: steps(one, into_days),
        percent,
        rows: format!(
            "{} of {} rows",
            format::count(one.rows_done),
            format::count(one.rows_total)
        ),
        started: Stamp::ago(one.started_at, now),
        ended: one.ended_at.map_or_else(Stamp::default, |at| Stamp::row(at, now)),
        by: one.started_by.clone(),
        error: one.error.clone().unwrap_or_default(),
    }
}

/// The steps of both directions, in order, as people name them.
const INTO_DAYS: [(&str, &str); 7] = [
    ("check", "Check"),
    ("index", "Build the key concurrently"),
    ("leaves", "Make days and leaves"),
    ("split", "Move rows into leaves"),
    ("swap", "Swap"),
    ("ahead", "Make days ahead"),
    ("tidy", "Drop the old heap"),
];
const INTO_HEAP: [(&str, &str); 5] = [
    ("check", "Check"),
    ("bounds", "Add and validate bounds"),
    ("swap", "Swap"),
    ("gather", "Move rows into the heap"),
    ("tidy", "Drop the old partitions"),
];

fn steps(one: &Conversion, into_days: bool) -> Vec<StepDto> {
    let all: &[(&str, &str)] = if into_days { &INTO_DAYS } else { &INTO_HEAP };
    let step = |&(name, word): &(&str, &str)| {
        let done = one.steps.iter().rev().find(|step| step.step == name);
        let state = match (done, one.state.as_str()) {
            _ if one.step == name && one.state != "done" => match one.state.as_str() {
                "running" => "active",
                "paused" => "paused",
                _ => "failure",
            },
            (Some(_), _) | (None, "done") => "success",
            _ => "",
        };
        StepDto {
            word: word.to_owned(),
            say: done.map_or_else(String::new, |step| step.say.clone()),
            took: done.map_or_else(String::new, |step| format::duration_ms(step.ms.unsigned_abs())),
            state: state.to_owned(),
        }
    };
    all.iter().map(step).collect()
}

/// The forecast in words.
pub(super) fn forecast(forecast: &Forecast, now: DateTime<Utc>) -> ForecastDto {
    let bytes = |n: i64| format::bytes(n.unsigned_abs());
    let disk = forecast.disk.map_or_else(String::new, |disk| {
        let how = if disk.is_measured { "" } else { ", as entered" };
        format!("{} of {} free{how}", bytes(disk.free), bytes(disk.total))
    });
    let per_day = forecast.per_day.map(|n| match forecast.days {
        1 => format!("{}, yesterday", bytes(n)),
        days => format!("{}, mean of {days} days", bytes(n)),
    });
    let cost = forecast
        .cost(0)
        .zip(forecast.cost(365))
        .map(|(today, later)| format!("{} now, {} in a year", money(today), money(later)));
    let number = |value: Option<f64>| value.map_or_else(String::new, |n| n.to_string());
    ForecastDto {
        database: bytes(forecast.database),
        per_day: per_day.unwrap_or_else(|| "Known after the first whole day".to_owned()),
        full: full(forecast, now),
        is_soon: matches!(forecast.full, Full::In(days) if days <= SOON),
        settles: match (forecast.per_day, forecast.settles_at) {
            (None, _) => String::new(),
            (_, Some(n)) => bytes(n),
            (_, None) => "Never: some rows are kept for ever".to_owned(),
        },
        archive: bytes(forecast.archive),
        archive_per_day: if forecast.archive_per_day > 0 {
            bytes(forecast.archive_per_day)
        } else {
            String::new()
        },
        cost: cost.unwrap_or_default(),
        price: number(forecast.price),
        disk_gb: number(forecast.disk_gb),
        is_measured: forecast.disk.is_some_and(|disk| disk.is_measured),
        disk,
    }
}

fn full(forecast: &Forecast, now: DateTime<Utc>) -> String {
    match forecast.full {
        Full::Unknown => String::new(),
        Full::Never => "Not within ten years".to_owned(),
        Full::In(days) => {
            let at = now + TimeDelta::days(i64::from(days));
            format!(
                "In {}{NBSP}days, {}",
                format::count(i64::from(days)),
                format::day(at.date_naive(), now)
            )
        }
    }
}

fn money(amount: f64) -> String {
    let whole = amount as i64;
    if amount < 100.0 {
        format!("{amount:.2}")
    } else {
        format::count(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use services::partitions::view::DiskView;

    fn now() -> DateTime<Utc> {
        "2026-11-20T10:42:18Z".parse().expect("valid")
    }

    fn day(n: u32, rows: i64, coverage: Coverage) -> DayView {
        DayView {
            day: NaiveDate::from_ymd_opt(2026, 11, n).expect("a day"),
            leaves: 1,
            rows,
            bytes: rows,
            is_refused: false,
            coverage,
            is_legacy: false,
        }
    }

    #[test]
    fn days_are_told_in_words_as_well_as_in_shades() {
        let said = |day: &DayView| said(day, now().date_naive()).replace(NBSP, " ");
        assert_eq!(said(&day(18, 1_200, Coverage::Covered)), "1 200 rows, backed up");
        let failed = Coverage::Failed(None, String::new());
        assert_eq!(said(&day(19, 5, failed)), "5 rows, backup failed");
        assert_eq!(said(&day(20, 5, Coverage::Waiting(None))), "5 rows, open");
        assert_eq!(said(&day(21, 0, Coverage::Off)), "created ahead, empty");
        assert_eq!(
            [level(0, 9), level(1, 100), level(100, 100), level(3, 0)],
            [0, 1, 5, 0]
        );
    }

    #[test]
    fn a_conversion_tells_what_is_done_what_goes_on_and_what_comes() {
        let one = Conversion {
            table: "events".to_owned(),
            direction: "partition".to_owned(),
            state: "running".to_owned(),
            step: "leaves".to_owned(),
            rows_done: 0,
            rows_total: 0,
            steps: vec![step("check"), step("index")],
            started_by: "admin".to_owned(),
            started_at: now(),
            updated_at: now(),
            ended_at: None,
            error: None,
        };
        let told: Vec<String> = steps(&one, true).into_iter().map(|step| step.state).collect();
        assert_eq!(told, ["success", "success", "active", "", "", "", ""]);
        let shown = conversions(&[one], now());
        assert_eq!(shown[0].percent, None, "rows are not counted yet");
    }

    fn step(name: &str) -> services::conversion::StepRow {
        services::conversion::StepRow {
            step: name.to_owned(),
            ms: 5,
            say: String::new(),
        }
    }

    #[test]
    fn the_forecast_names_days_and_money() {
        let known = Forecast {
            database: 1_000_000_000,
            per_day: Some(50_000_000),
            days: 7,
            disk: Some(DiskView {
                free: 1_000_000_000,
                total: 2_000_000_000,
                is_measured: false,
            }),
            full: Full::In(20),
            settles_at: None,
            archive: 2_000_000_000,
            archive_per_day: 10_000_000,
            price: Some(0.023),
            disk_gb: Some(2.0),
        };
        let told = forecast(&known, now());
        assert_eq!(told.cost, "0.05 now, 0.13 in a year");
        assert!(told.is_soon);
        assert_eq!(told.full.replace(NBSP, " "), "In 20 days, 10 Dec");
        assert_eq!(
            told.disk.replace(NBSP, " "),
            "1.00 GB of 2.00 GB free, as entered"
        );
    }
}
