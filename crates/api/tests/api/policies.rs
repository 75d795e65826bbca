//! Retention, holds and storage on the wire.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::TestS3;

use crate::harness::{World, assert_keys, read};

const SECRET: &str = "test-secret-key";

async fn with_loopback() -> World {
    World::with(|options| options.delivery.allow_addresses = vec!["127.0.0.0/8".to_owned()]).await
}

/// The documented JSON of a policy that leads to `s3`.
fn documented(s3: &TestS3) -> Value {
    let policy = s3.s3_policy();
    json!({"type": "s3", "s3": {
        "prefix": "prod/",
        "bucket": policy.bucket,
        "access_key": policy.access_key,
        "secret_key": SECRET,
        "region": policy.region,
        "session_token": "",
        "endpoint": policy.endpoint,
    }, "on_prem": {"path": "/srv/archive"}})
}

#[tokio::test]
async fn retention_is_read_and_changed_in_days_or_hours() {
    let world = World::start().await;
    let before = world.get("/retention").await;
    assert_eq!(before.status, StatusCode::OK);
    let data = &before.body["data"];
    assert_keys(
        data,
        "enabled days period backup_enabled own_storage feature storage reclass_since next_deletion_at changed_at \
         changed_by holds",
    );
    assert_eq!(
        (&data["enabled"], &data["period"]),
        (&json!(false), &json!("720h"))
    );
    assert!(
        data["feature"]["advice"]
            .as_str()
            .is_some_and(|text| text.contains("Nothing is deleted"))
    );

    let change = json!({"enabled": true, "days": "168h"});
    let refused = world.send("PUT", "/retention", &change).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused
            .message()
            .starts_with("confirm:must be the project's name, own"),
        "{refused:?}"
    );
    let confirmed = json!({"enabled": true, "period": "168h", "confirm": "own"});
    let saved = world.send("PUT", "/retention", &confirmed).await;
    assert_eq!(saved.status, StatusCode::ACCEPTED, "{saved:?}");
    assert_eq!(saved.body["data"]["days"], 7);
    assert!(saved.body["data"]["undo_until"].is_string());
    let longer = world.send("PUT", "/retention", &json!({"days": 30})).await;
    assert_eq!(longer.body["data"]["undo_until"], Value::Null);
    let after = world.get("/retention").await;
    assert_eq!(after.body["data"]["days"], 30);
    assert_eq!(world.get("").await.body["data"]["retention_days"], 30);

    for (body, field) in [
        (json!({"days": 0}), "days:"),
        (json!({"days": "soon"}), "days:"),
        (
            json!({"days": 1.5}),
            "days:a number of days, or a text such as 720h",
        ),
        (json!({"enabled": "yes"}), "enabled:"),
        (json!({"backup_enabled": true}), "backup_enabled:"),
    ] {
        let answer = world.send("PUT", "/retention", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(
            answer.message().starts_with(field),
            "{body}: {}",
            answer.message()
        );
    }
}

