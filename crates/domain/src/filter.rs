//! Which events a subscription wants: conditions on headers, body, query and path.
//!
//! A filter is a JSON object per scope; every scope must hold. Keys are paths: nested objects and
//! dotted keys mean the same. A plain value is compared for equality. An object of operators says
//! more: `$eq $neq $gt $gte $lt $lte $in $nin $exist $regex`, and `$and`, `$or` hold lists of
//! objects.
//!
//! Rules worth knowing:
//! - **Arrays in the input** hold when any element does (`$neq`, `$nin`: when no element is equal).
//!   `items.0.name` names one position, `items.$.name` any of them (up to three `$` in a path, for
//!   the body only: elsewhere such a path never holds), `$.name` starts in a root array.
//! - **A key that the input lacks** leaves its condition out; when nothing is left, the object does
//!   not hold. [`MissingKeys::Fail`] is the strict reading. `$exist` is always asked.
//! - **`$regex` on something that is not text** does not hold; it is not an error.
//! - **A body that is not an object or array** holds only for a filter without conditions on it.
//! - Header names are compared without case. In headers, query and path every value is text, so
//!   numbers and booleans of the filter are compared with the text, and `$gt` and friends read it.
//!
//! [`Filter::compile`] does all the work that can fail, once; [`Filter::matches`] cannot fail.

mod compile;
mod flatten;
mod matching;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

pub use flatten::flatten;

/// Deepest nesting of objects and lists in one scope.
pub const MAX_DEPTH: usize = 16;
/// Most conditions in one scope.
pub const MAX_CONDITIONS: usize = 256;
/// Most parts of one path.
pub const MAX_SEGMENTS: usize = 32;
/// Most `$` in one path.
pub const MAX_WILDCARDS: usize = 3;
/// Most values of one `$in` or `$nin`.
pub const MAX_LIST: usize = 1_000;
/// Longest `$regex`, in bytes.
pub const MAX_PATTERN_BYTES: usize = 1_024;
/// Most memory of one compiled `$regex`, in bytes.
const MAX_PATTERN_MEMORY: usize = 256 * 1_024;

/// The part of an event that conditions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The headers of the event.
    Headers,
    /// The payload.
    Body,
    /// The query of the ingest address.
    Query,
    /// The path of the ingest address.
    Path,
}

impl Scope {
    /// Every scope, cheapest to judge first.
    pub const ALL: [Self; 4] = [Self::Path, Self::Headers, Self::Query, Self::Body];

    /// The key of the scope in a filter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A filter as its author wrote it. An absent scope, `null` and `{}` have no conditions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FilterSpec {
    /// Conditions on headers.
    #[serde(default)]
    pub headers: Option<Value>,
    /// Conditions on the payload.
    #[serde(default)]
    pub body: Option<Value>,
    /// Conditions on query parameters.
    #[serde(default)]
    pub query: Option<Value>,
    /// Conditions on the path.
    #[serde(default)]
    pub path: Option<Value>,
}

impl FilterSpec {
    /// What was written for `scope`.
    pub fn scope(&self, scope: Scope) -> Option<&Value> {
        match scope {
            Scope::Headers => self.headers.as_ref(),
            Scope::Body => self.body.as_ref(),
            Scope::Query => self.query.as_ref(),
            Scope::Path => self.path.as_ref(),
        }
    }
}

/// What a filter is asked about. `Value::Null` stands for an absent part.
#[derive(Clone, Copy, Debug)]
pub struct FilterInput<'a> {
    /// Name to value, or name to list of values; any case of names.
    pub headers: &'a Value,
    /// The payload.
    pub body: &'a Value,
    /// Name to value, or name to list of values.
    pub query: &'a Value,
    /// Name to value.
    pub path: &'a Value,
}

impl<'a> FilterInput<'a> {
    fn scope(&self, scope: Scope) -> &'a Value {
        match scope {
            Scope::Headers => self.headers,
            Scope::Body => self.body,
            Scope::Query => self.query,
            Scope::Path => self.path,
        }
    }
}

