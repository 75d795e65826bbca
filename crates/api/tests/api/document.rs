//! The OpenAPI document describes what is served, and names what SDKs look for.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::operations::{document, operations};

/// Operations that generated SDKs call, of the resources that exist.
const KNOWN: &str = "GetProjects CreateProject GetProject UpdateProject DeleteProject \
    GetEndpoints CreateEndpoint GetEndpoint UpdateEndpoint DeleteEndpoint ActivateEndpoint ExpireSecret PauseEndpoint \
    GetEventTypes CreateEventType ImportOpenApiSpec UpdateEventType DeprecateEventType \
    GetEventDeliveriesPaged BatchRetryEventDelivery ForceResendEventDeliveries GetEventDelivery ResendEventDelivery \
    GetDeliveryAttempts GetDeliveryAttempt \
    GetEventsPaged CreateEndpointEvent BatchReplayEvents CreateBroadcastEvent CountAffectedEvents \
    CreateEndpointFanoutEvent GetEndpointEvent ReplayEndpointEvent \
    GetSubscriptions CreateSubscription TestSubscriptionFilter GetSubscription UpdateSubscription DeleteSubscription \
    ToggleSubscriptionStatus GetFilters CreateFilter BulkCreateFilters BulkUpdateFilters TestFilter GetFilter \
    UpdateFilter DeleteFilter";

#[test]
fn every_operation_that_sdks_call_is_documented() {
    let found: BTreeSet<String> = operations().into_iter().map(|operation| operation.id).collect();
    let missing: Vec<&str> = KNOWN
        .split_whitespace()
        .filter(|id| !found.contains(*id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn no_two_operations_share_an_id() {
    let all = operations();
    let ids: BTreeSet<&str> = all.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(ids.len(), all.len());
}

#[test]
fn every_operation_is_explained_and_can_be_refused() {
    for operation in operations() {
        assert!(
            operation.body["summary"].is_string(),
            "{} has no summary",
            operation.id
        );
        assert_eq!(
            operation.body["tags"].as_array().map(Vec::len),
            Some(1),
            "{}",
            operation.id
        );
        for status in ["400", "401", "403"] {
            assert!(
                operation.body["responses"][status].is_object(),
                "{} cannot answer {status}",
                operation.id
            );
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let target = document.pointer(reference.trim_start_matches('#'));
        assert!(target.is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                references.push(reference.clone());
            }
            fields.values().for_each(|field| collect(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[test]
fn it_is_openapi_3_1_with_a_bearer_key() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["components"]["securitySchemes"]["apiKey"]["scheme"],
        "bearer"
    );
}
