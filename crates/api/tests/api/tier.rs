//! Answers say where their rows came from.

use serde_json::json;

use crate::harness::World;

#[tokio::test]
async fn what_is_in_postgresql_is_hot_and_took_no_object_store() {
    let world = World::start().await;
    let endpoint = json!({"name": "e", "url": "https://example.com/in"});
    let endpoint = world.send("POST", "/endpoints", &endpoint).await;
    let event = json!({"endpoint_id": endpoint.body["data"]["uid"], "event_type": "a", "data": {"n": 1}});
    let event = world.send("POST", "/events", &event).await;
    let id = event.body["data"]["uid"].as_str().expect("an id");
    for path in [
        "/events".to_owned(),
        format!("/events/{id}"),
        "/eventdeliveries".to_owned(),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.headers["x-longhaul-tier"], "hot", "{path}");
        assert!(
            !answer.headers.contains_key("x-longhaul-archive-requests"),
            "{path}"
        );
    }
}
