//! Health and metrics of a process, with stores and without.

use serde_json::json;
use testkit::Receiver;

use crate::site::Site;

#[tokio::test]
async fn health_readiness_and_metrics_answer_on_every_role() {
    let site = Site::new().await;
    site.bootstrap().await;
    for role in ["all", "server", "worker", "scheduler"] {
        let gateway = site.start(role).await;
        let (status, body) = gateway.json("/healthz").await;
        assert_eq!((status, &body["status"]), (200, &json!(true)), "{role}");
        let (status, body) = gateway.json("/readyz").await;
        assert_eq!(status, 200, "{role}");
        assert_eq!(
            body["data"],
            json!({ "postgres": "up", "redis": "up", "catalog": "loaded" }),
            "{role}"
        );
        let metrics = gateway
            .http
            .get(gateway.url("/metrics"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(metrics.status(), 200, "{role}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn metrics_count_what_was_accepted_and_attempted() {
    let site = Site::new().await;
    let (gateway, api) = site.start_all().await;
    let receiver = Receiver::start().await;
    let endpoint = api.endpoint(&receiver.url("/hook"), json!({})).await;
    for n in 0..3 {
        let event = api.send(&endpoint, n).await;
        api.delivered(&event).await;
    }
    let answer = gateway
        .http
        .get(gateway.url("/metrics"))
        .send()
        .await
        .expect("an answer");
    let metrics = answer.text().await.expect("text");
    for line in [
        "longhaul_events_accepted_total 3",
        "longhaul_attempts_total{outcome=\"ok\"} 3",
        "longhaul_delivery_latency_seconds_count 3",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "no line {line}:\n{metrics}"
        );
    }
}

mod alone {
    use super::*;

    #[tokio::test]
    async fn readiness_names_the_store_that_is_away_and_ends_when_both_are() {
        let mut site = Site::with_own_postgres().await;
        site.set("LONGHAUL_DATABASE_ACQUIRE_TIMEOUT", "500ms");
        let (gateway, _) = site.start_all().await;

        site.redis.stop().await;
        let (status, body) = gateway.json("/readyz").await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            (&body["data"]["postgres"], &body["data"]["redis"]),
            (&json!("up"), &json!("away"))
        );

        site.postgres().stop().await;
        let (status, body) = gateway.json("/readyz").await;
        assert_eq!(status, 503, "{body}");
        assert_eq!(
            (&body["data"]["postgres"], &body["data"]["redis"]),
            (&json!("away"), &json!("away"))
        );
        assert_eq!(
            gateway.json("/healthz").await.0,
            200,
            "restarting the process would not bring a store back"
        );

        site.redis.resume().await;
        let (status, body) = crate::child::eventually("Redis is noticed", async || {
            let found = gateway.json("/readyz").await;
            (found.1["data"]["redis"] == "up").then_some(found)
        })
        .await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["data"]["postgres"], "away");
    }
}
