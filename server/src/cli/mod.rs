//! The command line.
//!
//! Exit codes: 0 done, 1 failed, 2 bad arguments. 3 is kept for what a safety rule refuses.

mod archive_care;
mod bootstrap;
mod check;
mod demo;
mod doctor;
mod erase;
mod jobs;
mod migrate;
mod processes;
mod queue;
mod retention;
mod storage;
mod utils;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Config, FlagValue, LoadOptions, Provenance};

/// A self-hosted webhook gateway that delivers every event and keeps it for exactly as long as you said.
///
/// Every setting can stand in a file (longhaul.toml), in the environment (LONGHAUL_SECTION_KEY) or
/// behind --set; `longhaul config check` shows what is in effect and why.
#[derive(Debug, Parser)]
#[command(name = "longhaul", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Args)]
struct Global {
    /// Configuration file; without it longhaul.toml, longhaul.json or convoy.json of this folder.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// A setting, as in `--set log.level=debug`. May be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = parse_setting)]
    settings: Vec<(String, String)>,
    /// Turns features on that are off by default, separated by commas.
    #[arg(long, global = true, value_name = "NAMES")]
    enable_feature_flag: Option<String>,
    /// How answers are printed.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    format: Output,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people. `human` is another name.
    #[value(alias = "human")]
    Text,
    /// For scripts: one JSON document on standard output.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every role in one process (the default).
    All(processes::Serve),
    /// API and dashboard.
    Server(processes::Serve),
    /// Matches and delivers.
    Worker(processes::Serve),
    /// Recurring jobs. Any number may run; one acts.
    Scheduler(processes::Serve),
    /// The schema: up, down, status.
    Migrate(migrate::Migrate),
    /// First user, organisation, project and API key. Safe to repeat.
    Bootstrap(bootstrap::Bootstrap),
    /// Looks for what keeps this instance from working well.
    Doctor,
    /// The configuration.
    Config(check::ConfigCommand),
    /// Queues: depth, dead entries, redrive.
    Queue(queue::QueueCommand),
    /// Jobs: what there are, running one by hand, their runs.
    Jobs(jobs::JobsCommand),
    /// Maintenance of tables: partition, unpartition.
    #[command(alias = "util")]
    Utils(utils::UtilsCommand),
    /// How long a project keeps its events: show, preview, set.
    Retention(retention::RetentionCommand),
    /// Removes values of persons from everything that is kept, and shows the receipt.
    Erase(erase::Erase),
    /// The archive: rebuild-index, sweep, scrub.
    #[command(subcommand)]
    Archive(archive_care::Care),
    /// Where copies lie: show, set, test.
    Storage(storage::StorageCommand),
    /// A receiver on this machine with an endpoint, a subscription and some traffic.
    Demo(demo::Demo),
}

/// How a command failed.
enum Failure {
    /// Exit code 1.
    Failed(anyhow::Error),
    /// Exit code 2.
    BadArguments(String),
    /// Exit code 3: a safety rule or the state of things forbids it.
    Refused(String),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

type Outcome = Result<(), Failure>;

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(error)) => {
            eprintln!("longhaul: {error:#}");
            ExitCode::from(1)
        }
        Err(Failure::BadArguments(text)) => {
            eprintln!("longhaul: {text}");
            ExitCode::from(2)
        }
        Err(Failure::Refused(text)) => {
            eprintln!("longhaul: {text}");
            ExitCode::from(3)
        }
    }
}

async fn run(cli: Cli) -> Outcome {
    let Cli { global, command } = cli;
    let command = command.unwrap_or_else(|| Command::All(processes::Serve::default()));
    let mut flags = flags_of(&global);
    if let Command::All(serve) | Command::Server(serve) | Command::Worker(serve) | Command::Scheduler(serve) =
        &command
    {
        flags.extend(serve.flags());
    }
    let (config, provenance) = load(&global, flags)?;
    match command {
        Command::All(serve) => processes::run(&config, processes::Roles::ALL, &serve).await,
        Command::Server(serve) => processes::run(&config, processes::Roles::SERVER, &serve).await,
        Command::Worker(serve) => processes::run(&config, processes::Roles::WORKER, &serve).await,
        Command::Scheduler(serve) => processes::run(&config, processes::Roles::SCHEDULER, &serve).await,
        Command::Migrate(command) => migrate::run(&config, &command, global.format).await,
        Command::Bootstrap(command) => bootstrap::run(&config, command, global.format).await,
        Command::Doctor => doctor::run(&config, global.format).await,
        Command::Config(command) => check::run(&command, &config, &provenance, global.format).await,
        Command::Queue(command) => queue::run(&config, &command, global.format).await,
        Command::Jobs(command) => jobs::run(&config, command, global.format).await,
        Command::Utils(command) => utils::run(&config, command, global.format).await,
        Command::Retention(command) => retention::run(&config, command, global.format).await,
        Command::Erase(command) => erase::run(&config, command, global.format).await,
        Command::Archive(command) => archive_care::run(&config, &command, global.format).await,
        Command::Storage(command) => storage::run(&config, command, global.format).await,
        Command::Demo(command) => demo::run(&config, command).await,
    }
}

fn flags_of(global: &Global) -> Vec<FlagValue> {
    let mut flags: Vec<FlagValue> = global
        .settings
        .iter()
        .map(|(key, value)| FlagValue {
            flag: format!("--set {key}"),
            key: key.clone(),
            value: value.clone(),
        })
        .collect();
    if let Some(features) = &global.enable_feature_flag {
        flags.push(FlagValue {
            flag: "--enable-feature-flag".to_owned(),
            key: "features".to_owned(),
            value: features.clone(),
        });
    }
    flags
}

fn load(global: &Global, flags: Vec<FlagValue>) -> Result<(Config, Provenance), Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    let env = std::env::vars().collect();
    let options = LoadOptions {
        file: global.config.clone(),
        directory: Some(PathBuf::from(".")),
        env,
        flags,
    };
    let (config, provenance, warnings) =
        Config::load(&options).map_err(|errors| Failure::BadArguments(errors.to_string()))?;
    for warning in warnings {
        eprintln!("longhaul: {warning}");
    }
    Ok((config, provenance))
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, as in log.level=debug")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Prints a JSON document.
fn print_json(value: &impl serde::Serialize) -> Outcome {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn with_env<'a>(variables: impl IntoIterator<Item = &'a str>) -> LoadOptions {
        let env = variables
            .into_iter()
            .map(|name| (name.to_owned(), "1".to_owned()))
            .collect();
        LoadOptions {
            env,
            ..LoadOptions::default()
        }
    }

    #[test]
    fn variables_that_stand_for_flags_are_known_to_the_configuration() {
        let root = Cli::command();
        let commands = || std::iter::once(&root).chain(root.get_subcommands());
        let variables: Vec<_> = commands()
            .flat_map(clap::Command::get_arguments)
            .filter_map(|a| a.get_env()?.to_str())
            .collect();
        assert!(variables.contains(&"LONGHAUL_MIGRATE"), "{variables:?}");
        if let Err(errors) = Config::load(&with_env(variables)) {
            panic!("{errors}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
