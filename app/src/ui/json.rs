//! JSON in the order in which it was received.
//!
//! `serde_json::Value` sorts keys unless a feature changes it for the whole program, and a payload
//! should look on the page as its sender wrote it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// A JSON value whose objects keep their keys as they came, repeated ones too.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// Keys with their values.
    Object(Vec<(String, Json)>),
    /// Items.
    Array(Vec<Json>),
    /// A text, a number, a truth value or null.
    Leaf(Value),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Leaf(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            list.push(entry);
        }
        Ok(Json::Object(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_in_which_they_came() {
        let text = r#"{"z": 1, "a": {"y": null, "b": [true, -2.5, "x"]}, "m": {}}"#;
        let leaf = |value: serde_json::Value| Json::Leaf(value);
        let inner = Json::Object(vec![
            ("y".to_owned(), leaf(Value::Null)),
            (
                "b".to_owned(),
                Json::Array(vec![leaf(true.into()), leaf((-2.5).into()), leaf("x".into())]),
            ),
        ]);
        let want = Json::Object(vec![
            ("z".to_owned(), leaf(1.into())),
            ("a".to_owned(), inner),
            ("m".to_owned(), Json::Object(Vec::new())),
        ]);
        assert_eq!(serde_json::from_str::<Json>(text).expect("JSON"), want);
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert!(serde_json::from_str::<Json>(&"[".repeat(100_000)).is_err());
    }
}
