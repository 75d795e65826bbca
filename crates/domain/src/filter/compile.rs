//! From the JSON of one scope to conditions that can be asked without failing.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Number, Value};

use super::{
    FilterError, FilterErrorCode as Code, MAX_CONDITIONS, MAX_DEPTH, MAX_LIST, MAX_PATTERN_BYTES,
    MAX_PATTERN_MEMORY, MAX_SEGMENTS, MAX_WILDCARDS, Scope,
};

/// Conditions that must all hold.
pub(super) type Group = Vec<Condition>;

#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// A test of the values at a path.
    At(Path, Test),
    /// Every object must hold.
    All(Vec<Group>),
    /// One object must hold.
    Any(Vec<Group>),
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Equal(Value),
    NotEqual(Value),
    Order(Comparison, Number),
    OneOf(Vec<Value>),
    NoneOf(Vec<Value>),
    Exists(bool),
    Pattern(Regex),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A dotted path, kept whole so that keys that hold dots themselves can be looked up as well.
#[derive(Clone, Debug)]
pub(super) struct Path {
    text: Box<str>,
    /// Start and end of each part in `text`.
    parts: Box<[(usize, usize)]>,
    has_wildcard: bool,
}

impl Path {
    fn new(text: &str) -> Result<Self, Code> {
        let mut start = 0;
        let parts: Box<[_]> = text
            .split('.')
            .map(|part| {
                let range = (start, start + part.len());
                start += part.len() + 1;
                range
            })
            .collect();
        let wildcards = text.split('.').filter(|part| *part == "$").count();
        if text.ends_with(".$") || text == "$" {
            Err(Code::TrailingWildcard)
        } else if wildcards > MAX_WILDCARDS {
            Err(Code::TooManyWildcards)
        } else if parts.len() > MAX_SEGMENTS {
            Err(Code::TooDeep)
        } else {
            Ok(Self {
                text: text.into(),
                parts,
                has_wildcard: wildcards > 0,
            })
        }
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn has_wildcard(&self) -> bool {
        self.has_wildcard
    }

    pub(super) fn is_wildcard(&self, part: usize) -> bool {
        self.joined(part, part + 1) == "$"
    }

    /// The parts from `from` up to but without `to`, with their dots.
    pub(super) fn joined(&self, from: usize, to: usize) -> &str {
        &self.text[self.parts[from].0..self.parts[to - 1].1]
    }
}

/// Reads what was written for `scope`.
pub(super) fn scope(scope: Scope, written: &Value) -> Result<Group, FilterError> {
    let mut reader = Reader { scope, conditions: 0 };
    match written {
        Value::Null => Ok(Group::new()),
        Value::Object(object) => reader.group(object, "", 0),
        _ => Err(reader.error("", Code::NotAnObject)),
    }
}

struct Reader {
    scope: Scope,
    conditions: usize,
}

/// Whether a key is meant as an operator: `$in`, but not the wildcard `$` nor `$.name`.
pub(super) fn is_operator(key: &str) -> bool {
    key.strip_prefix('$')
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('.'))
}

/// `base` and `key` as one dotted path.
pub(super) fn join(base: &str, key: &str) -> String {
    if base.is_empty() {
        key.to_owned()
    } else {
        format!("{base}.{key}")
    }
}

impl Reader {
    fn error(&self, path: &str, code: Code) -> FilterError {
        FilterError {
            scope: self.scope,
            path: path.to_owned(),
            code,
        }
    }

