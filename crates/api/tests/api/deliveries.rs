//! Deliveries and attempts as they stand in the tables, shown to callers.

use chrono::TimeDelta;
use domain::clock::to_millis;
use domain::event::EventKind;
use domain::id::{AttemptId, DeliveryId, EndpointId, EventId, ProjectId};
use domain::lifecycle::KeepDays;
use domain::state::{DeliveryState, EventState};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::db::hot::{Existing, Group, NewAttempt, NewDelivery, NewEvent, Standing};

use crate::harness::{World, assert_keys, read};

/// What was stored.
struct Stored {
    event: EventId,
    endpoint: EndpointId,
    failed: DeliveryId,
    sent: DeliveryId,
}

/// An event with one delivery that failed after two attempts and one that ended well.
async fn store(world: &World) -> Stored {
    let body = json!({"name": "shop", "url": "https://example.com/hook"});
    let made = world.send("POST", "/endpoints", &body).await;
    let endpoint: EndpointId = made.body["data"]["uid"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    let project = world.own.project;
    let now = to_millis(world.services.clock.now());
    let stored = Stored {
        event: EventId::at(now),
        endpoint,
        failed: DeliveryId::at(now),
        sent: DeliveryId::at(now),
    };
    let group = Group {
        events: vec![event(&stored, project)],
        deliveries: vec![
            delivery(&stored, project, stored.failed, None),
            delivery(&stored, project, stored.sent, Some(1_250)),
        ],
        attempts: vec![
            attempt(project, stored.failed, 1, None),
            attempt(project, stored.failed, 2, Some(503)),
            attempt(project, stored.sent, 1, Some(204)),
        ],
        ..Group::default()
    };
    testkit::db::hot::write(&world.services.db, &group, 0, Existing::Refuse)
        .await
        .expect("stored");
    stored
}

fn event(stored: &Stored, project_id: ProjectId) -> NewEvent<&'static str> {
    NewEvent {
        id: stored.event,
        keep_days: KeepDays::FOR_EVER,
        project_id,
        kind: EventKind::Single,
        state: EventState::Success,
        due_at: None,
        duplicate: false,
        endpoint_id: Some(stored.endpoint),
        source_id: None,
        event_type: "invoice.paid",
        payload: r#"{"amount":12.50}"#,
        headers: Some(r#"{"X-Trace":"t"}"#.to_owned()),
        owner_id: None,
        idempotency_key: Some("key-1"),
        failure_reason: None,
    }
}

/// A delivery that ended: well when it has a latency.
fn delivery(
    stored: &Stored,
    project_id: ProjectId,
    id: DeliveryId,
    latency_ms: Option<i32>,
) -> NewDelivery<&'static str> {
    let failed = latency_ms.is_none();
    NewDelivery {
        id,
        keep_days: KeepDays::FOR_EVER,
        project_id,
        event_id: stored.event,
        endpoint_id: stored.endpoint,
        subscription_id: None,
        event_type: "invoice.paid",
        standing: Standing {
            state: if failed {
                DeliveryState::Failure
            } else {
                DeliveryState::Success
            },
            due_at: None,
            ended_at: Some(id.instant() + TimeDelta::milliseconds(1_250)),
            latency_ms,
            attempts: if failed { 2 } else { 1 },
            last_status: Some(if failed { 503 } else { 204 }),
            description: failed.then(|| "Retry limit exceeded".to_owned()),
            retry: None,
        },
    }
}

