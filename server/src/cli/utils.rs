//! `longhaul utils partition|unpartition`: how the hot tables are laid out, changed while they are
//! in use.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use services::access::Actor;
use services::conversion::{self, Converted, Direction, End, Progress};
use services::{Error, features};

use super::{Failure, Outcome, Output, print_json};
use crate::config::Config;
use crate::wiring;

/// A line of progress for every so many percent, where no bar can be drawn.
const PERCENT_PER_LINE: i64 = 5;

/// Maintenance of tables.
#[derive(Debug, Args)]
pub(super) struct UtilsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Turns a plain table into day partitions while it is in use. Stop it at any time; run again,
    /// it goes on.
    Partition(Which),
    /// Turns a partitioned table into a plain one while it is in use. Stop it at any time; run
    /// again, it goes on.
    Unpartition(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// delivery_attempts, event_deliveries, events or events_search; all of them when left out.
    table: Option<String>,
}

pub(super) async fn run(config: &Config, command: UtilsCommand, format: Output) -> Outcome {
    let (direction, which) = match command.action {
        Action::Partition(which) => (Direction::Partition, which),
        Action::Unpartition(which) => (Direction::Unpartition, which),
    };
    let tables = conversion::tables(which.table.as_deref()).map_err(|error| match error {
        Error::Invalid(fields) => {
            let wrong = fields
                .iter()
                .map(|field| format!("{} {}", field.field, field.reason));
            Failure::BadArguments(wrong.collect::<Vec<_>>().join("; "))
        }
        other => other.into(),
    })?;
    let services = wiring::services(config, wiring::clock(config))?;
    if !features::retention_policy(&services).await?.on {
        return Err(Failure::Refused(format!(
            "{} needs the feature retention-policy, which is off. Turn it on with \
             --enable-feature-flag=retention-policy or CONVOY_ENABLE_FEATURE_FLAG=retention-policy",
            direction.as_str()
        )));
    }
    let teller = Teller::new();
    let watch = |progress: &Progress| teller.tell(progress);
    let outcome = conversion::convert(&services, &Actor::system(), direction, &tables, &watch).await;
    teller.finish();
    let converted = outcome.map_err(|error| match error {
        Error::Conflict(why) => Failure::Refused(why),
        other => other.into(),
    })?;
    if format == Output::Json {
        return print_json(&converted);
    }
    for table in &converted {
        println!("{}", in_words(table));
    }
    Ok(())
}

fn in_words(converted: &Converted) -> String {
    let Converted {
        table,
        rows_moved,
        longest_lock_ms,
        took_ms,
        ..
    } = converted;
    let layout = match converted.direction {
        Direction::Partition => "partitioned",
        Direction::Unpartition => "one plain table",
    };
    match converted.end {
        End::Unchanged => format!("{table} is {layout} already."),
        End::Paused => format!("{table} was paused after {rows_moved} rows. Run this again and it goes on."),
        End::Done => format!(
            "{table} is {layout}: {rows_moved} rows in {}.{} s, writers kept out for {longest_lock_ms} ms at most.",
            took_ms / 1000,
            took_ms % 1000 / 100
        ),
    }
}

/// Shows progress on standard error: a bar on a terminal, else a line now and then.
struct Teller {
    bar: Option<ProgressBar>,
    told: Mutex<Option<(&'static str, &'static str, i64)>>,
}

impl Teller {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length();
            let template = "{msg:36} {wide_bar} {human_pos} of {human_len} rows, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
            told: Mutex::new(None),
        }
    }

    fn tell(&self, progress: &Progress) {
        let Progress {
            table,
            step,
            rows_done,
            rows_total,
            ..
        } = progress;
        let line = match &progress.say {
            Some(say) => Some(format!("{table}  {step}: {say}")),
            None if self.bar.is_none() => self.news(progress),
            None => None,
        };
        match (&self.bar, line) {
            (Some(bar), line) => {
                bar.set_message(format!("{table}  {step}"));
                bar.set_length(rows_total.unsigned_abs());
                bar.set_position(rows_done.unsigned_abs());
                if let Some(line) = line {
                    bar.println(line);
                }
            }
            (None, Some(line)) => eprintln!("{line}"),
            (None, None) => {}
        }
    }

    /// A line, if enough happened since the last one.
    fn news(&self, progress: &Progress) -> Option<String> {
        let percent = match progress.rows_total {
            0 => 0,
            total => progress.rows_done * 100 / total,
        };
        let news = (progress.table, progress.step, percent / PERCENT_PER_LINE);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == Some(news) {
            return None;
        }
        *told = Some(news);
        let Progress { table, step, .. } = progress;
        Some(match progress.rows_total {
            0 => format!("{table}  {step} ..."),
            total => format!(
                "{table}  {step} ... {percent} %, {} of {total} rows",
                progress.rows_done
            ),
        })
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(step: &'static str, done: i64) -> Progress {
        Progress {
            table: "events",
            direction: Direction::Partition,
            step,
            rows_done: done,
            rows_total: 1_000,
            say: None,
        }
    }

    #[test]
    fn without_a_terminal_a_line_comes_with_each_step_and_now_and_then() {
        let teller = Teller {
            bar: None,
            told: Mutex::new(None),
        };
        let line = teller.news(&progress("split", 0));
        assert_eq!(line.as_deref(), Some("events  split ... 0 %, 0 of 1000 rows"));
        assert_eq!(teller.news(&progress("split", 49)), None);
        assert!(teller.news(&progress("split", 50)).is_some());
        assert!(teller.news(&progress("swap", 50)).is_some());
    }

    #[test]
    fn the_end_is_told_in_words() {
        let done = Converted {
            table: "events",
            direction: Direction::Unpartition,
            end: End::Done,
            rows_moved: 12,
            longest_lock_ms: 7,
            took_ms: 1_250,
        };
        assert_eq!(
            in_words(&done),
            "events is one plain table: 12 rows in 1.2 s, writers kept out for 7 ms at most."
        );
    }
}
