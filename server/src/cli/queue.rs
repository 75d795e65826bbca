//! `longhaul queue`: depth of the queues, and their dead entries.

use clap::{Args, Subcommand};
use queue::{DeadEntry, EntryId, Queue, QueueStats, Redrive};
use serde_json::{Value, json};
use services::queues::Queues;

use super::{Failure, Outcome, Output, print_json};
use crate::config::Config;
use crate::wiring;

/// Queues.
#[derive(Debug, Args)]
pub(super) struct QueueCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Depth and age of every queue.
    Stats,
    /// Entries that failed for good.
    Dead {
        /// The queue: events or deliveries.
        queue: String,
        /// How many, newest first.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Puts dead entries back to work.
    Redrive {
        /// The queue: events or deliveries.
        queue: String,
        /// Ids as `dead` prints them; all of them when none is named.
        ids: Vec<String>,
        /// Most entries.
        #[arg(long, default_value_t = 10_000)]
        limit: usize,
    },
}

pub(super) async fn run(config: &Config, command: &QueueCommand, format: Output) -> Outcome {
    let services = wiring::services(config, wiring::clock(config))?;
    match &command.action {
        Action::Stats => stats(&services.queues, format).await,
        Action::Dead { queue, limit } => dead(named(&services.queues, queue)?, *limit, format).await,
        Action::Redrive { queue, ids, limit } => {
            redrive(named(&services.queues, queue)?, ids, *limit, format).await
        }
    }
}

fn named<'a>(queues: &'a Queues, name: &str) -> Result<&'a Queue, Failure> {
    match name {
        services::queues::EVENTS => Ok(&queues.events),
        services::queues::DELIVERIES => Ok(&queues.deliveries),
        _ => Err(Failure::BadArguments(format!(
            "there is no queue {name}; there are events and deliveries"
        ))),
    }
}

async fn stats(queues: &Queues, format: Output) -> Outcome {
    let (events, deliveries) = (queues.events.stats().await?, queues.deliveries.stats().await?);
    if format == Output::Json {
        return print_json(&json!({ "events": stats_json(&events), "deliveries": stats_json(&deliveries) }));
    }
    println!(
        "{:<12} {:>10} {:>10} {:>10} {:>8} {:>10}",
        "queue", "waiting", "in flight", "delayed", "dead", "oldest ms"
    );
    for (name, stats) in [("events", events), ("deliveries", deliveries)] {
        println!(
            "{name:<12} {:>10} {:>10} {:>10} {:>8} {:>10}",
            stats.waiting, stats.in_flight, stats.delayed, stats.dead, stats.oldest_waiting_ms
        );
    }
    Ok(())
}

async fn dead(queue: &Queue, limit: usize, format: Output) -> Outcome {
    let entries = queue.dead_list(limit, None).await?;
    if format == Output::Json {
        return print_json(&entries.iter().map(dead_json).collect::<Vec<_>>());
    }
    if entries.is_empty() {
        println!("No dead entries.");
    }
    for entry in entries {
        println!(
            "{}  {}  after {} attempts: {}",
            entry.id,
            entry.died_at.to_rfc3339(),
            entry.attempts,
            entry.reason
        );
    }
    Ok(())
}

async fn redrive(queue: &Queue, ids: &[String], limit: usize, format: Output) -> Outcome {
    let parsed = ids
        .iter()
        .map(|id| id.parse::<EntryId>())
        .collect::<Result<Vec<_>, _>>();
    let ids = parsed.map_err(|error| Failure::BadArguments(error.to_string()))?;
    let which = if ids.is_empty() {
        Redrive::All
    } else {
        Redrive::Ids(ids)
    };
    let n = queue.dead_redrive(which, limit).await?;
    if format == Output::Json {
        return print_json(&json!({ "redriven": n }));
    }
    println!("{n} entries are back at work.");
    Ok(())
}

fn stats_json(stats: &QueueStats) -> Value {
    json!({
        "waiting": stats.waiting,
        "in_flight": stats.in_flight,
        "delayed": stats.delayed,
        "dead": stats.dead,
        "dead_trimmed": stats.dead_trimmed,
        "oldest_waiting_ms": stats.oldest_waiting_ms,
        "consumers": stats.consumers,
    })
}

fn dead_json(entry: &DeadEntry) -> Value {
    json!({
        "id": entry.id.to_string(),
        "died_at": entry.died_at,
        "attempts": entry.attempts,
        "reason": entry.reason,
        "payload_bytes": entry.payload.len(),
    })
}
