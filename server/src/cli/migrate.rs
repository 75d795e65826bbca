//! `longhaul migrate up|down|status`: the schema.

use clap::{Args, Subcommand};
use migration::{Migrator, MigratorTrait};

use super::{Outcome, Output, print_json};
use crate::config::Config;
use crate::wiring;

/// The schema.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Applies what is missing.
    Up,
    /// Takes back the newest steps.
    Down {
        /// How many.
        #[arg(long, default_value_t = 1)]
        max: u32,
    },
    /// Which steps are applied.
    Status,
}

pub(super) async fn run(config: &Config, command: &Migrate, format: Output) -> Outcome {
    let db = wiring::database(config)?;
    match command.action {
        Action::Up => Migrator::up(db.orm(), None).await?,
        Action::Down { max } => Migrator::down(db.orm(), Some(max)).await?,
        Action::Status => {}
    }
    let pending = Migrator::get_pending_migrations(db.orm()).await?;
    let names: Vec<String> = pending.iter().map(|step| step.name().to_owned()).collect();
    if format == Output::Json {
        return print_json(&serde_json::json!({ "pending": names }));
    }
    match names.as_slice() {
        [] => println!("The schema is up to date."),
        names => println!(
            "Pending: {}. `longhaul migrate up` applies them.",
            names.join(", ")
        ),
    }
    Ok(())
}
