//! From the use cases to the pages of jobs.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    id::RunId,
    run::{RunState, Trigger},
};
use serde_json::Value;
use services::jobs::{self, Job, JobView, Run, RunQuery, Schedule};

use super::dto::{CountRow, JobRow, JobsDto, RunDto, RunRow};
use crate::{
    context::{Viewing, parse_id, viewing},
    error::UiError,
    features::query::ListQuery,
    format::{self, NBSP, Stamp},
    ui::load::Place,
};

/// Filter words of the runs.
const KEYS: &[&str] = &["job", "state"];

/// What the page of jobs shows.
///
/// # Errors
/// When the viewer is no instance admin or a store is away.
pub async fn list(place: Place) -> Result<JobsDto, UiError> {
    let by = viewing().await?;
    by.actor.require_instance()?;
    let query = ListQuery::parse(&place.query, KEYS, "job");
    let wanted = RunQuery {
        job: query.word("job").map(str::to_owned),
        state: query.word("state").and_then(RunState::parse),
        project: None,
        page: query.page(),
    };
    let jobs = jobs::list(&by.services, &by.actor).await?;
    let started = std::time::Instant::now();
    let page = jobs::runs(&by.services, &by.actor, wanted).await?;
    let took = format::duration_ms(started.elapsed().as_millis() as u64);
    let note = match page.items.len() {
        1 => "1 run".to_owned(),
        n => format!("{n} runs"),
    };
    let names = Names::of(&by);
    let asks = |job: &Job| job.takes.as_of || job.takes.project;
    let choices = jobs.iter().filter(|view| asks(view.job));
    Ok(JobsDto {
        choices: choices
            .map(|view| (view.job.name.to_owned(), view.job.title.to_owned()))
            .collect(),
        projects: names.list(),
        filter: query.filter(false),
        pager: query.pager(&page, note, format!("Query took {took}")),
        runs: page.items.iter().map(|run| row(run, &names, by.now)).collect(),
        jobs: jobs.into_iter().map(|view| job(view, &names, by.now)).collect(),
    })
}

/// What the page of one run shows.
///
/// # Errors
/// When there is no such run, the viewer is no instance admin or a store is away.
pub async fn run(place: Place) -> Result<RunDto, UiError> {
    let by = viewing().await?;
    let id: RunId = parse_id(&place.item)?;
    let run = jobs::run(&by.services, &by.actor, id).await?;
    let progress = run.progress.clone().unwrap_or_default();
    Ok(RunDto {
        run: row(&run, &Names::of(&by), by.now),
        say: Job::called(&run.job).map_or_else(|_| String::new(), |job| job.say.to_owned()),
        dry_run: run.input.dry_run,
        as_of: run
            .input
            .as_of
            .map_or_else(String::new, |at| at.format("%-d %b %Y, %H:%M:%S UTC").to_string()),
        ended: run
            .ended_at
            .map_or_else(Stamp::default, |at| Stamp::row(at, by.now)),
        percent: (progress.total > 0).then(|| progress.percent()),
        progress: format!("{} of {}", amount(progress.done), amount(progress.total)),
        at: progress.at,
        error: run.error.unwrap_or_default(),
        counts: counts(&run.counts),
        name: run.job,
    })
}

/// Names of the projects that the viewer knows.
pub struct Names(HashMap<String, String>);

impl Names {
    /// Those of `by`.
    pub fn of(by: &Viewing) -> Self {
        let projects = by.viewer.projects.iter();
        Self(projects.map(|p| (p.id.to_string(), p.name.clone())).collect())
    }

    /// As a choice, by name.
    fn list(&self) -> Vec<(String, String)> {
        let mut list: Vec<_> = self
            .0
            .iter()
            .map(|(id, name)| (id.clone(), name.clone()))
            .collect();
        list.sort_by(|a, b| a.1.cmp(&b.1));
        list
    }
}

fn job(view: JobView, names: &Names, now: DateTime<Utc>) -> JobRow {
    let next = view.next.map_or_else(Stamp::default, |at| {
        let mut stamp = Stamp::ago(at, now);
        if at <= now {
            "due".clone_into(&mut stamp.text);
        }
        stamp
    });
    JobRow {
        name: view.job.name.to_owned(),
        title: view.job.title.to_owned(),
        say: view.job.say.to_owned(),
        schedule: schedule(view.schedule),
        last: view.last.map(|run| row(&run, names, now)),
        next,
        dry_run: view.job.takes.dry_run,
    }
}

fn schedule(schedule: Schedule) -> String {
    match schedule {
        Schedule::Every(period) => format!("Every{NBSP}{}", period_text(period)),
        Schedule::DailyAt(time) => format!("Daily at{NBSP}{}", time.format("%H:%M")),
        Schedule::OnRequest => "On request".to_owned(),
    }
}

fn period_text(period: TimeDelta) -> String {
    format::span(u64::try_from(period.num_seconds()).unwrap_or(0))
}