#[tokio::test]
async fn a_viewers_key_sees_what_a_change_would_do_and_changes_nothing() {
    let world = World::start().await;
    let made = world
        .send(
            "POST",
            "/api-keys",
            &json!({"name": "v", "role": "project_viewer"}),
        )
        .await;
    let key = made.body["data"]["key"].as_str().expect("a key").to_owned();
    let ask = |method: &str, path: &str| {
        let path = format!("/api/v1/projects/{}{path}", world.own.project);
        world.anonymous(method, &path).bearer_auth(&key)
    };
    let change = json!({"enabled": true, "days": 7});
    let preview = read(ask("POST", "/retention/preview").json(&change)).await;
    assert_eq!(preview.status, StatusCode::OK, "{preview:?}");
    let data = &preview.body["data"];
    assert_eq!(
        (&data["confirm"], &data["after"]["days"]),
        (&json!("own"), &json!(7))
    );
    assert_eq!(data["tables"].as_array().map(Vec::len), Some(4));
    assert_keys(
        &data["tables"][0],
        "table leaves rows bytes held_rows oldest newest",
    );
    let window = json!({"name": "a", "from": "2026-11-02T00:00:00Z", "to": "2026-11-09T00:00:00Z"});
    let policy = json!({"storage_policy": {"type": "on_prem", "on_prem": {"path": "/srv/archive"}}});
    for (method, path, body) in [
        ("PUT", "/retention", &change),
        ("POST", "/holds", &window),
        ("PUT", "/storage", &policy),
        ("POST", "/storage/test", &policy),
    ] {
        let answer = read(ask(method, path).json(body)).await;
        assert_eq!(
            answer.status,
            StatusCode::FORBIDDEN,
            "{method} {path}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn holds_are_placed_listed_and_released() {
    let world = World::start().await;
    let window = json!({"name": "Chargeback", "from": "2026-11-02T00:00:00Z", "to": "2026-11-09T00:00:00Z"});
    let placed = world.send("POST", "/holds", &window).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    assert_keys(
        &placed.body["data"],
        "uid name from to placed_at placed_by released_at released_by",
    );
    let uid = placed.body["data"]["uid"].as_str().expect("an id").to_owned();
    assert_eq!(
        world.get("/retention").await.body["data"]["holds"][0]["uid"],
        json!(uid)
    );
    let released = read(world.request("DELETE", &format!("/holds/{uid}"))).await;
    assert_eq!(released.status, StatusCode::OK, "{released:?}");
    assert!(released.body["data"]["released_at"].is_string());
    let listed = world.get("/holds").await;
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.get("/retention").await.body["data"]["holds"], json!([]));
    let again = read(world.request("DELETE", &format!("/holds/{uid}"))).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    let backwards = json!({"name": "a", "from": "2026-11-09T00:00:00Z", "to": "2026-11-02T00:00:00Z"});
    let refused = world.send("POST", "/holds", &backwards).await;
    assert_eq!(refused.message(), "to:must be later than from");
}

#[tokio::test]
async fn the_documented_policy_is_saved_as_written_and_comes_back_masked() {
    let world = with_loopback().await;
    let s3 = TestS3::start().await;
    let nothing = world.get("/storage").await;
    assert_eq!(
        nothing.body["data"],
        json!({"own_storage": false, "in_effect": null, "versions": []})
    );
    let saved = world
        .send("PUT", "/storage", &json!({"storage_policy": documented(&s3)}))
        .await;
    assert_eq!(saved.status, StatusCode::ACCEPTED, "{saved:?}");
    assert_eq!(saved.body["data"]["version"], 1);
    assert_eq!(saved.body["data"]["probe"]["is_ready"], true);

    let shown = world.get("/storage").await;
    let data = &shown.body["data"];
    assert_eq!(data["own_storage"], true);
    assert!(!shown.body.to_string().contains(SECRET), "{shown:?}");
    let policy = data["versions"][0]["storage_policy"].clone();
    assert_eq!(
        (&policy["type"], &policy["s3"]["prefix"]),
        (&json!("s3"), &json!("prod/"))
    );
    // What was shown can be sent back: the mask keeps the secret.
    let mut again = policy;
    again["s3"]["prefix"] = json!("other/");
    let saved = world
        .send("PUT", "/storage", &json!({"storage_policy": again}))
        .await;
    assert_eq!(saved.body["data"]["version"], 2, "{saved:?}");

    let tested = read(world.request("POST", "/storage/test")).await;
    assert_eq!(
        (tested.status, &tested.body["data"]["is_ready"]),
        (StatusCode::OK, &json!(true))
    );
}

#[tokio::test]
async fn a_policy_that_does_not_work_is_refused_with_what_to_change() {
    let world = with_loopback().await;
    let s3 = TestS3::start().await;
    let mut policy = documented(&s3);
    policy["s3"]["access_key"] = json!("UNKNOWN");
    let refused = world
        .send("PUT", "/storage", &json!({"storage_policy": policy}))
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
    assert!(
        refused
            .message()
            .starts_with("storage_policy:is not saved, because `"),
        "{refused:?}"
    );
    let tested = world
        .send("POST", "/storage/test", &json!({"storage_policy": policy}))
        .await;
    assert_eq!(
        (tested.status, &tested.body["data"]["is_ready"]),
        (StatusCode::OK, &json!(false))
    );
    let forced = json!({"storage_policy": policy, "even_if_unfit": true});
    assert_eq!(
        world.send("PUT", "/storage", &forced).await.status,
        StatusCode::ACCEPTED
    );

    for (policy, field) in [
        (json!({"type": "s3", "s3": {"bucket": "b"}}), "s3.bucket:"),
        (json!({"type": "azure_blob"}), "storage_policy"),
        (json!({"type": "s3", "s3": {"buckets": "b"}}), "storage_policy"),
        (
            json!({"type": "on_prem", "on_prem": {"path": "/srv/archive"}}),
            "on_prem.path:only an instance admin",
        ),
    ] {
        let answer = world
            .send("PUT", "/storage", &json!({"storage_policy": policy}))
            .await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{policy}: {answer:?}");
        assert!(
            answer.message().starts_with(field),
            "{policy}: {}",
            answer.message()
        );
        assert!(!answer.message().contains(SECRET));
    }
}

#[tokio::test]
async fn a_key_of_a_project_reaches_no_private_address_through_a_policy() {
    let world = World::start().await;
    let s3 = TestS3::start().await;
    let body = json!({"storage_policy": documented(&s3)});
    for (method, path) in [("PUT", "/storage"), ("POST", "/storage/test")] {
        let answer = world.send(method, path, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        assert!(
            answer
                .message()
                .starts_with("s3.endpoint:127.0.0.1 is a loopback address"),
            "{answer:?}"
        );
    }
    assert_eq!(s3.calls().0.len(), 0);
}
