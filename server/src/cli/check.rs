//! `longhaul config check`: what is in effect, and why.

use clap::{Args, Subcommand};

use super::Output;
use crate::config::{DEFAULT_FILE, Format, Provenance};

/// The configuration.
#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every setting with its value and where it came from; secrets are masked.
    Check,
    /// The commented default file, to start your own from.
    Default,
}

pub(super) fn run(command: &ConfigCommand, provenance: &Provenance, format: Output) {
    match command.action {
        Action::Check => {
            let format = match format {
                Output::Text => Format::Text,
                Output::Json => Format::Json,
            };
            println!("{}", provenance.render_effective(format).trim_end());
        }
        Action::Default => print!("{DEFAULT_FILE}"),
    }
}
