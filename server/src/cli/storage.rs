//! `longhaul storage`: where copies lie, for the instance or for one project.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use domain::storage::{Outcome as StepOutcome, ProbeReport, StoragePolicy};
use serde_json::{Value, json};
use services::Services;
use services::access::Actor;
use services::storage_policies::{self, Origin, Saved, Scope, Storage, VersionState};

use super::retention::{failure, find_project};
use super::{Failure, Outcome, Output, print_json};
use crate::config::Config;
use crate::wiring;

/// Where copies lie.
#[derive(Debug, Args)]
pub(super) struct StorageCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The storage in effect, and every version with what lies there.
    Show {
        /// Of this project, by id or by name; without, of the instance.
        #[arg(long, value_name = "ID OR NAME")]
        project: Option<String>,
    },
    /// Saves a policy as a new version. It is tried out first.
    Set {
        /// As this project's own, by id or by name; without, for the instance.
        #[arg(long, value_name = "ID OR NAME")]
        project: Option<String>,
        /// File with the documented JSON, {"storage_policy": {"type": "s3", "s3": {...}}}; - reads
        /// standard input.
        #[arg(long, value_name = "PATH")]
        file: PathBuf,
        /// Save it although it does not work as it is.
        #[arg(long)]
        even_if_unfit: bool,
    },
    /// Tries a policy out: writes, reads, lists and deletes below its prefix.
    Test {
        /// What this project uses, by id or by name; without, what the instance uses.
        #[arg(long, value_name = "ID OR NAME")]
        project: Option<String>,
        /// A policy that is not saved; - reads standard input.
        #[arg(long, value_name = "PATH")]
        file: Option<PathBuf>,
    },
}

pub(super) async fn run(config: &Config, command: StorageCommand, format: Output) -> Outcome {
    let services = wiring::services(config, wiring::clock(config))?;
    let actor = Actor::system();
    match command.action {
        Action::Show { project } => {
            let scope = scope_of(&services, &actor, project).await?;
            let storage = storage_policies::get(&services, &actor, scope)
                .await
                .map_err(failure)?;
            show(&storage, format)
        }
        Action::Set {
            project,
            file,
            even_if_unfit,
        } => {
            let scope = scope_of(&services, &actor, project).await?;
            let policy = read(&file)?;
            let saved =
                storage_policies::save(&services, &actor, scope, Origin::Command, policy, even_if_unfit)
                    .await
                    .map_err(failure)?;
            tell_saved(saved, format)
        }
        Action::Test { project, file } => {
            let scope = scope_of(&services, &actor, project).await?;
            let policy = file.as_deref().map(read).transpose()?;
            let report = storage_policies::test(&services, &actor, scope, policy)
                .await
                .map_err(failure)?;
            if format == Output::Json {
                print_json(&report_json(&report))?;
            } else {
                print_report(&report);
            }
            judge(&report)
        }
    }
}

async fn scope_of(services: &Services, actor: &Actor, project: Option<String>) -> Result<Scope, Failure> {
    Ok(match project {
        Some(project) => Scope::Project(find_project(services, actor, &project).await?),
        None => Scope::Instance,
    })
}

/// Reads a policy; the name around it may be left out.
fn read(path: &Path) -> Result<StoragePolicy, Failure> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        text
    } else {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?
    };
    // What serde says may repeat a part of the text, and that may be a secret.
    let wrong = |error: &serde_json::Error| {
        let place = format!("at line {} column {}", error.line(), error.column());
        Failure::BadArguments(format!("--file: is not a storage policy as documented, {place}"))
    };
    let mut document: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let policy = match document.get_mut("storage_policy") {
        Some(inner) => inner.take(),
        None => document,
    };
    serde_json::from_value(policy).map_err(|error| wrong(&error))
}

fn tell_saved(saved: Saved, format: Output) -> Outcome {
    match saved {
        Saved::Done { id, version, report } => {
            if format == Output::Json {
                return print_json(&json!({
                    "saved": true, "uid": id, "version": version, "probe": report_json(&report),
                }));
            }
            print_report(&report);
            println!("Saved as version {version}.");
            Ok(())
        }
        Saved::Unfit(report) => {
            if format == Output::Json {
                print_json(&json!({ "saved": false, "probe": report_json(&report) }))?;
            } else {
                print_report(&report);
            }
            Err(Failure::Refused(
                "not saved, because the test failed; --even-if-unfit saves it all the same".to_owned(),
            ))
        }
    }
}

fn judge(report: &ProbeReport) -> Outcome {
    if report.is_ready() {
        return Ok(());
    }
    Err(Failure::Failed(anyhow::anyhow!("{}", verdict(report))))
}

/// What a probe came to, in one line.
pub(super) fn verdict(report: &ProbeReport) -> String {
    match report.first_failure() {
        Some(step) => format!("`{}` failed: {}", step.name, step.say),
        None if report.steps.is_empty() => "nothing could be tried".to_owned(),
        None => format!(
            "{} passed, {} to note",
            report.count(StepOutcome::Passed),
            report.count(StepOutcome::Note)
        ),
    }
}

fn print_report(report: &ProbeReport) {
    for step in &report.steps {
        let mark = match step.outcome {
            StepOutcome::Passed => "ok  ",
            StepOutcome::Note => "note",
            StepOutcome::Failed => "FAIL",
        };
        println!("{mark}  {:<20} {:>6} ms  {}", step.name, step.took_ms, step.say);
    }
    if !report.remark.is_empty() {
        println!("{}", report.remark);
    }
}

fn report_json(report: &ProbeReport) -> Value {
    json!({
        "is_ready": report.is_ready(),
        "steps": report.steps,
        "capabilities": report.capabilities,
        "remark": report.remark,
    })
}

fn show(storage: &Storage, format: Output) -> Outcome {
    if format == Output::Json {
        return print_json(storage);
    }
    match &storage.in_effect {
        Some(place) => println!("In effect  {} (version {})", place.place, place.version),
        None => println!("In effect  none: nothing is copied. `longhaul storage set` says where to."),
    }
    if storage.is_configured && storage.scope == Scope::Instance {
        println!("           The configuration decides; `longhaul config check` shows where it stands.");
    }
    for version in &storage.versions {
        let state = match version.state {
            VersionState::Writing => "writing",
            VersionState::ReadOnly => "read only",
            VersionState::Empty => "empty",
        };
        println!(
            "{:>9}  {state:<9}  {:>8} segments  {:>16} bytes  since {}  {}",
            version.version,
            version.segments,
            version.bytes,
            version.created_at.format("%Y-%m-%d"),
            version.place
        );
    }
    Ok(())
}
