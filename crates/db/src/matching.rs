//! The filters of lists, tested on rows that did not come out of PostgreSQL. Each says what the
//! statement of its list says.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::deliveries::{Delivery, DeliveryFilter};
use crate::events::{Event, EventFilter};

impl EventFilter {
    /// Whether a list with this filter shows `event`, which must have its payload. Whether it was
    /// sent to one of the endpoints stands with its deliveries: see [`Self::asks_for`].
    pub fn matches(&self, event: &Event) -> bool {
        within(event.accepted_at, self.from, self.to)
            && self
                .event_type
                .as_ref()
                .is_none_or(|wanted| event.event_type == *wanted)
            && is_one_of(&self.sources, event.source_id.as_ref())
            && has(self.owner_id.as_ref(), event.owner_id.as_ref())
            && has(self.idempotency_key.as_ref(), event.idempotency_key.as_ref())
            && is_one_of(&self.states, Some(&event.state))
            && self
                .query
                .as_deref()
                .is_none_or(|text| text.is_empty() || is_found(text, event))
            && self
                .body
                .as_ref()
                .is_none_or(|wanted| payload_contains(&event.payload, wanted))
    }

    /// Whether the event itself names one of the endpoints. When it does not, it is shown if one of
    /// its deliveries went there.
    pub fn asks_for(&self, event: &Event) -> bool {
        is_one_of(&self.endpoints, event.endpoint_id.as_ref())
    }
}

impl DeliveryFilter {
    /// Whether a list with this filter shows `delivery`. The idempotency key stands with its event.
    pub fn matches(&self, delivery: &Delivery) -> bool {
        within(delivery.accepted_at, self.from, self.to)
            && is_one_of(&self.ids, Some(&delivery.id))
            && is_one_of(&self.endpoints, Some(&delivery.endpoint_id))
            && self.event_id.is_none_or(|wanted| delivery.event_id == wanted)
            && has(self.subscription_id.as_ref(), delivery.subscription_id.as_ref())
            && self
                .event_type
                .as_ref()
                .is_none_or(|wanted| delivery.event_type == *wanted)
            && is_one_of(&self.states, Some(&delivery.state))
    }
}

fn within(at: DateTime<Utc>, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> bool {
    from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to)
}

/// An empty list wants anything.
fn is_one_of<T: PartialEq>(wanted: &[T], found: Option<&T>) -> bool {
    wanted.is_empty() || found.is_some_and(|found| wanted.contains(found))
}

fn has<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
    wanted.is_none_or(|wanted| found == Some(wanted))
}

fn is_found(text: &str, event: &Event) -> bool {
    let start = text.to_lowercase().replace(['%', '_', '\\'], "");
    event.id.to_string().starts_with(&start)
        || contains(&event.event_type, text)
        || event
            .idempotency_key
            .as_ref()
            .is_some_and(|key| contains(key, text))
        || contains(&event.payload, text)
}

/// Whether `text` stands in `hay`, in capitals or not.
fn contains(hay: &str, text: &str) -> bool {
    if !text.is_ascii() {
        return hay.to_lowercase().contains(&text.to_lowercase());
    }
    let text = text.as_bytes();
    let Some(first) = text.first() else {
        return true;
    };
    // Without copying a payload of some megabytes.
    let starts = |at: &[u8]| at[0].eq_ignore_ascii_case(first) && at.eq_ignore_ascii_case(text);
    hay.as_bytes().windows(text.len()).any(starts)
}

/// `payload_contains` of the schema: `false` also for a payload that PostgreSQL cannot take apart.
fn payload_contains(payload: &str, wanted: &Value) -> bool {
    serde_json::from_str(payload).is_ok_and(|payload: Value| holds(&payload, wanted))
}

/// PostgreSQL's `@>`: every part of `wanted` is somewhere in `value`.
fn holds(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(value), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| value.get(name).is_some_and(|value| holds(value, wanted))),
        (Value::Array(value), Value::Array(wanted)) => wanted
            .iter()
            .all(|wanted| value.iter().any(|value| holds(value, wanted))),
        // 1 and 1.0 are the same; whole numbers are not compared as fractions, which are less exact.
        (Value::Number(value), Value::Number(wanted)) if value.is_f64() || wanted.is_f64() => {
            value.as_f64() == wanted.as_f64()
        }
        (value, wanted) => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payload_contains_what_is_in_it_somewhere() {
        let payload = r#"{"a":{"b":1.0,"c":[1,{"d":2,"e":3},[4]]},"f":null,"g":"x"}"#;
        for wanted in [
            json!({"a": {"b": 1}}),
            json!({"a": {"c": [{"d": 2}]}}),
            json!({"a": {"c": [[4], 1]}}),
            json!({"a": {"c": []}, "f": null}),
            json!({"g": "x"}),
        ] {
            assert!(payload_contains(payload, &wanted), "{wanted}");
        }
        for wanted in [
            json!({"a": {"b": 2}}),
            json!({"a": {"c": [4]}}),
            json!({"a": {"c": {"d": 2}}}),
            json!({"f": false}),
            json!({"g": "X"}),
            json!({"h": null}),
        ] {
            assert!(!payload_contains(payload, &wanted), "{wanted}");
        }
        assert!(!payload_contains("{", &json!({"a": 1})));
    }

    #[test]
    fn text_is_found_in_capitals_or_not() {
        assert!(contains("Order.Created", "r.cr"));
        assert!(contains("x%_\\y", "%_\\"));
        assert!(contains("ÄRGER", "ärg"));
        assert!(!contains("abc", "abcd"));
        assert!(!contains("abc", "b%c"));
    }
}