/// One run in a list.
pub fn row(run: &Run, names: &Names, now: DateTime<Utc>) -> RunRow {
    let title = Job::called(&run.job).map_or(run.job.as_str(), |job| job.title);
    let trigger = match run.trigger {
        Trigger::Schedule => "Schedule",
        Trigger::Manual if run.input.dry_run => "By hand, dry run",
        Trigger::Manual => "By hand",
    };
    let project = run.input.project.map(|id| id.to_string());
    RunRow {
        id: run.id.to_string(),
        job: title.to_owned(),
        state: run.state,
        result: result(run),
        trigger: trigger.to_owned(),
        project: project.map_or_else(String::new, |id| names.0.get(&id).cloned().unwrap_or(id)),
        took: format::duration_ms(run.took_ms(now)),
        started: Stamp::row(run.started_at, now),
    }
}

/// What a run comes to, in one line.
fn result(run: &Run) -> String {
    match (run.state, &run.error, &run.progress) {
        (RunState::Failed, Some(error), _) => error.clone(),
        (RunState::Running, _, Some(progress)) => {
            format!("{}{NBSP}%, {}", progress.percent(), progress.at)
        }
        (RunState::Running, ..) => String::new(),
        _ => brief(&run.counts),
    }
}

/// What was counted, without what is zero: `4 leaves, 1 000 rows`.
fn brief(counts: &Value) -> String {
    let told = |(name, count): (&String, &Value)| match count {
        Value::Number(number) if number.as_i64() == Some(0) => None,
        Value::Number(_) if unit_of(name).is_some() => Some(value(name, count)),
        Value::Number(_) => Some(format!("{} {}", value(name, count), words(name))),
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => Some(format!("{} {}", items.len(), words(name))),
        Value::Bool(false) | Value::Null | Value::Object(_) => None,
        Value::Bool(true) => Some(words(name)),
        Value::String(text) => Some(format!("{}: {text}", words(name))),
    };
    let told: Vec<String> = counts
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(told)
        .collect();
    if told.is_empty() {
        "Nothing to do".to_owned()
    } else {
        told.join(", ")
    }
}

/// What was counted, one by one.
fn counts(counts: &Value) -> Vec<CountRow> {
    let row = |(name, count): (&String, &Value)| {
        let mut what = words(name);
        if let Some(first) = what.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let items = count.as_array().into_iter().flatten();
        CountRow {
            what,
            value: value(name, count),
            items: items.map(plain).collect(),
        }
    };
    counts.as_object().into_iter().flatten().map(row).collect()
}

fn value(name: &str, count: &Value) -> String {
    match (count, count.as_i64(), unit_of(name)) {
        (_, Some(n), Some(unit)) => unit(u64::try_from(n).unwrap_or(0)),
        (_, Some(n), None) => format::count(n),
        (Value::Array(items), ..) => items.len().to_string(),
        _ => plain(count),
    }
}

/// How numbers of this name are written, when they are no counts.
fn unit_of(name: &str) -> Option<fn(u64) -> String> {
    if name.ends_with("bytes") {
        Some(format::bytes)
    } else if name.ends_with("_ms") {
        Some(format::duration_ms)
    } else {
        None
    }
}

/// `failed_sign_ins` in words; a unit at its end is said by the number.
fn words(name: &str) -> String {
    name.trim_end_matches("_bytes")
        .trim_end_matches("_ms")
        .replace('_', " ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, field)| format!("{} {}", words(name), plain(field)));
            fields.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn amount(n: u64) -> String {
    format::count(i64::try_from(n).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_told_in_words_and_units() {
        let told = json!({"leaves": 4, "days": 0, "size_bytes": 1_400_000, "refused": ["a", "b"]});
        assert_eq!(brief(&told), format!("4 leaves, 2 refused, 1.40{NBSP}MB"));
        assert_eq!(brief(&json!({"leaves": 0, "refused": []})), "Nothing to do");
        let rows = counts(&told);
        let row = rows.iter().find(|row| row.what == "Refused").expect("a row");
        assert_eq!(
            (row.value.as_str(), row.items.as_slice()),
            ("2", ["a".to_owned(), "b".to_owned()].as_slice())
        );
        let moved = counts(&json!({"per_project": [{"project": "Checkout", "events": 3}]}));
        assert_eq!(moved[0].items, ["events 3, project Checkout"]);
        assert!(
            rows.iter()
                .any(|row| row.what == "Size" && row.value == format!("1.40{NBSP}MB"))
        );
    }

    #[test]
    fn schedules_are_told_in_words() {
        let time = chrono::NaiveTime::from_hms_opt(0, 15, 0).expect("a time");
        assert_eq!(schedule(Schedule::DailyAt(time)), format!("Daily at{NBSP}00:15"));
        assert_eq!(
            schedule(Schedule::Every(TimeDelta::hours(12))),
            format!("Every{NBSP}12{NBSP}h")
        );
        assert_eq!(schedule(Schedule::OnRequest), "On request");
    }
}
