//! Nobody gets at what is not theirs. The routes come from the OpenAPI document.

use reqwest::StatusCode;

use crate::harness::{World, read};
use crate::operations::operations;

#[tokio::test]
async fn another_projects_key_gets_403_on_every_route() {
    let world = World::start().await;
    let routes = operations()
        .into_iter()
        .filter(|route| route.path.contains("{projectID}"));
    for route in routes {
        for slash in ["", "/"] {
            let path = route.path_in(&world.own.project.to_string()) + slash;
            let answer = read(
                world
                    .anonymous(&route.method, &path)
                    .bearer_auth(&world.other.key),
            )
            .await;
            assert_eq!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{} {path}: {:?}",
                route.id,
                answer.body
            );
            assert_eq!(answer.body["status"], false);
        }
    }
}

#[tokio::test]
async fn without_a_good_key_every_route_answers_401() {
    let world = World::start().await;
    let mask = world.own.key.rsplit_once('.').expect("a key").0;
    for route in operations() {
        let path = route.path_in(&world.own.project.to_string());
        let answer = read(world.anonymous(&route.method, &path)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", route.id);
        assert_eq!(answer.message(), "Authentication required");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        for bad in ["nonsense", "LH.a.b", &format!("{mask}.wrong")] {
            let answer = read(world.anonymous(&route.method, &path).bearer_auth(bad)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{} {bad}", route.id);
            assert_eq!(answer.message(), "authorization failed");
        }
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing() {
    let world = World::start().await;
    let made = world
        .send("POST", "/api-keys", &serde_json::json!({"name": "short-lived"}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let (uid, key) = (
        made.body["data"]["uid"].as_str().expect("an id"),
        made.body["data"]["key"].as_str().expect("a key"),
    );
    let path = format!("/api/v1/projects/{}/endpoints", world.own.project);
    let ask = || read(world.anonymous("GET", &path).bearer_auth(key));
    assert_eq!(ask().await.status, StatusCode::OK);
    assert_eq!(
        read(world.request("DELETE", &format!("/api-keys/{uid}")))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(ask().await.status, StatusCode::UNAUTHORIZED);
    let listed = world.get("/api-keys").await;
    assert!(
        listed.body["data"]
            .as_array()
            .expect("keys")
            .iter()
            .all(|key| key.get("key").is_none())
    );
}

#[tokio::test]
async fn a_viewers_key_reads_and_changes_nothing() {
    let world = World::start().await;
    let made = world
        .send(
            "POST",
            "/api-keys",
            &serde_json::json!({"name": "v", "role": "project_viewer"}),
        )
        .await;
    let key = made.body["data"]["key"].as_str().expect("a key").to_owned();
    let ask = |method: &str, path: &str| {
        let path = format!("/api/v1/projects/{}{path}", world.own.project);
        world.anonymous(method, &path).bearer_auth(&key)
    };
    assert_eq!(read(ask("GET", "/endpoints")).await.status, StatusCode::OK);
    let endpoint = serde_json::json!({"name": "a", "url": "https://example.com"});
    let event = serde_json::json!({"event_type": "a", "data": {}});
    for (path, body) in [("/endpoints", endpoint), ("/events/broadcast", event)] {
        let answer = read(ask("POST", path).json(&body)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {:?}", answer.body);
    }
    assert_eq!(read(ask("DELETE", "")).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_in_the_envelope() {
    let world = World::start().await;
    for path in [
        "/api",
        "/api/v1/nothing",
        "/api/v1/projects/x/y/z",
        "/api/v1/groups",
    ] {
        let answer = read(world.anonymous("GET", path)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.body["status"], false, "{path}");
    }
    let answer = read(world.request("PATCH", "/endpoints")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.body["status"], false);
    assert!(answer.headers["allow"].to_str().expect("text").contains("POST"));
}

#[tokio::test]
async fn every_answer_names_request_and_version() {
    let world = World::start().await;
    let answer = read(
        world
            .request("GET", "/endpoints")
            .header("x-request-id", "trace-7"),
    )
    .await;
    assert_eq!(answer.headers["x-request-id"], "trace-7");
    assert_eq!(answer.headers["x-convoy-version"], "2025-11-24");
    let unknown = read(world.anonymous("GET", "/api/nothing")).await;
    assert!(!unknown.headers["x-request-id"].is_empty());
}

#[tokio::test]
async fn only_pages_of_the_instance_may_call_from_a_browser() {
    let world = World::start().await;
    let path = format!("/api/v1/projects/{}/endpoints", world.own.project);
    let preflight = world
        .anonymous("OPTIONS", &path)
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST");
    let answer = read(preflight).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.headers["access-control-allow-origin"],
        "http://localhost:5005"
    );
}
