//! `longhaul retention`: how long a project keeps its events, what a change would do, changing it.
//!
//! A change that lets events leave earlier wants the project's name behind `--confirm`; without it
//! nothing is changed and the exit code is 3.

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use domain::id::ProjectId;
use serde_json::{Value, json};
use services::access::Actor;
use services::features::{self, Flag};
use services::retention::{self, Policy, PolicyChange, Preview, Retention};
use services::{Error, Services};

use super::{Failure, Outcome, Output, print_json};
use crate::config::Config;
use crate::wiring;

/// How long events are kept.
#[derive(Debug, Args)]
pub(super) struct RetentionCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// How a project keeps its events.
    Show {
        #[command(flatten)]
        project: Project,
    },
    /// What a change would do at the next deletion run; nothing is changed.
    Preview {
        #[command(flatten)]
        project: Project,
        #[command(flatten)]
        change: Change,
    },
    /// Changes how a project keeps its events.
    Set {
        #[command(flatten)]
        project: Project,
        #[command(flatten)]
        change: Change,
        /// The project's name; wanted when events leave earlier than before.
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
    /// Whether anything is deleted on this instance at all: the feature retention-policy.
    Feature {
        /// Turns it on or off; shows it when left out.
        #[arg(value_name = "on|off", value_parser = BoolishValueParser::new())]
        state: Option<bool>,
    },
}

/// Which project.
#[derive(Debug, Args)]
pub(super) struct Project {
    /// The project, by id or by name.
    #[arg(long, value_name = "ID OR NAME")]
    project: String,
}

#[derive(Debug, Args)]
struct Change {
    /// Whether events leave at all.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    enabled: Option<bool>,
    /// After how many days: 30, or a length of time such as 720h.
    #[arg(long)]
    days: Option<String>,
    /// Whether a day is copied and verified before it leaves.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    backup: Option<bool>,
    /// Whether copies go to the project's own storage, not to the instance's.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new())]
    own_storage: Option<bool>,
}

impl From<Change> for PolicyChange {
    fn from(change: Change) -> Self {
        Self {
            on: change.enabled,
            days: change.days,
            backup: change.backup,
            own_storage: change.own_storage,
        }
    }
}

pub(super) async fn run(config: &Config, command: RetentionCommand, format: Output) -> Outcome {
    let services = wiring::services(config, wiring::clock(config))?;
    let actor = Actor::system();
    match command.action {
        Action::Show { project } => {
            let id = find_project(&services, &actor, &project.project).await?;
            let retention = retention::get(&services, &actor, id).await.map_err(failure)?;
            show(&retention, format)
        }
        Action::Preview { project, change } => {
            let id = find_project(&services, &actor, &project.project).await?;
            let preview = retention::preview(&services, &actor, id, &change.into())
                .await
                .map_err(failure)?;
            tell(&preview, format)
        }
        Action::Set {
            project,
            change,
            confirm,
        } => {
            let id = find_project(&services, &actor, &project.project).await?;
            set(&services, &actor, id, &change.into(), confirm.as_deref(), format).await
        }
        Action::Feature { state: None } => feature(&features::retention_policy(&services).await?, format),
        Action::Feature { state: Some(on) } => {
            let flag = features::set_retention_policy(&services, &actor, on)
                .await
                .map_err(failure)?;
            feature(&flag, format)
        }
    }
}

/// The project that is called or identified so.
pub(super) async fn find_project(
    services: &Services,
    actor: &Actor,
    text: &str,
) -> Result<ProjectId, Failure> {
    let found = services::projects::list(services, actor, None)
        .await?
        .into_iter()
        .filter(|p| p.project.name == text || p.project.id.to_string() == text)
        .map(|p| p.project.id)
        .collect::<Vec<_>>();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::BadArguments(format!(
            "--project: there is no project {text}"
        ))),
        _ => Err(Failure::BadArguments(format!(
            "--project: several projects are called {text}; name one by its id"
        ))),
    }
}

/// A refusal with the exit code that it stands for.
pub(super) fn failure(error: Error) -> Failure {
    match &error {
        Error::Invalid(fields) if fields.iter().all(|field| field.field == "confirm") => {
            Failure::Refused(format!("{error}; say --confirm NAME"))
        }
        Error::Invalid(_) | Error::NotFound(_) => Failure::BadArguments(error.to_string()),
        Error::Conflict(_) => Failure::Refused(error.to_string()),
        _ => error.into(),
    }
}

async fn set(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    change: &PolicyChange,
    confirm: Option<&str>,
    format: Output,
) -> Outcome {
    let saved = retention::save(services, actor, project, change, confirm)
        .await
        .map_err(failure)?;
    let flag = features::retention_policy(services).await?;
    if format == Output::Json {
        return print_json(&json!({
            "policy": policy_json(saved.policy), "undo_until": saved.undo_until, "feature": flag_json(&flag),
        }));
    }
    println!("Saved: {}.", sentence(saved.policy));
    if let Some(until) = saved.undo_until {
        println!(
            "Nothing leaves before {}: until then, saving the old policy undoes this.",
            moment(until)
        );
    }
    advise(&flag);
    Ok(())
}

