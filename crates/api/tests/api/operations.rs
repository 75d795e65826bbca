//! The routes, read from the OpenAPI document so that none can be forgotten.

use serde_json::Value;

/// One documented route.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    /// With its places in braces.
    pub(crate) path: String,
    pub(crate) body: Value,
}

pub(crate) fn document() -> Value {
    serde_json::from_slice(&api::openapi::text()).expect("a JSON document")
}

pub(crate) fn operations() -> Vec<Operation> {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (path, item) in paths {
        for method in ["get", "post", "put", "delete", "patch"] {
            if let Some(body) = item.get(method) {
                operations.push(Operation {
                    id: body["operationId"].as_str().expect("an id").to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    body: body.clone(),
                });
            }
        }
    }
    assert!(operations.len() > 50);
    operations
}

impl Operation {
    /// The path with `project` in its place and fresh ids in all others.
    pub(crate) fn path_in(&self, project: &str) -> String {
        let fill = |part: &str| match part {
            "{projectID}" => project.to_owned(),
            "{eventType}" => "invoice.paid".to_owned(),
            place if place.starts_with('{') => "01932b0c-0000-7000-8000-000000000001".to_owned(),
            plain => plain.to_owned(),
        };
        self.path.split('/').map(fill).collect::<Vec<_>>().join("/")
    }
}
