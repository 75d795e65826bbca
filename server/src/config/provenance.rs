//! What is in effect and where it came from, with secrets masked.

use std::fmt;
use std::fmt::Write as _;
use std::path::PathBuf;

use figment::value::Value;
use serde::Serialize;
use url::Url;

use super::key::{KEYS, Key, Kind};
use super::layer::Assignment;

/// Stands for a secret.
const MASK: &str = "***";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The built-in file.
    Default,
    /// A file.
    File {
        /// Which.
        path: PathBuf,
        /// The path in it, when the key has another name there.
        at: Option<String>,
    },
    /// A variable of the environment.
    Env(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, at: None } => write!(f, "file {}", path.display()),
            Self::File { path, at: Some(at) } => write!(f, "file {}, {at}", path.display()),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One key as it is in effect.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Section and name.
    pub key: &'static str,
    /// The value; secrets are masked, null is not set.
    pub value: serde_json::Value,
    /// Where it came from.
    pub source: Source,
}

/// How the effective configuration is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line per key.
    Text,
    /// One object, key to value and source.
    Json,
}

/// What is in effect for every key.
#[derive(Clone, Debug)]
pub struct Provenance {
    keys: Vec<Effective>,
}

impl Provenance {
    pub(super) fn new(assignments: &[Assignment]) -> Self {
        let effective = |key: &'static Key| {
            let last = assignments
                .iter()
                .rev()
                .find(|assignment| assignment.key.path == key.path);
            Effective {
                key: key.path,
                value: last.map_or(serde_json::Value::Null, |last| shown(key.kind, &last.value)),
                source: last.map_or(Source::Default, |last| last.source.clone()),
            }
        };
        Self {
            keys: KEYS.iter().map(effective).collect(),
        }
    }

    /// Every key, in the order of the default file.
    pub fn keys(&self) -> &[Effective] {
        &self.keys
    }

    /// Where the value of `key` came from; `None` for a key that does not exist.
    pub fn source_of(&self, key: &str) -> Option<&Source> {
        self.keys
            .iter()
            .find(|effective| effective.key == key)
            .map(|effective| &effective.source)
    }

    /// Every key, its value with secrets masked, and where it came from.
    pub fn render_effective(&self, format: Format) -> String {
        match format {
            Format::Text => self.as_text(),
            Format::Json => self.as_json(),
        }
    }

    fn as_text(&self) -> String {
        let values: Vec<String> = self
            .keys
            .iter()
            .map(|effective| plain(&effective.value))
            .collect();
        let key_width = self
            .keys
            .iter()
            .map(|effective| effective.key.len())
            .max()
            .unwrap_or(0);
        // One long value must not push every source off the screen.
        let value_width = values
            .iter()
            .map(|value| value.chars().count())
            .filter(|n| *n <= 40)
            .max()
            .unwrap_or(0);
        let mut out = String::new();
        for (effective, value) in self.keys.iter().zip(&values) {
            // Writing to a text cannot fail.
            let _ = writeln!(
                out,
                "{:<key_width$}  {value:<value_width$}  {}",
                effective.key, effective.source
            );
        }
        out
    }

    fn as_json(&self) -> String {
        #[derive(Serialize)]
        struct Shown<'a> {
            value: &'a serde_json::Value,
            source: String,
        }
        let object: serde_json::Map<_, _> = self
            .keys
            .iter()
            .map(|Effective { key, value, source }| {
                let shown = Shown {
                    value,
                    source: source.to_string(),
                };
                ((*key).to_owned(), serde_json::to_value(shown).unwrap_or_default())
            })
            .collect();
        format!("{:#}", serde_json::Value::Object(object))
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "(not set)".to_owned(),
        serde_json::Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shown(kind: Kind, value: &Value) -> serde_json::Value {
    match kind {
        Kind::Secret => MASK.into(),
        Kind::SecretUrl => value.as_str().map_or_else(|| MASK.to_owned(), masked_url).into(),
        // A value that JSON cannot hold is shown as not set; no kind makes one.
        _ => serde_json::to_value(value).unwrap_or_default(),
    }
}

/// `address` with its password, and every option that could hold one, masked.
fn masked_url(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return MASK.to_owned();
    };
    if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
        return MASK.to_owned();
    }
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    if pairs.iter().any(|(name, _)| is_secret_option(name)) {
        url.query_pairs_mut()
            .clear()
            .extend_pairs(pairs.iter().map(|(name, value)| {
                (
                    name,
                    if is_secret_option(name) {
                        MASK
                    } else {
                        value.as_str()
                    },
                )
            }));
    }
    url.to_string()
}

fn is_secret_option(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("pass") || name.contains("secret") || name.contains("token")
}
