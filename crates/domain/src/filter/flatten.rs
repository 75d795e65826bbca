//! The flat form in which a filter is shown beside the one that was sent.

use serde_json::{Map, Value};

use super::compile::{is_operator, join};

/// Joins nested keys with dots; objects of operators stay at the end of their path.
///
/// `{"a": {"b": 1, "c": {"$gt": 2}}}` becomes `{"a.b": 1, "a.c": {"$gt": 2}}`. Meant for filters
/// that compiled: what is not an object comes back as it is.
pub fn flatten(filter: &Value) -> Value {
    match filter {
        Value::Object(object) => {
            let mut flat = Map::new();
            flatten_into(object, "", &mut flat);
            Value::Object(flat)
        }
        other => other.clone(),
    }
}

fn flatten_into(object: &Map<String, Value>, base: &str, flat: &mut Map<String, Value>) {
    for (key, value) in object {
        if is_operator(key) {
            let value = match (key.as_str(), value) {
                ("$and" | "$or", Value::Array(list)) => Value::Array(list.iter().map(flatten).collect()),
                _ => value.clone(),
            };
            if base.is_empty() {
                flat.insert(key.clone(), value);
            } else if let Value::Object(operators) = flat
                .entry(base.to_owned())
                .or_insert_with(|| Value::Object(Map::new()))
            {
                operators.insert(key.clone(), value);
            }
            continue;
        }
        let path = join(base, key);
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten_into(inner, &path, flat),
            plain => {
                flat.insert(path, plain.clone());
            }
        }
    }
}
