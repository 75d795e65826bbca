//! Erasures: which values go, and what stands in their place.
//!
//! - An event that goes as a whole keeps its id, type, times and state. Its payload becomes
//!   `{"erased":"<erasure>"}`; headers, owner and idempotency key are cleared.
//! - A single value becomes `null`; the rest of the payload keeps every byte.
//!
//! Both can be done again without another effect: what was erased is not found any more.
//!
//! Values are compared as text: `4711` finds the number and the text. Every occurrence counts, also of
//! a key that stands in an object twice.

use std::fmt;
use std::ops::Range;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::id::{ErasureId, EventId};

/// Most event ids of one erasure.
pub const MAX_EVENTS: usize = 1_000;
/// Longest pointer in bytes.
pub const MAX_POINTER: usize = 512;
/// Longest value in bytes.
pub const MAX_VALUE: usize = 1_024;

const MARK_OPENING: &str = "{\"erased\":\"";
const MARK_CLOSING: &str = "\"}";

/// What goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Target {
    /// These events as a whole.
    Events {
        /// Their ids.
        ids: Vec<EventId>,
    },
    /// Every event of a person as a whole: those with the value where the project says that persons
    /// stand.
    Subject {
        /// Where they stood when the erasure was asked for, as a JSON pointer.
        pointer: String,
        /// The person.
        value: String,
    },
    /// One value wherever it stands at the pointer.
    Value {
        /// Where, as a JSON pointer.
        pointer: String,
        /// The value.
        value: String,
    },
}

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It goes as a whole: payload, headers, owner and idempotency key.
    Whole,
    /// Its payload becomes this one.
    Payload(String),
}

impl Target {
    /// What the target is called in storage and on pages.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Events { .. } => "events",
            Self::Subject { .. } => "subject",
            Self::Value { .. } => "value",
        }
    }

    /// The ids, of a target that names events.
    pub fn ids(&self) -> Option<&[EventId]> {
        match self {
            Self::Events { ids } => Some(ids),
            Self::Subject { .. } | Self::Value { .. } => None,
        }
    }

    /// The value that is looked for, of a target that names one.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Events { .. } => None,
            Self::Subject { value, .. } | Self::Value { value, .. } => Some(value),
        }
    }

    /// Whether events go as a whole.
    pub fn is_whole(&self) -> bool {
        !matches!(self, Self::Value { .. })
    }

    /// The same target with another value in place of its own.
    ///
    /// # Errors
    /// That of `change`.
    pub fn try_with_value<E>(&self, change: impl FnOnce(&str) -> Result<String, E>) -> Result<Self, E> {
        let mut target = self.clone();
        if let Self::Subject { value, .. } | Self::Value { value, .. } = &mut target {
            *value = change(value)?;
        }
        Ok(target)
    }

    /// Whether text may contain what is looked for: `false` is certain. Cheap, and never wrong for the
    /// text of several events.
    ///
    /// A value stands in JSON as it is, or with a backslash somewhere.
    pub fn may_stand_in(&self, text: &str) -> bool {
        self.value()
            .is_none_or(|value| text.contains(value) || text.contains('\\'))
    }

    /// What becomes of an event; `None` when the target does not mean it.
    pub fn edit(&self, event: EventId, payload: &str) -> Option<Edit> {
        match self {
            Self::Events { ids } => ids.contains(&event).then_some(Edit::Whole),
            Self::Subject { pointer, value } => {
                (!occurrences(payload, pointer, value).is_empty()).then_some(Edit::Whole)
            }
            Self::Value { pointer, value } => {
                let found = occurrences(payload, pointer, value);
                (!found.is_empty()).then(|| Edit::Payload(nulled(payload, &found)))
            }
        }
    }
}

/// The payload of an event that went as a whole.
pub fn mark(erasure: ErasureId) -> String {
    format!("{MARK_OPENING}{erasure}{MARK_CLOSING}")
}

/// The erasure that a payload went with, if it is such a mark.
pub fn erased_by(payload: &str) -> Option<ErasureId> {
    payload
        .strip_prefix(MARK_OPENING)?
        .strip_suffix(MARK_CLOSING)?
        .parse()
        .ok()
}

