//! Reads the `webhooks` section of an OpenAPI document, version 3.1 or later.
//!
//! ```yaml
//! webhooks:
//!   invoice.paid:
//!     post:
//!       summary: An invoice was paid
//!       tags: [Billing]
//!       requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Invoice"}}}}
//! ```
//!
//! A schema that refers to others is stored with those it needs, so that it can be read by itself.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::NewEventType;

/// Largest document, in bytes.
const MAX_SPEC: usize = 2 * 1024 * 1024;
/// Most webhooks of one document.
const MAX_WEBHOOKS: usize = 500;
/// Most references that are followed one after the other to find a part of the document.
const MAX_HOPS: usize = 8;
/// Where documents keep shared schemas.
const SCHEMAS: &str = "#/components/schemas/";
/// What a webhook may be called with, the usual one first.
const METHODS: [&str; 5] = ["post", "put", "patch", "get", "delete"];

/// The webhooks of a document as event types, or what is wrong with it.
pub(super) fn webhooks(spec: &str) -> Result<Vec<NewEventType>, String> {
    if spec.trim().is_empty() {
        return Err("is required".to_owned());
    }
    if spec.len() > MAX_SPEC {
        return Err(format!("must be at most {MAX_SPEC} bytes"));
    }
    let document = parse(spec)?;
    let webhooks = document
        .get("webhooks")
        .and_then(Value::as_object)
        .filter(|webhooks| !webhooks.is_empty())
        .ok_or("has no `webhooks` section")?;
    if webhooks.len() > MAX_WEBHOOKS {
        return Err(format!("must have at most {MAX_WEBHOOKS} webhooks"));
    }
    Ok(webhooks
        .iter()
        .map(|(name, item)| read(&document, name, item))
        .collect())
}

fn parse(spec: &str) -> Result<Value, String> {
    if spec.trim_start().starts_with('{') {
        return serde_json::from_str(spec).map_err(|error| format!("is not JSON: {error}"));
    }
    serde_saphyr::from_str(spec).map_err(|error| {
        let reason: String = error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect();
        format!("is not YAML: {reason}")
    })
}

fn read(document: &Value, name: &str, item: &Value) -> NewEventType {
    let item = follow(document, item);
    let operation = METHODS
        .iter()
        .find_map(|method| item.get(method))
        .unwrap_or(&Value::Null);
    let text = |key: &str| {
        operation
            .get(key)
            .or_else(|| item.get(key))
            .and_then(Value::as_str)
    };
    let category = operation
        .get("tags")
        .and_then(|tags| tags.get(0))
        .and_then(Value::as_str);
    let content = operation
        .get("requestBody")
        .map(|body| follow(document, body))
        .and_then(|b| b.get("content"));
    let schema = content
        .and_then(|content| {
            content
                .get("application/json")
                .or_else(|| content.as_object()?.values().next())
        })
        .and_then(|media| media.get("schema"));
    NewEventType {
        name: name.to_owned(),
        category: category.unwrap_or_default().to_owned(),
        description: text("description")
            .or_else(|| text("summary"))
            .unwrap_or_default()
            .to_owned(),
        json_schema: schema.map(|schema| self_contained(document, schema)),
    }
}

/// The part of the document that `part` refers to, or `part` itself.
fn follow<'a>(document: &'a Value, mut part: &'a Value) -> &'a Value {
    for _ in 0..MAX_HOPS {
        let target = part
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix('#'))
            .and_then(|pointer| document.pointer(pointer));
        match target {
            Some(target) => part = target,
            None => return part,
        }
    }
    part
}

/// The schema with all shared schemas that it needs, directly or through others.
fn self_contained(document: &Value, schema: &Value) -> Value {
    let mut wanted = BTreeSet::new();
    let mut open = vec![schema];
    let mut shared = Map::new();
    while let Some(part) = open.pop() {
        let mut found = Vec::new();
        references(part, &mut found);
        for name in found {
            if !wanted.insert(name) {
                continue;
            }
            if let Some(target) = document.pointer(&format!("/components/schemas/{name}")) {
                shared.insert(name.replace("~1", "/").replace("~0", "~"), target.clone());
                open.push(target);
            }
        }
    }
    let mut schema = schema.clone();
    if let Some(entries) = schema.as_object_mut()
        && !shared.is_empty()
    {
        entries.insert("components".to_owned(), json!({"schemas": shared}));
    }
    schema
}

/// Names of the shared schemas that `part` refers to itself.
fn references<'a>(part: &'a Value, found: &mut Vec<&'a str>) {
    match part {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(target) if key == "$ref" => found.extend(target.strip_prefix(SCHEMAS)),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = r##"
openapi: 3.1.0
info: {title: Shop, version: "1"}
webhooks:
  invoice.paid:
    post:
      summary: An invoice was paid
      tags: [Billing, Money]
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Invoice"}
  user.created:
    $ref: "#/components/pathItems/UserCreated"
components:
  pathItems:
    UserCreated:
      post: {description: Somebody came}
  schemas:
    Invoice:
      type: object
      properties: {lines: {type: array, items: {$ref: "#/components/schemas/Line"}}}
    Line: {type: object, properties: {part_of: {$ref: "#/components/schemas/Invoice"}}}
    Unused: {type: string}
"##;

    #[test]
    fn webhooks_become_event_types_with_schemas_that_stand_alone() {
        let found = webhooks(SPEC).expect("reads");
        assert_eq!(found.len(), 2);
        let paid = found.iter().find(|t| t.name == "invoice.paid").expect("there");
        assert_eq!(
            (paid.category.as_str(), paid.description.as_str()),
            ("Billing", "An invoice was paid")
        );
        let schema = paid.json_schema.as_ref().expect("has one");
        assert_eq!(schema["$ref"], "#/components/schemas/Invoice");
        let shared = schema["components"]["schemas"].as_object().expect("object");
        assert_eq!(shared.keys().collect::<Vec<_>>(), ["Invoice", "Line"]);
        let user = found.iter().find(|t| t.name == "user.created").expect("there");
        assert_eq!(user.description, "Somebody came");
        assert!(user.json_schema.is_none());
    }

    #[test]
    fn json_is_read_as_well_and_what_has_no_webhooks_is_refused() {
        let json = r#"{"openapi": "3.1.0", "webhooks": {"a.b": {"post": {"summary": "x"}}}}"#;
        assert_eq!(webhooks(json).expect("reads")[0].name, "a.b");
        for bad in ["", "{", "openapi: 3.1.0", "[1, 2", "webhooks: 5", "\u{0}"] {
            assert!(webhooks(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn references_in_a_circle_end() {
        let spec = r##"{"webhooks": {"a": {"$ref": "#/webhooks/a"}}}"##;
        assert_eq!(webhooks(spec).expect("reads").len(), 1);
    }
}
