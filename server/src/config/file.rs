//! Finding and reading the one file of the configuration.

use std::path::{Path, PathBuf};

use figment::providers::{Format as _, Json, Toml};
use figment::value::Dict;

use super::LoadOptions;
use super::layer::Findings;

/// File of the replaced gateway; keys in it that nobody knows are passed over with a warning.
pub(super) const FOREIGN: &str = "convoy.json";

/// Names that are looked for, the first that exists is read.
const NAMES: [&str; 3] = ["longhaul.toml", "longhaul.json", FOREIGN];

/// Variable that names the file.
const VARIABLE: &str = "LONGHAUL_CONFIG";

/// The file to read, if any.
pub(super) fn choose(options: &LoadOptions, findings: &mut Findings) -> Option<PathBuf> {
    if let Some(path) = &options.file {
        return Some(path.clone());
    }
    if let Some(path) = options.env.get(VARIABLE).filter(|path| !path.trim().is_empty()) {
        return Some(PathBuf::from(path));
    }
    let directory = options.directory.as_deref()?;
    let mut existing = NAMES
        .iter()
        .map(|name| directory.join(name))
        .filter(|path| path.is_file());
    let chosen = existing.next()?;
    for other in existing {
        findings.odd(format!(
            "file {} is not read because {} is there",
            other.display(),
            chosen.display()
        ));
    }
    Some(chosen)
}

/// Reads the file at `path`.
///
/// # Errors
/// What is wrong, without any part of the file: it may hold secrets.
pub(super) fn read(path: &Path) -> Result<Dict, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    parse(path, &text)
}

/// Reads `text` as what the name of `path` says it is.
pub(super) fn parse(path: &Path, text: &str) -> Result<Dict, String> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => Toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text[..span.start.min(text.len())].lines().count().max(1)
            });
            format!("is not TOML, near line {line}: {}", error.message())
        }),
        Some("json") => Json::from_str(text)
            .map_err(|error| format!("is not JSON, at line {} column {}", error.line(), error.column())),
        _ => Err("must be called something.toml or something.json".to_owned()),
    }
}