fn show(retention: &Retention, format: Output) -> Outcome {
    if format == Output::Json {
        let (changed_at, changed_by) = retention.changed.clone().unzip();
        return print_json(&json!({
            "project": { "uid": retention.project_id, "name": retention.project_name },
            "policy": policy_json(retention.policy),
            "feature": flag_json(&retention.flag),
            "storage": retention.storage,
            "reclass_since": retention.reclass_since,
            "next_deletion_at": retention.next_deletion_at,
            "changed_at": changed_at,
            "changed_by": changed_by,
            "holds": retention.holds,
        }));
    }
    println!("Project        {}", retention.project_name);
    println!("Keeps          {}", sentence(retention.policy));
    println!(
        "Copies         {}",
        retention
            .storage
            .as_ref()
            .map_or("nobody has said where to", |storage| storage.place.as_str())
    );
    println!("Next deletion  {}", moment(retention.next_deletion_at));
    if let Some(since) = retention.reclass_since {
        println!(
            "Moving         older rows follow the policy since {}",
            moment(since)
        );
    }
    for hold in &retention.holds {
        println!(
            "On hold        {}: {} to {}, by {}",
            hold.name,
            moment(hold.from),
            moment(hold.to),
            hold.placed_by
        );
    }
    advise(&retention.flag);
    Ok(())
}

fn tell(preview: &Preview, format: Output) -> Outcome {
    if format == Output::Json {
        let mut value = serde_json::to_value(preview)?;
        value["before"] = policy_json(preview.before);
        value["after"] = policy_json(preview.after);
        value["flag"] = Value::Null;
        value["feature"] = flag_json(&preview.flag);
        return print_json(&value);
    }
    println!("Now    {}", sentence(preview.before));
    println!("After  {}", sentence(preview.after));
    println!(
        "{} days leave PostgreSQL at the next run, {}; {} of them because of the change.",
        preview.days.len(),
        moment(preview.next_deletion_at),
        preview.days_by_change()
    );
    if preview.days_spared > 0 {
        println!(
            "{} days stay that would have left at that run.",
            preview.days_spared
        );
    }
    table(preview);
    println!(
        "{} of these days have a verified copy and stay readable. PostgreSQL goes from {} to {}.",
        preview.days_readable(),
        bytes(preview.database_bytes_before),
        bytes(preview.database_bytes_after)
    );
    if preview.rows_moved > 0 {
        println!(
            "{} rows that stay move to their new class in the background.",
            preview.rows_moved
        );
    }
    if preview.needs_confirmation {
        println!("Saving wants --confirm \"{}\".", preview.project_name);
    }
    advise(&preview.flag);
    Ok(())
}

fn table(preview: &Preview) {
    println!(
        "{:<18} {:>7} {:>14} {:>10} {:>10}  {:<10}  {:<10}",
        "table", "leaves", "rows that go", "size", "on hold", "oldest", "newest"
    );
    for line in preview.tables.iter().chain([&preview.total]) {
        let day = |day: Option<chrono::NaiveDate>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
        println!(
            "{:<18} {:>7} {:>14} {:>10} {:>10}  {:<10}  {:<10}",
            if line.table.is_empty() { "all" } else { &line.table },
            line.leaves,
            line.rows,
            bytes(line.bytes),
            line.held_rows,
            day(line.oldest),
            day(line.newest)
        );
    }
}

fn feature(flag: &Flag, format: Output) -> Outcome {
    if format == Output::Json {
        return print_json(&flag_json(flag));
    }
    if flag.on {
        let by = match flag.origin {
            features::Origin::Configuration => "by the configuration",
            features::Origin::Page | features::Origin::Off => "by an instance admin",
        };
        println!("retention-policy is on, turned on {by}.");
    }
    advise(flag);
    Ok(())
}

/// Says what it means that the feature is off.
fn advise(flag: &Flag) {
    if let Some(advice) = flag.advice() {
        println!("{advice}.");
    }
}

fn policy_json(policy: Policy) -> Value {
    json!({
        "enabled": policy.on,
        "days": policy.days,
        "period": format!("{}h", u32::from(policy.days) * 24),
        "backup_enabled": policy.backup,
        "own_storage": policy.own_storage,
    })
}

fn flag_json(flag: &Flag) -> Value {
    json!({ "enabled": flag.on, "origin": flag.origin, "advice": flag.advice() })
}

fn sentence(policy: Policy) -> String {
    if !policy.on {
        return "for ever; nothing is deleted".to_owned();
    }
    let backup = if policy.backup {
        "copied and verified first"
    } else {
        "without a copy"
    };
    format!("{}, then deleted, {backup}", policy.class())
}

fn moment(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Bytes in decimal units with three digits: `1.40 GB`.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut size = count as f64 / 1_000.0;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1_000.0;
        unit += 1;
    }
    let digits = if size < 9.995 {
        2
    } else {
        usize::from(size < 99.95)
    };
    format!("{size:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_with_three_digits() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_400_000_000, "1.40 GB"),
            (45_100_000_000, "45.1 GB"),
            (528_000_000, "528 MB"),
            (999_999, "1.00 MB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
