//! What a change would do, in words and as a strip of days.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::lifecycle::expires_at;
use services::{
    overview,
    retention::{
        self, Preview,
        preview::{DayPreview, TablePreview},
    },
};

use super::{
    act::change_of,
    dto::{FactRow, PolicyForm, PreviewDto, PreviewRow},
};
use crate::{
    context::InProject,
    error::UiError,
    format::{self, Stamp},
    ui::{
        going::{GoingDay, going},
        html::Html,
    },
};

/// Most days in the strip.
const DAYS: usize = 60;

/// What the form's values would do, or why that cannot be said.
///
/// # Errors
/// When a store is away.
pub(super) async fn preview(
    at: &InProject,
    form: &PolicyForm,
) -> Result<(Option<PreviewDto>, String), UiError> {
    let (services, actor) = (&at.by.services, &at.by.actor);
    let started = std::time::Instant::now();
    let found = match retention::preview(services, actor, at.id, &change_of(form)).await {
        Ok(found) => found,
        Err(error @ services::Error::Invalid(_)) => {
            let reasons = UiError::from(error).fields.into_iter().map(|field| field.detail);
            return Ok((None, reasons.collect::<Vec<_>>().join(". ")));
        }
        Err(error) => return Err(error.into()),
    };
    let took = format::duration_ms(started.elapsed().as_millis() as u64);
    let view = overview::overview(services, actor, at.id, 1).await?;
    let now = at.by.now;
    let (before, after) = (found.before.class().to_string(), found.after.class().to_string());
    let mut rows: Vec<PreviewRow> = found.tables.iter().map(|table| row(table, now)).collect();
    rows.push(row(&found.total, now));
    let going = found.days.len();
    let (say, say_more) = outcome(&found, now);
    Ok((
        Some(PreviewDto {
            title: if before == after {
                format!("Preview: {after}")
            } else {
                format!("Preview: {before} to {after}")
            },
            computed: Stamp::ago(found.computed_at, now),
            took,
            say,
            say_more,
            svg: strip(&found, &view.days, &at.project.at("events"), now),
            rows: if going == 0 { Vec::new() } else { rows },
            facts: facts(&found, now),
            needs_confirmation: found.needs_confirmation,
            button: match found.days_by_change() {
                0 => format!("Save and keep {after}"),
                n => format!("Save and delete {} at the next run", days(n)),
            },
            keep: format!("Keep {before}"),
        }),
        String::new(),
    ))
}

fn days(n: usize) -> String {
    match n {
        1 => "1 day".to_owned(),
        n => format!("{} days", format::count(n as i64)),
    }
}

fn number(n: u64) -> String {
    format::count(i64::try_from(n).unwrap_or(i64::MAX))
}

fn outcome(found: &Preview, now: DateTime<Utc>) -> (String, String) {
    let run = format!("{} UTC", format::day_time(found.next_deletion_at, now));
    let going = found.days.len();
    let (verb, tail) = match (found.flag.on, going) {
        (true, 1) => ("leaves", ""),
        (true, _) => ("leave", ""),
        (false, _) => ("would leave", " Nothing is deleted while the feature is off."),
    };
    let spared = match found.days_spared {
        0 => String::new(),
        1 => " 1 day that would have left stays.".to_owned(),
        n => format!(" {n} days that would have left stay."),
    };
    if going == 0 {
        return (
            "Nothing leaves PostgreSQL".to_owned(),
            format!(" at the next run, {run}.{spared}{tail}"),
        );
    }
    let anyway = match going - found.days_by_change() {
        0 => String::new(),
        n if n == going => " They leave then without this change, too.".to_owned(),
        1 => " One of them leaves then anyway.".to_owned(),
        n => format!(" {n} of them leave then anyway."),
    };
    (
        format!("{} {verb} PostgreSQL", days(going)),
        format!(" at the next run, {run}.{anyway}{spared}{tail}"),
    )
}

fn row(table: &TablePreview, now: DateTime<Utc>) -> PreviewRow {
    let day = |day: Option<NaiveDate>| day.map_or_else(String::new, |day| format::day(day, now));
    PreviewRow {
        table: table.table.clone(),
        leaves: number(u64::from(table.leaves)),
        rows: number(table.rows),
        size: format::bytes(table.bytes),
        held: number(table.held_rows),
        oldest: day(table.oldest),
        newest: day(table.newest),
    }
}

