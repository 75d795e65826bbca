//! One layer of the configuration: what it says about each key, under whichever names.

use std::collections::BTreeMap;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::alias::{self, Alias, Meaning};
use super::error::{ConfigError, Warning};
use super::key::{self, Key};
use super::provenance::Source;
use super::{FlagValue, file, value};

/// What one layer says about one key.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) key: &'static Key,
    /// In the one form of the key's kind.
    pub(super) value: Value,
    pub(super) source: Source,
}

impl Provider for Assignment {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(self.key.path, self.value.clone());
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) errors: Vec<ConfigError>,
    pub(super) warnings: Vec<Warning>,
}

impl Findings {
    fn wrong(&mut self, key: &str, source: Source, message: impl Into<String>) {
        let error = ConfigError {
            key: Some(key.to_owned()),
            source: Some(source),
            message: message.into(),
        };
        self.errors.push(error);
    }

    pub(super) fn odd(&mut self, message: impl Into<String>) {
        self.warnings.push(Warning(message.into()));
    }
}

/// Collects what one layer says before names are weighed against one another.
#[derive(Default)]
struct Layer {
    /// By key; the own name first.
    said: BTreeMap<&'static str, Vec<Assignment>>,
}

impl Layer {
    fn own(&mut self, key: &'static Key, written: &Value, source: Source, findings: &mut Findings) {
        match value::read(key, written) {
            Ok(Some(value)) => self
                .said
                .entry(key.path)
                .or_default()
                .insert(0, Assignment { key, value, source }),
            Ok(None) => {}
            Err(message) => findings.wrong(key.path, source, message),
        }
    }

    fn alias(&mut self, alias: &'static Alias, written: &Value, source: Source, findings: &mut Findings) {
        // The table is written by hand; a test keeps its keys true.
        let Some(key) = key::find(alias.key) else { return };
        let converted = match alias.meaning {
            // Lists stay lists.
            Meaning::Same => Ok(Some(written.clone())),
            meaning => match value::text_of(written).filter(|text| !text.trim().is_empty()) {
                Some(text) => meaning.apply(&text).map(|text| text.map(Value::from)),
                None => Ok(None),
            },
        };
        let read = match converted {
            Ok(Some(converted)) => value::read(key, &converted),
            Ok(None) => Ok(None),
            Err(message) => Err(message.to_owned()),
        };
        match read {
            Ok(Some(value)) => self
                .said
                .entry(key.path)
                .or_default()
                .push(Assignment { key, value, source }),
            Ok(None) => {}
            Err(message) => findings.wrong(key.path, source, message),
        }
    }

    /// One assignment per key; names that contradict one another are an error.
    fn settle(self, findings: &mut Findings) -> Vec<Assignment> {
        let mut settled = Vec::new();
        for (path, said) in self.said {
            if let Some(other) = said.iter().find(|other| other.value != said[0].value) {
                findings.errors.push(ConfigError {
                    key: Some(path.to_owned()),
                    source: None,
                    message: format!(
                        "{} and {} have different values; set one of them",
                        said[0].source, other.source
                    ),
                });
            }
            settled.extend(said.into_iter().next());
        }
        settled
    }
}

/// The built-in layer.
pub(super) fn of_defaults(text: &str, findings: &mut Findings) -> Vec<Assignment> {
    let mut layer = Layer::default();
    match file::parse(Path::new("longhaul.default.toml"), text) {
        Ok(document) => {
            for (path, written) in leaves(&document) {
                match key::find(&path) {
                    Some(key) => layer.own(key, &written, Source::Default, findings),
                    None => findings.wrong(&path, Source::Default, "is not a key of the configuration"),
                }
            }
        }
        Err(message) => findings.errors.push(ConfigError {
            key: None,
            source: Some(Source::Default),
            message,
        }),
    }
    layer.settle(findings)
}

/// The file at `path`.
pub(super) fn of_file(path: &Path, findings: &mut Findings) -> Vec<Assignment> {
    let source = |at: Option<&str>| Source::File {
        path: path.to_owned(),
        at: at.map(str::to_owned),
    };
    let document = match file::read(path) {
        Ok(document) => document,
        Err(message) => {
            findings.errors.push(ConfigError {
                key: None,
                source: Some(source(None)),
                message,
            });
            return Vec::new();
        }
    };
    let mut layer = Layer::default();
    for (at, written) in leaves(&document) {
        if let Some(key) = key::find(&at) {
            layer.own(key, &written, source(None), findings);
        } else if let Some(alias) = alias::of_path(&at) {
            layer.alias(alias, &written, source(Some(&at)), findings);
        } else if alias::is_unused_path(&at) {
            findings.odd(format!("{}: this version does not use it", source(Some(&at))));
        } else if path.file_name().is_some_and(|name| name == file::FOREIGN) {
            findings.odd(format!(
                "{}: is not known{}",
                source(Some(&at)),
                suggestion(&at, own_paths())
            ));
        } else {
            let message = format!(
                "is not a key of the configuration{}",
                suggestion(&at, own_paths())
            );
            findings.wrong(&at, source(None), message);
        }
    }
    layer.settle(findings)
}

