//! `longhaul archive rebuild-index|sweep|scrub`: keeping the archive true by hand, in this process.

use clap::Subcommand;
use services::jobs::JobInput;

use super::{Outcome, Output, jobs};
use crate::config::Config;
use crate::wiring;

/// Keeping the archive true.
#[derive(Debug, Subcommand)]
pub(super) enum Care {
    /// Makes the index of segments from the objects in the stores, where it does not know them.
    RebuildIndex {
        /// Only find out what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Removes objects that nobody reads any more; never the last copy of a row.
    Sweep {
        /// Only find out what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Looks at every object, and reads back those that were not read for the longest time.
    Scrub,
}

pub(super) async fn run(config: &Config, care: &Care, format: Output) -> Outcome {
    let services = wiring::services(config, wiring::clock(config))?;
    let (job, dry_run) = match care {
        Care::RebuildIndex { dry_run } => ("rebuild_index", *dry_run),
        Care::Sweep { dry_run } => ("sweep", *dry_run),
        Care::Scrub => ("scrub", false),
    };
    let input = JobInput {
        dry_run,
        ..JobInput::default()
    };
    jobs::run_one(&services, job, input, format).await
}
