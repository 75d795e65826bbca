//! Figures of speed, cost and safety: a load driver, a counting receiver, and the gateway between them.
//!
//! `scripts/bench.sh` starts private stores, builds the gateway for release and runs this program;
//! `docs/benchmarks.md` says what each figure means. A report goes to standard output, progress to
//! standard error. The exit code is 1 when something was lost or stuck; speed alone never fails.

mod bed;
mod driver;
mod gateway;
mod ledger;
mod measure;
mod meter;
mod payload;
mod receiver;
mod report;
mod resp;
mod scenarios;
mod session;
mod stores;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, ValueEnum};
use serde_json::Value;

use bed::Bed;
use scenarios::Scenario;
use stores::Stores;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// Measures the gateway on private stores.
#[derive(Debug, Parser)]
#[command(name = "longhaul-bench", version)]
struct Options {
    /// What to measure; burst and steady when left out
    #[arg(value_enum, conflicts_with = "all")]
    scenarios: Vec<Scenario>,
    /// Measure everything; takes about half an hour and 15 GB of disk
    #[arg(long)]
    all: bool,
    /// The program under test, built for release
    #[arg(long, env = "LONGHAUL_BIN")]
    bin: PathBuf,
    /// Folder in which scripts/dev-stores.sh keeps the stores of the bench
    #[arg(long, env = "LONGHAUL_DEV_DIR", default_value = ".dev/bench")]
    stores: PathBuf,
    /// The script that starts stores
    #[arg(long, default_value = "scripts/dev-stores.sh")]
    stores_script: PathBuf,
    /// How results are printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Write each result to a file in this folder as well
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "bench/results")]
    save: Option<PathBuf>,
    /// Seconds of a measured run
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Keep-alive connections of the driver
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// Bytes of payload
    #[arg(long, default_value_t = 1024, value_parser = payload_size)]
    size: usize,
    /// Events per second of `steady`
    #[arg(long, default_value_t = 50.0, value_parser = rate)]
    rate: f64,
    /// Events per second to each endpoint of `hang`
    #[arg(long, default_value_t = 100.0, value_parser = rate)]
    hang_rate: f64,
    /// Rounds of `hang`
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Entries in the long queue of `backlog`
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    backlog: u32,
    /// Deliveries of `delayed`
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    delayed: u32,
    /// Deliveries of `kill`
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    deliveries: u32,
    /// Kills of `kill`
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    kills: u32,
    /// Decides the moments of the kills
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds for which a store is away in `outage`
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    outage: u64,
    /// In `outage`, hold stores still instead of stopping them: they keep connections and do not answer
    #[arg(long)]
    freeze: bool,
    /// Old deliveries of `history`
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(10..=100_000_000))]
    history: u64,
    /// Events of the day in `archive`
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=20_000_000))]
    archive: u64,
    /// Rows of `convert`
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    convert: u64,
    /// Inserts per second beside `convert`
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    convert_rate: u32,
}

fn payload_size(text: &str) -> Result<usize, String> {
    let size: usize = text.parse().map_err(|_| "not a number of bytes".to_owned())?;
    if (payload::SMALLEST..=1 << 20).contains(&size) {
        Ok(size)
    } else {
        Err(format!("must be between {} and {}", payload::SMALLEST, 1 << 20))
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text
        .parse()
        .map_err(|_| "not a number of events per second".to_owned())?;
    if (0.1..=100_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("must be between 0.1 and 100000".to_owned())
    }
}

// One thread drives, a second one receives: the fewer there are, the less they take from the gateway.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    // Dropping what runs ends the gateway's processes and wakes frozen stores.
    let outcome = tokio::select! {
        outcome = run(&options) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what was asked for; whether every promise was kept.
async fn run(options: &Options) -> anyhow::Result<bool> {
    if cfg!(debug_assertions) {
        eprintln!("note: this is a debug build; its figures mean nothing");
    }
    if !options.bin.is_file() {
        bail!("{} is missing; scripts/bench.sh builds it", options.bin.display());
    }
    let bed = Bed::new(
        Stores::of_folder(&options.stores, &options.stores_script)?,
        &options.bin,
    )?;
    let machine = bed.machine().await?;
    let scenarios = match options.scenarios.as_slice() {
        _ if options.all => Scenario::value_variants().to_vec(),
        [] => vec![Scenario::Burst, Scenario::Steady],
        chosen => chosen.to_vec(),
    };
    let mut is_right = true;
    let mut results = Vec::new();
    for scenario in scenarios {
        eprintln!("{}", scenario.name());
        let report = scenario.run(&bed, options).await?;
        is_right &= report.is_right();
        if let Some(folder) = &options.save {
            report.save(&machine, folder)?;
        }
        match options.format {
            Format::Table => println!("{}", report.table()),
            Format::Json => results.push(report.json(&machine)),
        }
    }
    if options.format == Format::Json {
        println!("{:#}", Value::Array(results));
    }
    Ok(is_right)
}
