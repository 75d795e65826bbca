//! What SDKs send is understood, and what they get has the shape they know.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{World, assert_keys, keys, read};

async fn endpoint(world: &World, owner: &str) -> String {
    let body = json!({"name": "shop", "url": "https://example.com/hook", "owner_id": owner});
    let made = world.send("POST", "/endpoints", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    made.body["data"]["uid"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn an_endpoint_has_every_key_of_the_replaced_gateway() {
    let world = World::start().await;
    let uid = endpoint(&world, "o-1").await;
    let answer = world.get(&format!("/endpoints/{uid}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["status"], true);
    assert_keys(
        &answer.body["data"],
        "uid project_id name url description owner_id status secrets content_type http_timeout rate_limit \
         rate_limit_duration advanced_signatures support_email slack_webhook_url teams_webhook_url authentication \
         mtls_client_cert events failure_rate cb_state period_failure_rate success_count failure_count retry_count \
         created_at updated_at deleted_at",
    );
    assert_keys(
        &answer.body["data"]["secrets"][0],
        "uid value expires_at created_at updated_at deleted_at",
    );
    assert_eq!(answer.body["data"]["status"], "active");
    assert_eq!(answer.body["data"]["deleted_at"], Value::Null);
}

#[tokio::test]
async fn callers_pinned_to_an_old_version_see_titles_and_text_durations() {
    let world = World::start().await;
    let body = json!({"title": "old", "target_url": "https://example.com", "http_timeout": "30s", "rate_limit": 5, "rate_limit_duration": "1m"});
    let request = world
        .request("POST", "/endpoints")
        .header("x-convoy-version", "0001-01-01")
        .json(&body);
    let made = read(request).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let data = &made.body["data"];
    assert_eq!(
        (&data["title"], &data["target_url"]),
        (&json!("old"), &json!("https://example.com"))
    );
    assert_eq!(
        (&data["http_timeout"], &data["rate_limit_duration"]),
        (&json!("30s"), &json!("1m"))
    );
    assert_eq!(data["advanced_signatures"], false);
    assert!(data.get("name").is_none());
    let now = world
        .get(&format!("/endpoints/{}", data["uid"].as_str().expect("an id")))
        .await;
    assert_eq!(
        (&now.body["data"]["name"], &now.body["data"]["http_timeout"]),
        (&json!("old"), &json!(30))
    );
}

#[tokio::test]
async fn an_update_leaves_what_it_does_not_mention_and_null_clears() {
    let world = World::start().await;
    let uid = endpoint(&world, "o-1").await;
    let path = format!("/endpoints/{uid}");
    let secret = json!({"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "hidden"}});
    let set = world
        .send(
            "PUT",
            &path,
            &json!({"http_timeout": 7, "authentication": secret}),
        )
        .await;
    assert_eq!(set.status, StatusCode::ACCEPTED, "{:?}", set.body);
    let renamed = world
        .send(
            "PUT",
            &path,
            &json!({"name": "new", "url": "https://example.com/hook"}),
        )
        .await;
    let data = &renamed.body["data"];
    assert_eq!((&data["name"], &data["http_timeout"]), (&json!("new"), &json!(7)));
    assert_eq!(data["authentication"]["api_key"]["header_name"], "X-Key");
    assert!(!renamed.body.to_string().contains("hidden"));
    let cleared = world.send("PUT", &path, &json!({"authentication": null})).await;
    assert_eq!(cleared.body["data"]["authentication"], Value::Null);
    assert_eq!(cleared.body["data"]["owner_id"], "o-1");
}

#[tokio::test]
async fn secrets_rotate_and_endpoints_pause_and_activate() {
    let world = World::start().await;
    let uid = endpoint(&world, "").await;
    let rotated = world
        .send(
            "PUT",
            &format!("/endpoints/{uid}/expire_secret"),
            &json!({"expiration": 60}),
        )
        .await;
    assert_eq!(rotated.status, StatusCode::OK, "{:?}", rotated.body);
    let secrets = rotated.body["data"]["secrets"]
        .as_array()
        .expect("secrets")
        .clone();
    assert_eq!(secrets.len(), 2);
    assert!(secrets[0]["expires_at"].is_string() && secrets[1]["expires_at"].is_null());
    for (method, action, state) in [
        ("PUT", "pause", "paused"),
        ("PUT", "pause", "active"),
        ("PUT", "pause", "paused"),
        ("POST", "activate", "active"),
    ] {
        let answer = read(world.request(method, &format!("/endpoints/{uid}/{action}"))).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.body);
        assert_eq!(answer.body["data"]["status"], state);
    }
}

#[tokio::test]
async fn lists_are_paged_by_inclusive_cursors_both_ways() {
    let world = World::start().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(endpoint(&world, "o").await);
    }
    made.reverse();
    let uids = |answer: &Value| -> Vec<String> {
        let content = answer["data"]["content"].as_array().expect("rows");
        content
            .iter()
            .map(|row| row["uid"].as_str().expect("an id").to_owned())
            .collect()
    };
    let first = world
        .get("/endpoints?perPage=2&next_page_cursor=FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF")
        .await;
    assert_eq!(uids(&first.body), made[..2]);
    let pagination = &first.body["data"]["pagination"];
    assert_eq!(pagination["per_page"], 2);
    assert_eq!(pagination["next_page_cursor"], made[2]);
    let second = world
        .get(&format!("/endpoints?perPage=2&next_page_cursor={}", made[2]))
        .await;
    assert_eq!(uids(&second.body), made[2..4]);
    let pagination = &second.body["data"]["pagination"];
    assert_eq!(
        (&pagination["has_prev_page"], &pagination["has_next_page"]),
        (&json!(true), &json!(true))
    );
    let back = world
        .get(&format!(
            "/endpoints?perPage=2&direction=prev&prev_page_cursor={}",
            made[2]
        ))
        .await;
    assert_eq!(uids(&back.body), made[..2]);
    let oldest = world.get("/endpoints?perPage=2&sort=ASC").await;
    assert_eq!(uids(&oldest.body), [made[4].clone(), made[3].clone()]);
}

#[tokio::test]
async fn a_subscription_is_made_shown_filtered_and_switched() {
    let world = World::start().await;
    let uid = endpoint(&world, "o").await;
    // The shape that an SDK fills with zeros.
    let body = json!({
        "name": "all paid", "endpoint_id": uid, "source_id": "",
        "alert_config": {"count": 0, "threshold": ""}, "retry_config": {"type": "", "duration": "", "retry_count": 0},
        "filter_config": {"event_types": ["invoice.paid"], "filter": {"body": {"amount": {"$gt": 10}}}},
    });
    let made = world.send("POST", "/subscriptions/", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let data = &made.body["data"];
    assert_keys(
        data,
        "uid name type project_id function source_metadata endpoint_metadata device_metadata alert_config \
         retry_config filter_config rate_limit_config delivery_mode created_at updated_at deleted_at",
    );
    assert_eq!(data["filter_config"]["event_types"], json!(["invoice.paid"]));
    assert_eq!(data["endpoint_metadata"]["uid"], json!(uid));
    let sid = data["uid"].as_str().expect("an id");
    let filters = format!("/subscriptions/{sid}/filters");
    let listed = world.get(&filters).await;
    let filter = &listed.body["data"][0];
    assert_keys(
        filter,
        "uid subscription_id event_type enabled_at headers body query path raw_headers raw_body raw_query raw_path",
    );
    for (amount, expected) in [(11, true), (9, false)] {
        let test = world
            .send(
                "POST",
                &format!("{filters}/test/invoice.paid"),
                &json!({"payload": {"amount": amount}}),
            )
            .await;
        assert_eq!(test.body["data"]["is_match"], expected, "{:?}", test.body);
    }
    for method in ["PUT", "POST"] {
        let changes = json!([{"uid": filter["uid"], "body": {"amount": 1}}]);
        let changed = world
            .send(method, &format!("{filters}/bulk_update"), &changes)
            .await;
        assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
        assert_eq!(changed.body["data"][0]["body"], json!({"amount": 1}));
    }
    let toggled = read(world.request("PUT", &format!("/subscriptions/{sid}/toggle_status"))).await;
    assert_eq!(toggled.status, StatusCode::ACCEPTED);
    assert_eq!(toggled.body["data"]["enabled"], false);
    let test = json!({"request": {"header": {"x-a": "1"}}, "schema": {"header": {"X-A": "1"}}});
    let taken = world.send("POST", "/subscriptions/test_filter", &test).await;
    assert_eq!(taken.body["data"], true, "{:?}", taken.body);
}

#[tokio::test]
async fn an_accepted_event_is_answered_with_its_id_and_found_by_it() {
    let world = World::start().await;
    let uid = endpoint(&world, "o-1").await;
    let payload = r#"{"n":1.50,"text":"caf\u00e9 \u0000"}"#;
    let body = format!(
        r#"{{"app_id":"{uid}","event_type":"a.b","data":{payload},"custom_headers":{{"X-A":"b"}},"idempotency_key":"k-1"}}"#
    );
    let request = world
        .request("POST", "/events/")
        .header("content-type", "application/json; charset=utf-8");
    let made = read(request.body(body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    assert_eq!(made.message(), "Event queued successfully");
    let event = made.body["data"]["uid"].as_str().expect("an id");
    let shown = read(world.request("GET", &format!("/events/{event}"))).await;
    let data = &shown.body["data"];
    assert_keys(
        data,
        "uid event_type source_id app_id project_id endpoints headers endpoint_metadata source_metadata \
         url_query_params url_path idempotency_key is_duplicate_event data raw status failure_reason \
         acknowledged_at created_at updated_at deleted_at",
    );
    assert_eq!(data["headers"], json!({"X-A": ["b"]}));
    assert_eq!(data["endpoints"], json!([uid]));
    assert_eq!(data["idempotency_key"], "k-1");
    assert_eq!(data["status"], "Pending");
    let raw = world
        .request("GET", &format!("/events/{event}"))
        .send()
        .await
        .expect("answer")
        .text()
        .await
        .expect("text");
    assert!(raw.contains(payload), "{raw}");
}

#[tokio::test]
async fn events_are_listed_counted_and_narrowed() {
    let world = World::start().await;
    let uid = endpoint(&world, "o-1").await;
    let single = json!({"endpoint_id": uid, "event_type": "a", "data": {"city": "Oslo"}});
    let owner = json!({"owner_id": "o-1", "event_type": "b", "data": {}});
    let everybody = json!({"event_type": "b", "data": []});
    for (path, body) in [
        ("/events", single),
        ("/events/fanout", owner),
        ("/events/broadcast", everybody),
    ] {
        assert_eq!(
            world.send("POST", path, &body).await.status,
            StatusCode::CREATED,
            "{path}"
        );
    }
    for (query, expected) in [
        (String::new(), 3),
        ("eventType=b".to_owned(), 2),
        ("ownerId=o-1".to_owned(), 1),
        (
            format!("endpointId={uid},01932b0c-0000-7000-8000-000000000001"),
            1,
        ),
        ("query=oslo".to_owned(), 1),
        ("body=%7B%22city%22%3A%22Oslo%22%7D".to_owned(), 1),
        (
            "startDate=2020-01-01T00:00:00&endDate=2020-01-02T00:00:00".to_owned(),
            0,
        ),
    ] {
        let answer = world.get(&format!("/events?{query}")).await;
        let found = answer.body["data"]["content"].as_array().map(Vec::len);
        assert_eq!(found, Some(expected), "{query}: {:?}", answer.body);
    }
    let counted = world.get("/events/countbatchreplayevents?event_type=b").await;
    assert_eq!(counted.body["data"], json!({"num": 2}));
}

#[tokio::test]
async fn batches_tell_their_progress_and_can_be_cancelled() {
    let world = World::start().await;
    let started = read(
        world
            .request("PUT", "/eventdeliveries/batchretry")
            .header("content-type", "application/json")
            .body("{}"),
    )
    .await;
    assert_eq!(started.status, StatusCode::OK, "{:?}", started.body);
    assert_eq!(started.message(), "Batch retry processing");
    let second = read(world.request("POST", "/eventdeliveries/batchretry?status=Failure")).await;
    assert_eq!(second.status, StatusCode::BAD_REQUEST);
    let path = format!(
        "/batches/{}",
        started.body["data"]["uid"].as_str().expect("an id")
    );
    assert_eq!(world.get(&path).await.body["data"]["status"], "pending");
    let cancelled = read(world.request("POST", &format!("{path}/cancel"))).await;
    assert_eq!(
        cancelled.body["data"]["status"], "cancelled",
        "{:?}",
        cancelled.body
    );
    assert_eq!(
        world.get("/batches").await.body["data"].as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn deliveries_are_counted_per_status() {
    let world = World::start().await;
    let totals = world.get("/eventdeliveries/statustotals").await;
    assert_eq!(totals.status, StatusCode::OK, "{:?}", totals.body);
    assert_eq!(keys(&totals.body["data"]["totals"]).len(), 6);
    assert_eq!(totals.body["data"]["totals"]["Success"], 0);
    let none = world
        .get("/eventdeliveries?status=Success,Failure&status=Retry")
        .await;
    assert_eq!(none.body["data"]["content"], json!([]));
}

#[tokio::test]
async fn a_project_shows_what_it_holds_and_changes_key_by_key() {
    let world = World::start().await;
    endpoint(&world, "o").await;
    let shown = world.get("/").await;
    assert_eq!(shown.body["data"]["uid"], json!(world.own.project.to_string()));
    assert_eq!(shown.body["data"]["statistics"]["endpoints_exist"], true);
    let before = shown.body["data"]["config"].clone();
    let changed = world
        .send(
            "PUT",
            "/",
            &json!({"name": "own", "config": {"strategy": {"retry_count": 4}}}),
        )
        .await;
    assert_eq!(changed.status, StatusCode::ACCEPTED, "{:?}", changed.body);
    let config = &changed.body["data"]["config"];
    assert_eq!(config["strategy"]["retry_count"], 4);
    assert_eq!(config["strategy"]["duration"], before["strategy"]["duration"]);
    assert_eq!(config["signature"], before["signature"]);
    let refused = world
        .send("PUT", "/", &json!({"config": {"sync_dynamic_event_ack": true}}))
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused.message().contains("verify_dynamic_events"),
        "{:?}",
        refused.body
    );
    let listed = read(
        world
            .anonymous("GET", "/api/v1/projects")
            .bearer_auth(&world.own.key),
    )
    .await;
    assert_eq!(
        listed.body["data"].as_array().map(Vec::len),
        Some(1),
        "{:?}",
        listed.body
    );
}

#[tokio::test]
async fn event_types_are_made_changed_deprecated_and_imported() {
    let world = World::start().await;
    let made = world
        .send("POST", "/event-types", &json!({"name": "a.b", "category": "x"}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let path = format!(
        "/event-types/{}",
        made.body["data"]["uid"].as_str().expect("an id")
    );
    let changed = world.send("PUT", &path, &json!({"description": "d"})).await;
    assert_eq!(
        (
            &changed.body["data"]["category"],
            &changed.body["data"]["description"]
        ),
        (&json!("x"), &json!("d"))
    );
    let deprecated = read(world.request("POST", &format!("{path}/deprecate"))).await;
    assert!(deprecated.body["data"]["deprecated_at"].is_string());
    let spec = json!({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "webhooks": {"order.made": {"post": {}}}});
    let imported = world
        .send("POST", "/event-types/import", &json!({"spec": spec.to_string()}))
        .await;
    assert_eq!(imported.status, StatusCode::OK, "{:?}", imported.body);
    let names: Vec<&str> = imported.body["data"]
        .as_array()
        .expect("types")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["order.made"]);
}

#[tokio::test]
async fn document_and_page_are_served_without_a_key() {
    let world = World::start().await;
    let document = read(world.anonymous("GET", "/api/openapi.json")).await;
    assert_eq!(document.body["openapi"], "3.1.0");
    let page = world
        .anonymous("GET", "/api/docs")
        .send()
        .await
        .expect("an answer");
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .expect("text")
            .contains("default-src 'none'")
    );
    let html = page.text().await.expect("text");
    assert!(
        html.contains("CreateEndpointFanoutEvent") && !html.contains("<script") && !html.contains("://"),
        "self-contained"
    );
}