fn attempt(project_id: ProjectId, delivery_id: DeliveryId, number: i16, status: Option<i16>) -> NewAttempt {
    let accepted_at = delivery_id.instant();
    NewAttempt {
        id: AttemptId::at(accepted_at),
        keep_days: KeepDays::FOR_EVER,
        project_id,
        delivery_id,
        number,
        requested_at: accepted_at + TimeDelta::seconds(number.into()),
        duration_us: 1_500,
        http_status: status,
        url: "https://example.com/hook".to_owned(),
        request_headers: "content-type: application/json\nx-convoy-signature: t=1,v1=a".to_owned(),
        response_headers: status.map(|_| "server: shop".to_owned()),
        response_body: status.map(|_| b"busy \xff".to_vec()),
        address: Some("203.0.113.7".to_owned()),
        error: status.is_none().then(|| "connection refused".to_owned()),
    }
}

#[tokio::test]
async fn a_delivery_has_every_key_of_the_replaced_gateway() {
    let world = World::start().await;
    let stored = store(&world).await;
    let answer = world.get(&format!("/eventdeliveries/{}", stored.sent)).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let data = &answer.body["data"];
    assert_keys(
        data,
        "uid project_id event_id endpoint_id device_id subscription_id headers target_url url_query_params \
         idempotency_key latency latency_seconds event_type delivery_mode endpoint_metadata event_metadata \
         source_metadata device_metadata status metadata cli_metadata description acknowledged_at created_at \
         updated_at deleted_at",
    );
    assert_keys(
        &data["metadata"],
        "data raw strategy next_send_time num_trials interval_seconds retry_limit max_retry_seconds",
    );
    assert_eq!(data["metadata"]["data"], json!({"amount": 12.5}));
    assert_eq!(data["metadata"]["raw"], r#"{"amount":12.50}"#);
    assert_eq!(data["metadata"]["num_trials"], 1);
    assert_eq!(
        (&data["latency"], &data["latency_seconds"]),
        (&json!("1s250ms"), &json!(1.25))
    );
    assert_eq!(data["headers"], json!({"X-Trace": ["t"]}));
    assert_eq!(data["idempotency_key"], "key-1");
    assert_eq!(data["status"], "Success");
    assert_eq!(data["target_url"], "https://example.com/hook");
    assert_eq!(data["endpoint_metadata"]["name"], "shop");
}

#[tokio::test]
async fn deliveries_are_found_by_event_endpoint_status_and_key() {
    let world = World::start().await;
    let stored = store(&world).await;
    let unknown = "01932b0c-0000-7000-8000-000000000001";
    for (query, expected) in [
        (String::new(), 2),
        (format!("eventId={}", stored.event), 2),
        (format!("endpointId={unknown}&endpointId={}", stored.endpoint), 2),
        (format!("endpointId={unknown}"), 0),
        ("status=Failure,Discarded".to_owned(), 1),
        ("event_type=invoice.paid".to_owned(), 2),
        ("eventType=other".to_owned(), 0),
        ("idempotencyKey=key-1".to_owned(), 2),
        (
            "endDate=2020-01-01T00:00:00&startDate=2019-01-01T00:00:00".to_owned(),
            0,
        ),
    ] {
        let answer = world.get(&format!("/eventdeliveries?{query}")).await;
        let found = answer.body["data"]["content"].as_array().map(Vec::len);
        assert_eq!(found, Some(expected), "{query}: {:?}", answer.body);
    }
    let totals = world.get("/eventdeliveries/statustotals").await;
    assert_eq!(totals.body["data"]["totals"]["Failure"], 1);
    let counted = world
        .get("/eventdeliveries/countbatchretryevents?status=Success")
        .await;
    assert_eq!(counted.body["data"], json!({"num": 1}));
}

#[tokio::test]
async fn attempts_are_shown_oldest_first_with_request_and_answer() {
    let world = World::start().await;
    let stored = store(&world).await;
    let path = format!("/eventdeliveries/{}/deliveryattempts", stored.failed);
    let listed = world.get(&path).await;
    let attempts = listed.body["data"].as_array().expect("a plain list").clone();
    assert_eq!(attempts.len(), 2);
    assert_keys(
        &attempts[0],
        "uid url method endpoint_id api_version project_id msg_id ip_address request_http_header \
         response_http_header http_status response_data error status requested_at responded_at created_at \
         updated_at deleted_at",
    );
    assert_eq!(
        (&attempts[0]["http_status"], &attempts[0]["error"]),
        (&json!(""), &json!("connection refused"))
    );
    assert_eq!(attempts[1]["http_status"], "503 Service Unavailable");
    assert_eq!(attempts[1]["response_data"], "busy \u{fffd}");
    assert_eq!(
        attempts[1]["request_http_header"]["content-type"],
        "application/json"
    );
    assert_eq!(
        (&attempts[1]["status"], &attempts[1]["msg_id"]),
        (&json!(false), &json!(stored.failed.to_string()))
    );
    let newest = world.get(&format!("{path}?perPage=1")).await;
    assert_eq!(newest.body["data"], Value::Array(vec![attempts[1].clone()]));
    let one = world
        .get(&format!("{path}/{}", attempts[0]["uid"].as_str().expect("an id")))
        .await;
    assert_eq!(one.body["data"], attempts[0]);
    let of_another = world
        .get(&format!(
            "/eventdeliveries/{}/deliveryattempts/{}",
            stored.sent,
            attempts[0]["uid"].as_str().expect("an id")
        ))
        .await;
    assert_eq!(of_another.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn failed_deliveries_are_sent_again_and_delivered_ones_only_by_force() {
    let world = World::start().await;
    let stored = store(&world).await;
    let refused = world
        .send(
            "PUT",
            &format!("/eventdeliveries/{}/resend", stored.sent),
            &json!({}),
        )
        .await;
    assert_eq!(
        (refused.status, refused.message()),
        (StatusCode::BAD_REQUEST, "event already sent")
    );
    let again = world
        .send(
            "PUT",
            &format!("/eventdeliveries/{}/resend", stored.failed),
            &json!({}),
        )
        .await;
    assert_eq!(again.status, StatusCode::OK, "{:?}", again.body);
    assert_eq!(again.body["data"]["status"], "Scheduled");
    assert!(again.body["data"]["metadata"]["next_send_time"].is_string());
    let ids = json!({"ids": [stored.sent.to_string(), stored.failed.to_string()]});
    let forced = world.send("POST", "/eventdeliveries/forceresend", &ids).await;
    assert_eq!(forced.message(), "1 successful, 1 failed", "{:?}", forced.body);
}

#[tokio::test]
async fn another_projects_deliveries_do_not_exist_for_a_caller() {
    let world = World::start().await;
    let stored = store(&world).await;
    let project = world.other.project;
    for path in [
        format!("events/{}", stored.event),
        format!("eventdeliveries/{}", stored.sent),
        format!("eventdeliveries/{}/deliveryattempts", stored.sent),
        format!("endpoints/{}", stored.endpoint),
    ] {
        let request = world.anonymous("GET", &format!("/api/v1/projects/{project}/{path}"));
        let answer = read(request.bearer_auth(&world.other.key)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {:?}", answer.body);
    }
}

#[tokio::test]
async fn a_payload_that_postgresql_cannot_read_as_json_does_not_break_the_search() {
    let world = World::start().await;
    for data in [
        r#""\u0000""#,
        r#"{"n":1e999999}"#,
        r#""\ud800""#,
        r#"{"city":"Oslo"}"#,
    ] {
        let body = format!(r#"{{"event_type":"a","data":{data}}}"#);
        let request = world
            .request("POST", "/events/broadcast")
            .header("content-type", "application/json");
        let answer = read(request.body(body)).await;
        assert!(!answer.status.is_server_error(), "{data}: {:?}", answer.body);
    }
    let found = world.get("/events?body=%7B%22city%22%3A%22Oslo%22%7D").await;
    assert_eq!(found.status, StatusCode::OK, "{:?}", found.body);
    assert_eq!(found.body["data"]["content"].as_array().map(Vec::len), Some(1));
}
