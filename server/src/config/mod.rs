//! The one loader of configuration.
//!
//! Four layers, later wins: `longhaul.default.toml` (built in; the manual of every key), one file
//! (`longhaul.toml`, `longhaul.json` or `convoy.json`), the environment, command-line flags. The
//! environment is handed in as a map, so nothing here reads the process.
//!
//! Each layer becomes a list of [`layer::Assignment`]s: a key, its value in the one form of its
//! kind, and where it came from. Aliases of the systems that Longhaul replaces are resolved there
//! ([`alias`]), and two names with different values in one layer are an error. figment puts the
//! layers together; [`check`] looks at the whole. Everything that is wrong is reported at once.
//!
//! - [`key`]: every key and its kind · [`alias`]: other names · [`value`]: texts to values
//! - [`layer`]: one layer · [`file`]: reading files · [`sections`], [`lifecycle`]: the result, one
//!   type per section
//! - [`check`]: rules across keys · [`provenance`]: what is in effect and why · [`error`]: what went wrong

mod alias;
mod check;
mod error;
mod file;
mod key;
mod layer;
mod lifecycle;
mod provenance;
mod sections;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use figment::Figment;
use serde::Deserialize;

pub use error::{ConfigError, ConfigErrors, Warning};
pub use lifecycle::{
    ArchiveConfig, BackupConfig, OnPremConfig, RetentionConfig, S3Config, StorageConfig, StorageKind,
};
pub use provenance::{Effective, Format, Provenance, Source};
pub use sections::{
    DatabaseConfig, DeliveryConfig, DevConfig, Durability, IngestConfig, LogConfig, LogFormat, LogLevel,
    PartitionsConfig, QueueConfig, RedisConfig, RedisScheme, SecurityConfig, ServerConfig, ShutdownConfig,
};

use layer::{Assignment, Findings};

/// The default file: every key, commented.
pub const DEFAULT_FILE: &str = include_str!("../../../longhaul.default.toml");

/// The whole configuration of a process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names of features that are off by default and were turned on.
    pub features: Vec<String>,
    /// Where to listen and how this instance is reached.
    pub server: ServerConfig,
    /// PostgreSQL.
    pub database: DatabaseConfig,
    /// Redis.
    pub redis: RedisConfig,
    /// Logs.
    pub log: LogConfig,
    /// Queues in Redis.
    pub queue: QueueConfig,
    /// Accepting events.
    pub ingest: IngestConfig,
    /// Delivering events.
    pub delivery: DeliveryConfig,
    /// Secrets, sessions, sign-in.
    pub security: SecurityConfig,
    /// Partitions of the hot tables.
    pub partitions: PartitionsConfig,
    /// How long new projects keep their events, and when what is over leaves.
    pub retention: RetentionConfig,
    /// When days are copied.
    pub backup: BackupConfig,
    /// Where copies lie.
    pub storage: StorageConfig,
    /// Copies: their size, and reading them.
    pub archive: ArchiveConfig,
    /// Stopping.
    pub shutdown: ShutdownConfig,
    /// Helpers for tests and demonstrations.
    pub dev: DevConfig,
}

/// A setting given on the command line.
#[derive(Clone, Debug)]
pub struct FlagValue {
    /// The flag as the operator wrote it: `--port`.
    pub flag: String,
    /// The key it sets: `server.port`.
    pub key: String,
    /// The text behind it.
    pub value: String,
}

/// What a configuration is loaded from.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The file to read; it must exist. `LONGHAUL_CONFIG` says the same with less weight.
    pub file: Option<PathBuf>,
    /// Folder in which the known file names are looked for when no file was named.
    pub directory: Option<PathBuf>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Flags of the command line.
    pub flags: Vec<FlagValue>,
}

impl Config {
    /// Loads, merges and checks all layers.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and where the value came from.
    pub fn load(options: &LoadOptions) -> Result<(Self, Provenance, Vec<Warning>), ConfigErrors> {
        let mut findings = Findings::default();
        let mut assignments = layer::of_defaults(DEFAULT_FILE, &mut findings);
        let mut said = Vec::new();
        if let Some(path) = file::choose(options, &mut findings) {
            said.extend(layer::of_file(&path, &mut findings));
        }
        said.extend(layer::of_env(&options.env, &mut findings));
        said.extend(layer::of_flags(&options.flags, &mut findings));
        assignments.extend(layer::of_archive_variables(&options.env, &said, &mut findings));
        assignments.extend(said);

        let provenance = Provenance::new(&assignments);
        match merge(assignments) {
            Ok(config) => {
                let suspect: BTreeSet<_> = findings
                    .errors
                    .iter()
                    .filter_map(|error| error.key.clone())
                    .collect();
                check::whole(&config, &provenance, &suspect, &mut findings);
                if findings.errors.is_empty() {
                    return Ok((config, provenance, findings.warnings));
                }
            }
            Err(error) => findings.errors.push(merge_error(&error, &provenance)),
        }
        Err(ConfigErrors(findings.errors))
    }

    /// Whether the feature `name` was turned on.
    pub fn has_feature(&self, name: &str) -> bool {
        self.features.iter().any(|feature| feature == name)
    }
}

fn merge(assignments: Vec<Assignment>) -> Result<Config, Box<figment::Error>> {
    assignments
        .into_iter()
        .fold(Figment::new(), Figment::merge)
        .extract()
        .map_err(Box::new)
}

fn merge_error(error: &figment::Error, provenance: &Provenance) -> ConfigError {
    let key = error.path.join(".");
    // What figment says repeats the value, which for a secret must not be shown.
    let is_secret = key::find(&key).is_some_and(|key| key.kind.is_secret());
    let message = if is_secret {
        "cannot be used".to_owned()
    } else {
        error.kind.to_string()
    };
    ConfigError {
        source: provenance.source_of(&key).cloned(),
        message,
        key: (!key.is_empty()).then_some(key),
    }
}

#[cfg(test)]
mod lifecycle_tests;
#[cfg(test)]
mod tests;