/// What a condition means whose key the input lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingKeys {
    /// It is left out.
    #[default]
    Skip,
    /// It does not hold.
    Fail,
}

/// Why a filter is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{scope}{}{path}: {code}", if path.is_empty() { "" } else { "." })]
pub struct FilterError {
    /// The scope that holds the mistake.
    pub scope: Scope,
    /// Dotted path of the mistake inside of the scope; empty for the scope itself.
    pub path: String,
    /// What is wrong.
    pub code: FilterErrorCode,
}

/// What is wrong with a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterErrorCode {
    /// A scope, or an element of `$and` or `$or`, is something else than an object.
    #[error("must be an object")]
    NotAnObject,
    /// A key that starts with `$` and is no operator.
    #[error("is not an operator, known are $eq $neq $gt $gte $lt $lte $in $nin $exist $regex $and $or")]
    UnknownOperator,
    /// An operator that stands beside no key.
    #[error("stands below no key")]
    OperatorWithoutKey,
    /// An ordering operator with something else than a number.
    #[error("takes a number")]
    NumberExpected,
    /// `$in`, `$nin`, `$and` or `$or` with something else than a list.
    #[error("takes a list")]
    ListExpected,
    /// `$and` or `$or` without alternatives.
    #[error("takes a list that is not empty")]
    EmptyList,
    /// `$exist` with something else than true or false.
    #[error("takes true or false")]
    BooleanExpected,
    /// `$regex` with something else than text.
    #[error("takes a text")]
    TextExpected,
    /// A pattern that does not compile.
    #[error("is not a pattern that can be used")]
    BadPattern,
    /// A pattern that is too long, or grows too large.
    #[error("is too large a pattern")]
    PatternTooLarge,
    /// A path that ends in `$`.
    #[error("a path cannot end in $")]
    TrailingWildcard,
    /// More than [`MAX_WILDCARDS`].
    #[error("a path holds at most {MAX_WILDCARDS} $")]
    TooManyWildcards,
    /// An empty key.
    #[error("an empty key names nothing")]
    EmptyKey,
    /// The same path twice in one object, nested and dotted.
    #[error("is given twice, nested and dotted")]
    RepeatedPath,
    /// More than [`MAX_DEPTH`] levels or [`MAX_SEGMENTS`] parts.
    #[error("is nested too deep")]
    TooDeep,
    /// More than [`MAX_CONDITIONS`].
    #[error("has more than {MAX_CONDITIONS} conditions")]
    TooManyConditions,
    /// More than [`MAX_LIST`].
    #[error("has more than {MAX_LIST} values")]
    TooManyValues,
}

/// A filter that is ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    scopes: Vec<(Scope, compile::Group)>,
    missing: MissingKeys,
}

impl Filter {
    /// Reads `spec` and prepares its patterns.
    pub fn compile(spec: &FilterSpec) -> Result<Self, FilterError> {
        let mut scopes = Vec::new();
        for scope in Scope::ALL {
            if let Some(written) = spec.scope(scope) {
                let group = compile::scope(scope, written)?;
                if !group.is_empty() {
                    scopes.push((scope, group));
                }
            }
        }
        Ok(Self {
            scopes,
            missing: MissingKeys::Skip,
        })
    }

    /// The same filter with another reading of missing keys.
    #[must_use]
    pub fn with_missing_keys(self, missing: MissingKeys) -> Self {
        Self { missing, ..self }
    }

    /// Whether it has no condition and so holds for everything.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty()
    }

    /// Whether it looks at `scope`. What no filter looks at need not be read.
    pub fn looks_at(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|(used, _)| *used == scope)
    }

    /// Whether every scope holds for `input`.
    pub fn matches(&self, input: &FilterInput<'_>) -> bool {
        self.scopes
            .iter()
            .all(|(scope, group)| matching::scope_holds(*scope, group, input.scope(*scope), self.missing))
    }
}

/// Whether a subscription to `wanted` (a name, or `*` for all) takes events of `event_type`.
pub fn event_type_matches(wanted: &str, event_type: &str) -> bool {
    wanted == "*" || wanted == event_type
}

#[cfg(test)]
mod tests;