    /// The conditions of one object of its own: the scope, or an element of `$and` or `$or`.
    fn group(&mut self, object: &Map<String, Value>, base: &str, depth: usize) -> Result<Group, FilterError> {
        let mut group = Group::new();
        self.object(object, base, depth, &mut group, &mut BTreeSet::new())?;
        Ok(group)
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        base: &str,
        depth: usize,
        group: &mut Group,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), FilterError> {
        if depth > MAX_DEPTH {
            return Err(self.error(base, Code::TooDeep));
        }
        for (key, value) in object {
            if key.is_empty() {
                return Err(self.error(base, Code::EmptyKey));
            }
            let path = join(base, key);
            if is_operator(key) {
                let condition = self.operator(key, value, base, depth)?;
                self.push(group, condition, &path)?;
                continue;
            }
            match value {
                Value::Object(inner) if !inner.is_empty() => {
                    if inner.keys().any(|key| is_operator(key)) && !seen.insert(path.clone()) {
                        return Err(self.error(&path, Code::RepeatedPath));
                    }
                    self.object(inner, &path, depth + 1, group, seen)?;
                }
                plain => {
                    if !seen.insert(path.clone()) {
                        return Err(self.error(&path, Code::RepeatedPath));
                    }
                    let at = self.path(&path)?;
                    self.push(group, Condition::At(at, Test::Equal(plain.clone())), &path)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, group: &mut Group, condition: Condition, path: &str) -> Result<(), FilterError> {
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(self.error(path, Code::TooManyConditions));
        }
        group.push(condition);
        Ok(())
    }

    fn path(&self, text: &str) -> Result<Path, FilterError> {
        // Header names have no case; their conditions are kept in lower case.
        let path = if self.scope == Scope::Headers {
            Path::new(&text.to_ascii_lowercase())
        } else {
            Path::new(text)
        };
        path.map_err(|code| self.error(text, code))
    }

    fn operator(
        &mut self,
        name: &str,
        value: &Value,
        base: &str,
        depth: usize,
    ) -> Result<Condition, FilterError> {
        match name {
            "$and" => return Ok(Condition::All(self.alternatives(name, value, base, depth)?)),
            "$or" => return Ok(Condition::Any(self.alternatives(name, value, base, depth)?)),
            _ => {}
        }
        let here = join(base, name);
        let test = test(name, value).map_err(|code| self.error(&here, code))?;
        if base.is_empty() {
            return Err(self.error(&here, Code::OperatorWithoutKey));
        }
        Ok(Condition::At(self.path(base)?, test))
    }

    fn alternatives(
        &mut self,
        name: &str,
        value: &Value,
        base: &str,
        depth: usize,
    ) -> Result<Vec<Group>, FilterError> {
        let here = join(base, name);
        let list = value
            .as_array()
            .ok_or_else(|| self.error(&here, Code::ListExpected))?;
        if list.is_empty() {
            return Err(self.error(&here, Code::EmptyList));
        }
        let mut groups = Vec::new();
        for (index, element) in list.iter().enumerate() {
            let object = element
                .as_object()
                .ok_or_else(|| self.error(&join(&here, &index.to_string()), Code::NotAnObject))?;
            groups.push(self.group(object, base, depth + 1)?);
        }
        Ok(groups)
    }
}

fn test(name: &str, value: &Value) -> Result<Test, Code> {
    let order = |comparison| match value {
        Value::Number(number) => Ok(Test::Order(comparison, number.clone())),
        _ => Err(Code::NumberExpected),
    };
    let list = || match value {
        Value::Array(list) if list.len() > MAX_LIST => Err(Code::TooManyValues),
        Value::Array(list) => Ok(list.clone()),
        _ => Err(Code::ListExpected),
    };
    match name {
        "$eq" => Ok(Test::Equal(value.clone())),
        "$neq" => Ok(Test::NotEqual(value.clone())),
        "$gt" => order(Comparison::Greater),
        "$gte" => order(Comparison::GreaterOrEqual),
        "$lt" => order(Comparison::Less),
        "$lte" => order(Comparison::LessOrEqual),
        "$in" => Ok(Test::OneOf(list()?)),
        "$nin" => Ok(Test::NoneOf(list()?)),
        "$exist" => value.as_bool().map(Test::Exists).ok_or(Code::BooleanExpected),
        "$regex" => value
            .as_str()
            .ok_or(Code::TextExpected)
            .and_then(pattern)
            .map(Test::Pattern),
        _ => Err(Code::UnknownOperator),
    }
}

fn pattern(text: &str) -> Result<Regex, Code> {
    if text.len() > MAX_PATTERN_BYTES {
        return Err(Code::PatternTooLarge);
    }
    RegexBuilder::new(text)
        .size_limit(MAX_PATTERN_MEMORY)
        .dfa_size_limit(MAX_PATTERN_MEMORY)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => Code::PatternTooLarge,
            _ => Code::BadPattern,
        })
}
