//! Field types that several requests and answers share.

use std::fmt;

use domain::filter::FilterSpec;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A length of time in whole seconds. Old SDKs write it as text: `10s`, `1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = u32)]
pub struct Seconds(pub u32);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecondsVisitor)
    }
}

struct SecondsVisitor;

impl Visitor<'_> for SecondsVisitor {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of seconds, or a text such as 10s")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Seconds, E> {
        u32::try_from(seconds)
            .map(Seconds)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(seconds), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
        if text.is_empty() {
            return Ok(Seconds(0));
        }
        let length = domain::duration::parse(text).map_err(E::custom)?;
        u32::try_from(length.as_secs())
            .map(Seconds)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// Conditions per scope, or the parts of an event that they are tried on.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct ScopesRequest {
    /// Conditions on headers, or the headers. `header` is read as well.
    #[serde(default, alias = "header")]
    #[schema(value_type = Option<Object>)]
    pub headers: Option<Value>,
    /// Conditions on the payload, or the payload.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub body: Option<Value>,
    /// Conditions on query parameters, or the parameters.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub query: Option<Value>,
    /// Conditions on the path, or the path.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub path: Option<Value>,
}

impl From<ScopesRequest> for FilterSpec {
    fn from(scopes: ScopesRequest) -> Self {
        Self {
            headers: scopes.headers,
            body: scopes.body,
            query: scopes.query,
            path: scopes.path,
        }
    }
}

/// The conditions of a filter, flat and as they were written.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScopesResponse {
    /// Whether the first four are flat.
    is_flattened: bool,
    /// Conditions on headers, nested keys joined by dots.
    #[schema(value_type = Object)]
    headers: Value,
    /// Conditions on the payload, nested keys joined by dots.
    #[schema(value_type = Object)]
    body: Value,
    /// Conditions on query parameters, nested keys joined by dots.
    #[schema(value_type = Object)]
    query: Value,
    /// Conditions on the path, nested keys joined by dots.
    #[schema(value_type = Object)]
    path: Value,
    /// Conditions on headers as they were written.
    #[schema(value_type = Object)]
    raw_headers: Value,
    /// Conditions on the payload as they were written.
    #[schema(value_type = Object)]
    raw_body: Value,
    /// Conditions on query parameters as they were written.
    #[schema(value_type = Object)]
    raw_query: Value,
    /// Conditions on the path as they were written.
    #[schema(value_type = Object)]
    raw_path: Value,
}

impl From<FilterSpec> for ScopesResponse {
    fn from(spec: FilterSpec) -> Self {
        let flat = |scope: &Option<Value>| domain::filter::flatten(&written(scope.clone()));
        Self {
            is_flattened: true,
            headers: flat(&spec.headers),
            body: flat(&spec.body),
            query: flat(&spec.query),
            path: flat(&spec.path),
            raw_headers: written(spec.headers),
            raw_body: written(spec.body),
            raw_query: written(spec.query),
            raw_path: written(spec.path),
        }
    }
}

/// No conditions are shown as `{}`.
fn written(scope: Option<Value>) -> Value {
    scope
        .filter(|value| !value.is_null())
        .unwrap_or_else(|| Value::Object(Map::new()))
}

/// A text; empty counts as left out, as SDKs in typed languages send it.
pub fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn seconds_are_numbers_or_texts() {
        let read = |value: Value| serde_json::from_value::<Seconds>(value).map(|s| s.0).ok();
        assert_eq!(read(json!(10)), Some(10));
        assert_eq!(read(json!("1m30s")), Some(90));
        assert_eq!(read(json!("")), Some(0));
        for refused in [
            json!(-1),
            json!(1.5),
            json!(5_000_000_000_u64),
            json!("soon"),
            json!([1]),
        ] {
            assert_eq!(read(refused.clone()), None, "{refused}");
        }
    }

    #[test]
    fn conditions_are_shown_flat_and_as_written() {
        let spec = FilterSpec {
            body: Some(json!({"a": {"b": 1}})),
            ..FilterSpec::default()
        };
        let shown = serde_json::to_value(ScopesResponse::from(spec)).expect("plain data");
        assert_eq!(shown["body"], json!({"a.b": 1}));
        assert_eq!(shown["raw_body"], json!({"a": {"b": 1}}));
        assert_eq!(shown["raw_path"], json!({}));
    }
}
