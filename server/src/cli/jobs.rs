//! `longhaul jobs`: what the product does by itself, and doing it by hand.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use domain::id::ProjectId;
use serde_json::{Value, json};
use services::Services;
use services::access::Actor;
use services::jobs::{self, Job, JobInput, JobView, Run, RunQuery, RunState, Schedule};
use services::page::PageRequest;

use super::{Failure, Outcome, Output, print_json};
use crate::config::Config;
use crate::wiring;

/// Jobs.
#[derive(Debug, Args)]
pub(super) struct JobsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every job with its schedule, its last run and its next one.
    List,
    /// Does a job now, in this process, and waits for its end.
    Run {
        /// The job, as `list` names it.
        name: String,
        /// Only find out what would be done.
        #[arg(long)]
        dry_run: bool,
        /// Act for another moment: 2026-11-20 or 2026-11-20T02:15:00Z. The future takes a dry run.
        #[arg(long, value_name = "TIME", value_parser = parse_moment)]
        as_of: Option<DateTime<Utc>>,
        /// Act on one project alone; its id.
        #[arg(long, value_name = "ID")]
        project: Option<ProjectId>,
    },
    /// Runs, newest first.
    Runs {
        /// Of this job.
        #[arg(long)]
        job: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

pub(super) async fn run(config: &Config, command: JobsCommand, format: Output) -> Outcome {
    let services = wiring::services(config, wiring::clock(config))?;
    match command.action {
        Action::List => list(&services, format).await,
        Action::Run {
            name,
            dry_run,
            as_of,
            project,
        } => {
            let input = JobInput {
                dry_run,
                as_of,
                project,
            };
            run_one(&services, &name, input, format).await
        }
        Action::Runs { job, limit } => runs(&services, job, limit, format).await,
    }
}

async fn list(services: &Services, format: Output) -> Outcome {
    let list = jobs::list(services, &Actor::system()).await?;
    if format == Output::Json {
        return print_json(&list.iter().map(job_json).collect::<Vec<_>>());
    }
    println!(
        "{:<26} {:<16} {:<20} {:<20} {:<8}",
        "job", "schedule", "last run", "next run", "state"
    );
    for view in list {
        let last = view.last.as_ref();
        println!(
            "{:<26} {:<16} {:<20} {:<20} {:<8}",
            view.job.name,
            schedule(view.schedule),
            last.map_or_else(|| "never".to_owned(), |run| moment(run.started_at)),
            view.next.map_or_else(|| "-".to_owned(), moment),
            last.map_or("-", |run| run.state.as_str()),
        );
    }
    Ok(())
}

/// Does a job now and waits for its end.
pub(super) async fn run_one(
    services: &Arc<Services>,
    name: &str,
    input: JobInput,
    format: Output,
) -> Outcome {
    let job = Job::called(name).map_err(|_| {
        let names: Vec<&str> = jobs::ALL.iter().map(|job| job.name).collect();
        Failure::BadArguments(format!("there is no job {name}; there are {}", names.join(", ")))
    })?;
    let run = jobs::run_now(services, &Actor::system(), job, input)
        .await
        .map_err(|error| match error {
            services::Error::Invalid(_) => Failure::BadArguments(error.to_string()),
            other => other.into(),
        })?;
    if format == Output::Json {
        print_json(&run)?;
    } else if run.state == RunState::Done {
        let dry = if run.input.dry_run {
            ", a dry run: nothing was changed"
        } else {
            ""
        };
        println!(
            "{} done in {} ms{dry}",
            run.job,
            run.took_ms(services.clock.now())
        );
        print_counts(&run.counts);
    }
    match run.error {
        Some(error) => Err(Failure::Failed(anyhow::anyhow!("{}: {error}", run.job))),
        None => Ok(()),
    }
}

async fn runs(services: &Services, job: Option<String>, limit: u32, format: Output) -> Outcome {
    let query = RunQuery {
        job,
        page: PageRequest::first(limit),
        ..RunQuery::default()
    };
    let page = jobs::runs(services, &Actor::system(), query).await?;
    if format == Output::Json {
        return print_json(&page.items);
    }
    if page.items.is_empty() {
        println!("No runs.");
    }
    for run in page.items {
        println!("{}", line(&run));
    }
    Ok(())
}

fn line(run: &Run) -> String {
    let told = run.error.clone().unwrap_or_else(|| brief(&run.counts));
    let dry = if run.input.dry_run { " (dry run)" } else { "" };
    format!(
        "{}  {:<8} {:<9} {}{dry}  {told}",
        moment(run.started_at),
        run.state.as_str(),
        run.trigger.as_str(),
        run.job
    )
}

/// Counts in one line: `leaves 4, rows 1000`.
fn brief(counts: &Value) -> String {
    let entries = counts.as_object().into_iter().flatten();
    entries
        .map(|(name, count)| format!("{name} {}", plain(count)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn print_counts(counts: &Value) {
    for (name, count) in counts.as_object().into_iter().flatten() {
        match count {
            Value::Array(items) => {
                println!("  {name}:");
                for item in items {
                    println!("    {}", plain(item));
                }
            }
            other => println!("  {name}: {}", plain(other)),
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn schedule(schedule: Schedule) -> String {
    match schedule {
        Schedule::Every(period) if period.num_hours() > 0 => format!("every {} h", period.num_hours()),
        Schedule::Every(period) if period.num_minutes() > 0 => format!("every {} min", period.num_minutes()),
        Schedule::Every(period) => format!("every {} s", period.num_seconds()),
        Schedule::DailyAt(time) => format!("daily {} UTC", time.format("%H:%M")),
        Schedule::OnRequest => "on request".to_owned(),
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn job_json(view: &JobView) -> Value {
    json!({
        "name": view.job.name,
        "title": view.job.title,
        "does": view.job.say,
        "schedule": schedule(view.schedule),
        "last": view.last,
        "next": view.next,
    })
}

fn parse_moment(text: &str) -> Result<DateTime<Utc>, String> {
    domain::run::parse_moment(text)
        .ok_or_else(|| "expected a day or an instant, as in 2026-11-20 or 2026-11-20T02:15:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fit_into_one_line() {
        let counts = json!({"leaves": 4, "refused": ["events_20261120_k30"]});
        assert_eq!(brief(&counts), "leaves 4, refused [\"events_20261120_k30\"]");
    }
}
