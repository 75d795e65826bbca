//! Erasures on the wire.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{World, assert_keys};

#[tokio::test]
async fn an_erasure_is_asked_for_listed_and_shown_without_the_value() {
    let world = World::start().await;
    let wanted = json!({"pointer": "/customer/mail", "value": "zoltan@example.com", "reason": "letter 7"});
    let preview = world.send("POST", "/erasures/preview", &wanted).await;
    assert_eq!(preview.status, StatusCode::OK, "{preview:?}");
    assert_keys(&preview.body["data"], "events held_events segments size_bytes");
    let asked = world.send("POST", "/erasures", &wanted).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{asked:?}");
    let data = &asked.body["data"];
    assert_keys(
        data,
        "uid what event_ids pointer reason requested_by requested_at state blocked_by receipt ledger_key done_at",
    );
    assert_eq!(
        (&data["what"], &data["pointer"]),
        (&json!("value"), &json!("/customer/mail"))
    );
    assert_keys(
        &data["receipt"],
        "events deliveries attempts held_events segments_read archived_rows versions_removed segments",
    );
    let shown = world
        .get(&format!("/erasures/{}", data["uid"].as_str().expect("an id")))
        .await;
    let listed = world.get("/erasures").await;
    for answer in [&asked, &shown, &listed] {
        assert!(!answer.body.to_string().contains("zoltan"), "{answer:?}");
    }
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_cannot_be_erased_is_refused_by_field() {
    let world = World::start().await;
    for (body, field) in [
        (json!({}), "event_ids:say either"),
        (
            json!({"subject": "a", "pointer": "/a", "value": "b"}),
            "event_ids:say either",
        ),
        (
            json!({"subject": "a"}),
            "subject:cannot be looked for: set subject_pointer",
        ),
        (
            json!({"pointer": "a", "value": "b"}),
            "pointer:must begin with a slash",
        ),
        (json!({"pointer": "/a", "value": ""}), "value:is required"),
        (
            json!({"event_ids": ["00000000-0000-0000-0000-000000000000"]}),
            "event_ids:must be ids of events",
        ),
    ] {
        let answer = world.send("POST", "/erasures", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(
            answer.message().starts_with(field),
            "{body}: {}",
            answer.message()
        );
    }
    let pointed = world
        .send(
            "PUT",
            "/",
            &json!({"name": "own", "config": {"subject_pointer": "customer"}}),
        )
        .await;
    assert!(pointed.message().contains("subject_pointer"), "{pointed:?}");
    let missing = world.get("/erasures/00000000-0000-0000-0000-000000000000").await;
    assert_eq!(
        (missing.status, &missing.body["data"]),
        (StatusCode::NOT_FOUND, &Value::Null)
    );
}