/// The environment. Variables of other programs are passed over.
pub(super) fn of_env(env: &BTreeMap<String, String>, findings: &mut Findings) -> Vec<Assignment> {
    let variables: BTreeMap<String, &'static Key> =
        key::KEYS.iter().map(|key| (key.variable(), key)).collect();
    let mut layer = Layer::default();
    for (name, text) in env.iter().filter(|(_, text)| !text.trim().is_empty()) {
        let source = || Source::Env(name.clone());
        let written = Value::from(text.as_str());
        if let Some(key) = variables.get(name) {
            layer.own(key, &written, source(), findings);
            continue;
        }
        let mut known = false;
        for alias in alias::of_variable(name) {
            known = true;
            layer.alias(alias, &written, source(), findings);
        }
        if known || key::NOT_SETTINGS.contains(&name.as_str()) {
            continue;
        }
        if name.starts_with(key::PREFIX) {
            let near = suggestion(name, variables.keys().map(String::as_str));
            let message = format!("no setting has this name{near}");
            findings.errors.push(ConfigError {
                key: None,
                source: Some(source()),
                message,
            });
        } else if alias::is_unused_variable(name) {
            findings.odd(format!("{}: this version does not use it", source()));
        } else if name.starts_with("CONVOY_") {
            let names = alias::ALIASES.iter().filter_map(|alias| alias.variable);
            findings.odd(format!("{}: is not known{}", source(), suggestion(name, names)));
        }
    }
    layer.settle(findings)
}

/// The variables of the archive of streams, unless `said`, the layers that somebody wrote, name a
/// storage already.
pub(super) fn of_archive_variables(
    env: &BTreeMap<String, String>,
    said: &[Assignment],
    findings: &mut Findings,
) -> Vec<Assignment> {
    let given = |alias: &'static Alias| {
        let name = alias.variable?;
        let text = env.get(name).filter(|text| !text.trim().is_empty())?;
        Some((alias, name, text))
    };
    let bucket = env.get(alias::ARCHIVE_BUCKET);
    if bucket.is_none_or(|text| text.trim().is_empty()) {
        return Vec::new();
    }
    let mut layer = Layer::default();
    let other = said
        .iter()
        .find(|assignment| assignment.key.path.starts_with("storage."));
    for (alias, name, text) in alias::ARCHIVE.iter().filter_map(given) {
        let source = Source::Env(name.to_owned());
        match other {
            Some(other) => findings.odd(format!(
                "{source}: is not used because {} ({}) says where to store",
                other.key.path, other.source
            )),
            None => layer.alias(alias, &Value::from(text.as_str()), source, findings),
        }
    }
    layer.settle(findings)
}

/// The command line.
pub(super) fn of_flags(flags: &[FlagValue], findings: &mut Findings) -> Vec<Assignment> {
    let mut layer = Layer::default();
    for FlagValue { flag, key, value } in flags {
        let source = Source::Flag(flag.clone());
        match key::find(key) {
            Some(key) => layer.own(key, &Value::from(value.as_str()), source, findings),
            None => findings.wrong(key, source, "is not a key of the configuration"),
        }
    }
    layer.settle(findings)
}

fn own_paths() -> impl Iterator<Item = &'static str> {
    key::KEYS.iter().map(|key| key.path)
}

fn suggestion<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    key::nearest(name, candidates)
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default()
}

/// The values of a document with their dotted paths.
fn leaves(document: &Dict) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(document, "", &mut found);
    found
}

fn collect(document: &Dict, base: &str, found: &mut Vec<(String, Value)>) {
    for (name, value) in document {
        let path = if base.is_empty() {
            name.clone()
        } else {
            format!("{base}.{name}")
        };
        match value {
            Value::Dict(_, inner) => collect(inner, &path, found),
            leaf => found.push((path, leaf.clone())),
        }
    }
}