/// What is wrong with a JSON pointer, as a sentence part.
///
/// # Errors
/// Says what to change.
pub fn check_pointer(pointer: &str) -> Result<(), &'static str> {
    if !pointer.starts_with('/') {
        return Err("must begin with a slash, as in /customer/id");
    }
    if pointer.len() > MAX_POINTER {
        return Err("must not be longer than 512 bytes");
    }
    let mut rest = pointer;
    while let Some((_, after)) = rest.split_once('~') {
        if !after.starts_with(['0', '1']) {
            return Err("must write ~ as ~0 and / within a name as ~1");
        }
        rest = after;
    }
    Ok(())
}

/// The places at `pointer` where `value` stands, in order.
fn occurrences(payload: &str, pointer: &str, value: &str) -> Vec<Range<usize>> {
    let tokens: Vec<String> = pointer
        .split('/')
        .skip(1)
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect();
    let mut found = Vec::new();
    if let Ok(whole) = serde_json::from_str::<&RawValue>(payload) {
        walk(whole.get(), &tokens, &mut found);
    }
    let begin = payload.as_ptr() as usize;
    found
        .into_iter()
        .filter(|raw| is_value(raw, value))
        .map(|raw| {
            let start = raw.as_ptr() as usize - begin;
            start..start + raw.len()
        })
        .collect()
}

/// Collects what stands at the tokens below `raw`, a JSON text without white space around it.
fn walk<'a>(raw: &'a str, tokens: &[String], found: &mut Vec<&'a str>) {
    let Some((token, rest)) = tokens.split_first() else {
        found.push(raw);
        return;
    };
    if raw.starts_with('{') {
        let members = serde_json::from_str::<Members<'_>>(raw).map(|members| members.0);
        for (key, value) in members.unwrap_or_default() {
            if key.0 == token.as_bytes() {
                walk(value.get(), rest, found);
            }
        }
    } else if raw.starts_with('[') {
        let elements = serde_json::from_str::<Elements<'_>>(raw).map(|elements| elements.0);
        let at = token.parse::<usize>().ok().filter(|at| at.to_string() == *token);
        let element = at.and_then(|at| elements.ok()?.get(at).copied());
        if let Some(element) = element {
            walk(element.get(), rest, found);
        }
    }
}

/// Whether a JSON value is `value`: as text, or as it stands there.
fn is_value(raw: &str, value: &str) -> bool {
    if raw.starts_with('"') {
        serde_json::from_str::<Text>(raw).is_ok_and(|text| text.0 == value.as_bytes())
    } else {
        raw == value
    }
}

/// The payload with `null` in place of these parts.
fn nulled(payload: &str, parts: &[Range<usize>]) -> String {
    let mut text = String::with_capacity(payload.len());
    let mut at = 0;
    for part in parts {
        text.push_str(&payload[at..part.start]);
        text.push_str("null");
        at = part.end;
    }
    text.push_str(&payload[at..]);
    text
}

/// What becomes of a member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// It stays as it is.
    Keep,
    /// It goes.
    Drop,
    /// Its value becomes this JSON text.
    Become(String),
}

/// A JSON object with some members left out or changed; the others keep every byte of their values.
///
/// # Errors
/// When `json` is not an object.
pub fn rebuild(
    json: &str,
    mut change: impl FnMut(&str, &str) -> Member,
) -> Result<String, serde_json::Error> {
    let members: Members<'_> = serde_json::from_str(json)?;
    let mut text = String::with_capacity(json.len());
    for (key, value) in members.0 {
        let key = String::from_utf8_lossy(&key.0);
        let changed = match change(&key, value.get()) {
            Member::Drop => continue,
            Member::Keep => None,
            Member::Become(json) => Some(json),
        };
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(&serde_json::to_string(&*key)?);
        text.push(':');
        text.push_str(changed.as_deref().unwrap_or(value.get()));
    }
    if text.is_empty() {
        text.push('{');
    }
    text.push('}');
    Ok(text)
}

