//! `longhaul config check`: what is in effect, and why.

use clap::{Args, Subcommand};

use super::storage::verdict;
use super::{Failure, Outcome, Output};
use crate::config::{Config, DEFAULT_FILE, Format, Provenance};

/// The configuration.
#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every setting with its value and where it came from; secrets are masked. A storage that is
    /// set is tried out.
    Check {
        /// Connect to nothing.
        #[arg(long)]
        offline: bool,
    },
    /// The commented default file, to start your own from.
    Default,
}

pub(super) async fn run(
    command: &ConfigCommand,
    config: &Config,
    provenance: &Provenance,
    format: Output,
) -> Outcome {
    match command.action {
        Action::Check { offline } => {
            let format = match format {
                Output::Text => Format::Text,
                Output::Json => Format::Json,
            };
            println!("{}", provenance.render_effective(format).trim_end());
            if offline { Ok(()) } else { storage(config).await }
        }
        Action::Default => {
            print!("{DEFAULT_FILE}");
            Ok(())
        }
    }
}

/// Tries the configured storage out. What it found goes beside the settings, not among them.
async fn storage(config: &Config) -> Outcome {
    let Some(policy) = config.storage.policy() else {
        return Ok(());
    };
    let report = services::storage_policies::probe(&policy).await;
    let text = format!("storage, {}: {}", policy.place(), verdict(&report));
    if report.is_ready() {
        eprintln!("longhaul: {text}");
        return Ok(());
    }
    Err(Failure::Failed(anyhow::anyhow!(text)))
}
