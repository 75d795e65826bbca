//! Asking compiled conditions about one input.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::compile::{Comparison, Condition, Group, Path, Test};
use super::{MissingKeys, Scope};

/// Whether `group` holds for `input`, the part of an event that belongs to `scope`.
pub(super) fn scope_holds(scope: Scope, group: &Group, input: &Value, missing: MissingKeys) -> bool {
    let readable = input.is_object() || (scope == Scope::Body && input.is_array());
    readable
        && Asked {
            scope,
            input,
            missing,
        }
        .group_holds(group)
}

struct Asked<'a> {
    scope: Scope,
    input: &'a Value,
    missing: MissingKeys,
}

impl Asked<'_> {
    fn group_holds(&self, group: &Group) -> bool {
        let mut judged = group.is_empty();
        for condition in group {
            match self.holds(condition) {
                Some(true) => judged = true,
                None if self.missing == MissingKeys::Skip => {}
                Some(false) | None => return false,
            }
        }
        judged
    }

    /// Whether `condition` holds; `None` when the input lacks its key.
    fn holds(&self, condition: &Condition) -> Option<bool> {
        match condition {
            Condition::All(groups) => Some(groups.iter().all(|group| self.group_holds(group))),
            Condition::Any(groups) => Some(groups.iter().any(|group| self.group_holds(group))),
            Condition::At(path, _) if path.has_wildcard() && self.scope != Scope::Body => Some(false),
            Condition::At(path, test) => self.holds_at(path, test),
        }
    }

    fn holds_at(&self, path: &Path, test: &Test) -> Option<bool> {
        let mut found = false;
        let mut visit = |value: &Value| {
            found = true;
            self.value_holds(test, value)
        };
        let held = self.any_at(self.input, path, 0, &mut visit);
        match test {
            Test::Exists(wanted) => Some(found == *wanted),
            _ if found => Some(held),
            _ => None,
        }
    }

    /// Calls `visit` for the values at `path`, below its first `from` parts, until one returns true.
    fn any_at(&self, node: &Value, path: &Path, from: usize, visit: &mut dyn FnMut(&Value) -> bool) -> bool {
        if from == path.len() {
            return visit(node);
        }
        match node {
            // A key may hold dots itself, so each run of parts is tried as one key.
            Value::Object(_) => (from + 1..=path.len()).any(|to| {
                let key = path.joined(from, to);
                self.member(node, key, from == 0)
                    .is_some_and(|inner| self.any_at(inner, path, to, visit))
            }),
            Value::Array(list) if path.is_wildcard(from) => list
                .iter()
                .any(|element| self.any_at(element, path, from + 1, visit)),
            Value::Array(list) => path
                .joined(from, from + 1)
                .parse::<usize>()
                .ok()
                .and_then(|index| list.get(index))
                .is_some_and(|element| self.any_at(element, path, from + 1, visit)),
            _ => false,
        }
    }

    fn member<'v>(&self, object: &'v Value, key: &str, at_root: bool) -> Option<&'v Value> {
        let object = object.as_object()?;
        if at_root && self.scope == Scope::Headers {
            return object
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))
                .map(|(_, value)| value);
        }
        object.get(key)
    }

    fn value_holds(&self, test: &Test, value: &Value) -> bool {
        match test {
            Test::Equal(wanted) => self.is_or_holds(value, wanted),
            Test::NotEqual(unwanted) => !self.is_or_holds(value, unwanted),
            Test::OneOf(wanted) => wanted.iter().any(|wanted| self.is_or_holds(value, wanted)),
            Test::NoneOf(unwanted) => !unwanted.iter().any(|unwanted| self.is_or_holds(value, unwanted)),
            Test::Exists(_) => true,
            Test::Order(comparison, bound) => any_element(value, |value| {
                self.order(value, bound)
                    .is_some_and(|order| comparison.holds(order))
            }),
            Test::Pattern(pattern) => any_element(value, |value| {
                value.as_str().is_some_and(|text| pattern.is_match(text))
            }),
        }
    }

    /// Whether `value` equals `wanted`, or is a list that holds it.
    fn is_or_holds(&self, value: &Value, wanted: &Value) -> bool {
        self.equal(value, wanted)
            || value
                .as_array()
                .is_some_and(|list| list.iter().any(|v| self.equal(v, wanted)))
    }

    fn equal(&self, value: &Value, wanted: &Value) -> bool {
        match (value, wanted) {
            (Value::String(text), Value::Number(number)) if self.scope != Scope::Body => {
                *text == number.to_string()
            }
            (Value::String(text), Value::Bool(flag)) if self.scope != Scope::Body => {
                *text == flag.to_string()
            }
            _ => equal(value, wanted),
        }
    }

    fn order(&self, value: &Value, bound: &Number) -> Option<Ordering> {
        match value {
            Value::Number(number) => compare(number, bound),
            Value::String(text) if self.scope != Scope::Body => {
                text.trim().parse::<f64>().ok()?.partial_cmp(&bound.as_f64()?)
            }
            _ => None,
        }
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

fn any_element(value: &Value, holds: impl Fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(holds),
        single => holds(single),
    }
}

/// Equality of JSON in which `1` and `1.0` are the same number.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Order of two numbers; whole numbers are compared exactly.
fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (a.as_u64(), b.as_u64()) {
        return Some(a.cmp(&b));
    }
    a.as_f64()?.partial_cmp(&b.as_f64()?)
}
