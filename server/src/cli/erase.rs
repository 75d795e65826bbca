//! `longhaul erase`: removes values of persons from PostgreSQL and the archive, and shows the receipt.
//!
//! Exit codes: 0 nothing is left (or `--dry-run`), 1 it could not be asked for or its run failed,
//! 2 bad arguments, 3 something is in the way, or a part is left to the job `erase`: the erasure is in
//! force for readers all the same.

use clap::Args;
use domain::id::{ErasureId, EventId, ProjectId};
use services::Services;
use services::access::Actor;
use services::erasure::{self, Erasure, ErasureState, NewErasure, Preview, Wanted};
use services::jobs::{self, Job, JobInput};

use super::retention::{failure, find_project};
use super::{Failure, Outcome, Output, print_json};
use crate::config::Config;
use crate::wiring;

/// What to erase.
#[derive(Debug, Args)]
pub(super) struct Erase {
    /// The project, by id or by name.
    #[arg(long, value_name = "ID OR NAME")]
    project: String,
    /// An event as a whole. May be repeated.
    #[arg(long, value_name = "ID", conflicts_with_all = ["subject", "pointer", "receipt"])]
    event: Vec<EventId>,
    /// Every event of a person as a whole, found where the project's subject_pointer points.
    #[arg(long, value_name = "VALUE", conflicts_with_all = ["pointer", "receipt"])]
    subject: Option<String>,
    /// Where a single value stands, as in /customer/email.
    #[arg(
        long,
        value_name = "JSON POINTER",
        requires = "value",
        conflicts_with = "receipt"
    )]
    pointer: Option<String>,
    /// The value; becomes null wherever it stands at the pointer.
    #[arg(long, requires = "pointer")]
    value: Option<String>,
    /// Why. Should not name the person.
    #[arg(long, default_value = "")]
    reason: String,
    /// Only says what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Shows the receipt of an earlier erasure.
    #[arg(long, value_name = "ID")]
    receipt: Option<ErasureId>,
}

pub(super) async fn run(config: &Config, command: Erase, format: Output) -> Outcome {
    let services = wiring::services(config, wiring::clock(config))?;
    let actor = Actor::system();
    let project = find_project(&services, &actor, &command.project).await?;
    if let Some(id) = command.receipt {
        let erasure = erasure::get(&services, &actor, project, id)
            .await
            .map_err(failure)?;
        return show(&erasure, format);
    }
    let dry_run = command.dry_run;
    let new = wanted(command)?;
    if dry_run {
        let preview = erasure::preview(&services, &actor, project, &new)
            .await
            .map_err(failure)?;
        return tell(preview, format);
    }
    let requested = erasure::request(&services, &actor, project, new)
        .await
        .map_err(failure)?;
    let erasure = go_on(&services, &actor, project, requested).await?;
    show(&erasure, format)?;
    match erasure.state {
        ErasureState::Done => Ok(()),
        ErasureState::Pending | ErasureState::Blocked => Err(Failure::Refused(format!(
            "nobody sees the values any more, but not all is done: {}",
            erasure
                .blocked_by
                .as_deref()
                .unwrap_or("the job erase goes on with it")
        ))),
    }
}

fn wanted(command: Erase) -> Result<NewErasure, Failure> {
    let wanted = match (
        command.event.is_empty(),
        command.subject,
        command.pointer,
        command.value,
    ) {
        (false, None, None, None) => Wanted::Events(command.event),
        (true, Some(subject), None, None) => Wanted::Subject(subject),
        (true, None, Some(pointer), Some(value)) => Wanted::Value { pointer, value },
        _ => {
            return Err(Failure::BadArguments(
                "say what to erase: --event, or --subject, or --pointer with --value".to_owned(),
            ));
        }
    };
    Ok(NewErasure {
        wanted,
        reason: command.reason,
    })
}

/// Runs the job here and now, unless it is running already.
async fn go_on(
    services: &std::sync::Arc<Services>,
    actor: &Actor,
    project: ProjectId,
    requested: Erasure,
) -> Result<Erasure, Failure> {
    let input = JobInput {
        project: Some(project),
        ..JobInput::default()
    };
    match jobs::run_now(services, actor, Job::called("erase")?, input).await {
        Ok(_) | Err(services::Error::Conflict(_)) => {}
        Err(error) => return Err(failure(error)),
    }
    Ok(erasure::get(services, actor, project, requested.id).await?)
}

fn tell(preview: Preview, format: Output) -> Outcome {
    if format == Output::Json {
        return print_json(&preview);
    }
    println!("Events in PostgreSQL   {}", preview.events);
    println!("  kept by legal holds  {}", preview.held_events);
    println!(
        "Objects to look into   {} ({} bytes)",
        preview.segments, preview.size_bytes
    );
    println!("Nothing was changed.");
    Ok(())
}

fn show(erasure: &Erasure, format: Output) -> Outcome {
    if format == Output::Json {
        return print_json(erasure);
    }
    let receipt = &erasure.receipt;
    println!("Erasure          {}", erasure.id);
    println!("State            {}", erasure.state.as_str());
    if let Some(why) = &erasure.blocked_by {
        println!("Waits for        {why}");
    }
    println!(
        "Asked for        {} by {}",
        erasure.requested_at, erasure.requested_by
    );
    println!(
        "In PostgreSQL    {} events, {} attempts",
        receipt.events, receipt.attempts
    );
    println!("Deliveries ended {}", receipt.deliveries);
    println!(
        "In the archive   {} rows; {} objects looked into; {} old versions removed",
        receipt.archived_rows, receipt.segments_read, receipt.versions_removed
    );
    for segment in &receipt.segments {
        let blocks: Vec<String> = segment.blocks.iter().map(ToString::to_string).collect();
        println!(
            "  {} {}: {} rows, blocks {}{}",
            segment.outcome,
            segment.object_key,
            segment.rows,
            if blocks.is_empty() {
                "none".to_owned()
            } else {
                blocks.join(", ")
            },
            segment
                .reason
                .as_ref()
                .map(|why| format!(" ({why})"))
                .unwrap_or_default()
        );
    }
    if let Some(key) = &erasure.ledger_key {
        println!("Ledger           {key}");
    }
    Ok(())
}