/// A JSON text as bytes: also one with halves of surrogate pairs, which no `str` can hold.
struct Text(Vec<u8>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text(bytes.to_vec()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.as_bytes().to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// Every member of an object in order, doubles included.
struct Members<'a>(Vec<(Text, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// Every element of an array.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Elements<'de>, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(All)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const EVENT: EventId = EventId(Uuid::from_u128(7));

    fn value(pointer: &str, value: &str) -> Target {
        Target::Value {
            pointer: pointer.to_owned(),
            value: value.to_owned(),
        }
    }

    fn after(target: &Target, payload: &str) -> Option<String> {
        match target.edit(EVENT, payload)? {
            Edit::Payload(payload) => Some(payload),
            Edit::Whole => panic!("a value goes alone"),
        }
    }

    #[test]
    fn a_value_becomes_null_and_all_else_keeps_its_bytes() {
        for (pointer, wanted, before, expected) in [
            (
                "/a",
                "x",
                r#" { "a" : "x" , "n": 1.50 } "#,
                r#" { "a" : null , "n": 1.50 } "#,
            ),
            (
                "/a/1/b",
                "4711",
                r#"{"a":[0,{"b":4711}]}"#,
                r#"{"a":[0,{"b":null}]}"#,
            ),
            ("/a", "4711", r#"{"a":"4711"}"#, r#"{"a":null}"#),
            ("/a", "é", r#"{"a":"\u00e9"}"#, r#"{"a":null}"#),
            ("/a~1b/~0", "t", r#"{"a/b":{"~":"t"}}"#, r#"{"a/b":{"~":null}}"#),
            (
                "/a",
                "x",
                r#"{"a":"x","a":"y","a":"x"}"#,
                r#"{"a":null,"a":"y","a":null}"#,
            ),
            ("/\u{e9}", "x", r#"{"\u00e9":"x"}"#, r#"{"é":null}"#),
            ("/a", "true", r#"{"a":true}"#, r#"{"a":null}"#),
            ("/a", "x", r#"{"\ud800":1,"a":"x"}"#, r#"{"\ud800":1,"a":null}"#),
        ] {
            let expected = expected.replace('é', "\\u00e9");
            assert_eq!(
                after(&value(pointer, wanted), before).as_deref(),
                Some(&*expected),
                "{before}"
            );
            assert!(value(pointer, wanted).may_stand_in(before), "{before}");
            assert_eq!(after(&value(pointer, wanted), &expected), None, "twice: {before}");
        }
    }

    #[test]
    fn what_stands_elsewhere_or_is_something_else_stays() {
        for (pointer, wanted, payload) in [
            ("/a", "x", r#"{"b":"x"}"#),
            ("/a", "x", r#"{"a":"xy"}"#),
            ("/a", "x", r#"{"a":{"a":"x"}}"#),
            ("/0", "x", r#"{"a":"x"}"#),
            ("/01", "x", r#"["y","x"]"#),
            ("/-", "x", r#"["x"]"#),
            ("/a", "x", "\"x\""),
            ("/a", "x", "not json"),
        ] {
            assert_eq!(value(pointer, wanted).edit(EVENT, payload), None, "{payload}");
        }
    }

    #[test]
    fn an_event_goes_as_a_whole_by_id_and_by_subject() {
        let by_id = Target::Events { ids: vec![EVENT] };
        assert_eq!(by_id.edit(EVENT, "{}"), Some(Edit::Whole));
        assert_eq!(by_id.edit(EventId(Uuid::nil()), "{}"), None);
        let subject = Target::Subject {
            pointer: "/customer/id".to_owned(),
            value: "4711".to_owned(),
        };
        assert_eq!(
            subject.edit(EVENT, r#"{"customer":{"id":4711}}"#),
            Some(Edit::Whole)
        );
        let marked = mark(ErasureId(Uuid::from_u128(9)));
        assert_eq!(subject.edit(EVENT, &marked), None);
        assert_eq!(erased_by(&marked), Some(ErasureId(Uuid::from_u128(9))));
        assert_eq!(erased_by(r#"{"erased":"no"}"#), None);
    }

    #[test]
    fn pointers_that_lead_nowhere_are_refused() {
        assert!(check_pointer("/customer/id").is_ok() && check_pointer("/a~1b~0").is_ok());
        for pointer in ["", "customer", "/a~2", "/a~"] {
            assert!(check_pointer(pointer).is_err(), "{pointer}");
        }
    }

    #[test]
    fn an_object_is_rebuilt_without_touching_other_members() {
        let json = r#"{"uid":"1","x":[ 1, 2 ],"gone":"y","data":{"a":1}}"#;
        let rebuilt = rebuild(json, |key, _| match key {
            "gone" => Member::Drop,
            "data" => Member::Become("null".to_owned()),
            _ => Member::Keep,
        });
        assert_eq!(
            rebuilt.expect("an object"),
            r#"{"uid":"1","x":[ 1, 2 ],"data":null}"#
        );
        assert_eq!(rebuild(json, |_, _| Member::Keep).expect("an object"), json);
        assert!(rebuild("[1]", |_, _| Member::Keep).is_err());
    }
}