fn facts(found: &Preview, now: DateTime<Utc>) -> Vec<FactRow> {
    let fact = |state: &str, icon: &str, title: String, text: String| FactRow {
        state: state.to_owned(),
        icon: icon.to_owned(),
        title,
        text,
    };
    let mut list = Vec::new();
    if !found.days.is_empty() {
        let (state, icon, title, text) = readable(found);
        list.push(fact(state, icon, title.to_owned(), text));
    }
    let (before, after) = (found.database_bytes_before, found.database_bytes_after);
    let moved = match found.rows_moved {
        0 => String::new(),
        n => format!(
            " First {} rows that stay move to class {} in batches.",
            number(n),
            found.after.class()
        ),
    };
    let title = if after < before {
        format!(
            "PostgreSQL goes from {} to {}.",
            format::bytes(before),
            format::bytes(after)
        )
    } else {
        format!("PostgreSQL stays at {}.", format::bytes(before))
    };
    let dropped = match found.total.leaves {
        0 => String::new(),
        1 => " Then 1 leaf is dropped.".to_owned(),
        n => format!(" Then {n} leaves are dropped, where no other project has rows in them."),
    };
    let text = format!("{moved}{dropped} Delivery goes on.");
    list.push(fact("neutral", "storage", title, text.trim_start().to_owned()));
    if found.needs_confirmation {
        let left = (found.next_deletion_at - now).num_seconds().unsigned_abs();
        let text = format!(
            "Until {} UTC, saving {} again changes nothing.",
            found.next_deletion_at.format("%H:%M"),
            found.before.class()
        );
        let title = format!("You can undo this for {}.", format::span(left));
        list.push(fact("neutral", "restore", title, text));
    }
    list
}

/// What of the days that go stays readable.
fn readable(found: &Preview) -> (&'static str, &'static str, &'static str, String) {
    let (all, copied) = (found.days.len(), found.days_readable());
    let open = all - copied;
    if open == 0 {
        let text = format!(
            "{} with a verified backup. Reads come from the archive.",
            days(all)
        );
        ("success", "backup", "Readable afterwards.", text)
    } else if found.after.backup {
        let text = format!(
            "{} with a verified backup. {} without: copied and verified before leaving, else kept.",
            days(copied),
            days(open)
        );
        ("success", "backup", "Readable afterwards.", text)
    } else {
        let text = format!(
            "{} without a verified copy: gone for good. Turn on “Back up first” to keep them readable.",
            days(open)
        );
        ("failure", "warn", "Not readable afterwards.", text)
    }
}

/// The days that go and those that stay, oldest first.
fn strip(found: &Preview, counts: &[(NaiveDate, i64)], events: &str, now: DateTime<Utc>) -> Html {
    let mut all: BTreeMap<NaiveDate, (i64, Option<&DayPreview>)> =
        counts.iter().map(|(day, n)| (*day, (*n, None))).collect();
    for day in &found.days {
        all.insert(day.day, (day.events.cast_signed(), Some(day)));
    }
    let most = all.values().map(|(n, _)| *n).max().unwrap_or(0);
    let skip = all.len().saturating_sub(DAYS);
    let list: Vec<GoingDay> = all
        .into_iter()
        .skip(skip)
        .map(|(day, (n, gone))| {
            let is_over = expires_at(day, found.before.class()).is_some_and(|end| end <= now);
            GoingDay {
                has_left: is_over && gone.is_none() && n > 0,
                ..cell(day, n, gone, most, events, now)
            }
        })
        .collect();
    let word = match found.days.len() {
        0 => String::new(),
        n => format!(
            "Go: {}, {} rows, {}",
            days(n),
            number(found.total.rows),
            format::bytes(found.total.bytes)
        ),
    };
    going(&list, &word)
}

fn cell(
    day: NaiveDate,
    n: i64,
    gone: Option<&DayPreview>,
    most: i64,
    events: &str,
    now: DateTime<Utc>,
) -> GoingDay {
    let name = format::day(day, now);
    let fate = match gone {
        Some(one) if one.is_covered => ", would leave PostgreSQL, with a verified backup",
        Some(_) => ", would leave PostgreSQL, no backup yet",
        None => "",
    };
    GoingDay {
        label: format!("{name}: {} events{fate}", format::count(n)),
        href: format!("{events}?q=day:{}", format::day_compact(day)),
        level: match (n, most) {
            (0, _) | (_, 0) => 0,
            (n, most) => u8::try_from(1 + n.saturating_sub(1) * 5 / most)
                .unwrap_or(5)
                .min(5),
        },
        goes: gone.is_some(),
        has_left: false,
        is_covered: gone.is_some_and(|one| one.is_covered),
        day: name,
    }
}
