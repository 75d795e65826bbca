//! The API as a customer calls it.

use std::collections::HashSet;

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::child::eventually;
use crate::site::Gateway;

/// A project reached with its key.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: Client,
    /// Address of the project, `/api/v1/projects/{id}` included.
    pub(crate) base: String,
    /// The key in clear.
    pub(crate) key: String,
}

impl Api {
    /// The project that bootstrap made, on a gateway.
    pub(crate) fn new(gateway: &Gateway, made: &Value) -> Self {
        let project = made["project"]["uid"].as_str().expect("a project");
        let key = made["api_key"].as_str().expect("a key").to_owned();
        Self {
            http: gateway.http.clone(),
            base: gateway.url(&format!("/api/v1/projects/{project}")),
            key,
        }
    }

    /// The same project on another process.
    pub(crate) fn on(&self, gateway: &Gateway) -> Self {
        let (_, path) = self.base.split_once("/api/").expect("a path");
        Self {
            base: gateway.url(&format!("/api/{path}")),
            ..self.clone()
        }
    }

    fn call(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(&self.key)
    }

    /// Data of an answer that must not be a refusal.
    pub(crate) async fn get(&self, path: &str) -> Value {
        data(
            self.call(self.http.get(format!("{}{path}", self.base)))
                .send()
                .await
                .expect("an answer"),
        )
        .await
    }

    /// Posts JSON; the data of an answer that must not be a refusal.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        data(
            self.call(self.http.post(format!("{}{path}", self.base)))
                .json(body)
                .send()
                .await
                .expect("an answer"),
        )
        .await
    }

    /// Puts JSON; the data of an answer that must not be a refusal.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Value {
        data(
            self.call(self.http.put(format!("{}{path}", self.base)))
                .json(body)
                .send()
                .await
                .expect("an answer"),
        )
        .await
    }

    /// An endpoint at `url` with a subscription to everything; returns it as it was made.
    pub(crate) async fn endpoint(&self, url: &str, more: Value) -> Value {
        let mut body = json!({ "name": "Warehouse", "url": url });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let endpoint = self.post("/endpoints", &body).await;
        let subscription = json!({ "name": "everything", "endpoint_id": endpoint["uid"] });
        self.post("/subscriptions", &subscription).await;
        endpoint
    }

    /// Sends the event with number `n`; the answer may be a refusal or none at all.
    pub(crate) async fn try_send(&self, endpoint: &Value, n: usize) -> reqwest::Result<Response> {
        let body =
            json!({ "endpoint_id": endpoint["uid"], "event_type": "order.created", "data": { "n": n } });
        self.call(self.http.post(format!("{}/events", self.base)))
            .json(&body)
            .send()
            .await
    }

    /// Sends the event with number `n` and returns its id.
    pub(crate) async fn send(&self, endpoint: &Value, n: usize) -> String {
        let answer = self.try_send(endpoint, n).await.expect("an answer");
        assert_eq!(answer.status(), 201);
        let data = data(answer).await;
        data["uid"].as_str().expect("an id").to_owned()
    }

    /// Deliveries of an event.
    pub(crate) async fn deliveries(&self, event: &str) -> Vec<Value> {
        let found = self.get(&format!("/eventdeliveries?eventId={event}")).await;
        found["content"].as_array().expect("a list").clone()
    }

    /// Waits until the event's only delivery has succeeded.
    pub(crate) async fn delivered(&self, event: &str) -> Value {
        eventually("the event is delivered", async || {
            let deliveries = self.deliveries(event).await;
            deliveries
                .into_iter()
                .find(|delivery| delivery["status"] == "Success")
        })
        .await
    }

    /// Waits until there are `count` deliveries and all of them have succeeded.
    pub(crate) async fn all_delivered(&self, count: usize) {
        let mut last = Value::Null;
        let ended = tokio::time::timeout(crate::child::PATIENCE, async {
            loop {
                last = self.get("/eventdeliveries/statustotals").await["totals"].take();
                let of = |status: &str| last[status].as_u64().unwrap_or(0);
                let all: u64 = last
                    .as_object()
                    .expect("totals")
                    .values()
                    .filter_map(Value::as_u64)
                    .sum();
                if of("Success") == count as u64 && all == of("Success") {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        });
        assert!(ended.await.is_ok(), "of {count} deliveries: {last}");
    }
}

async fn data(answer: Response) -> Value {
    let status = answer.status();
    let mut body: Value = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{status}: {body}");
    body["data"].take()
}

/// The numbers of the events that a receiver got, each once.
pub(crate) fn numbers(received: &[testkit::Received]) -> HashSet<usize> {
    received.iter().map(number).collect()
}

fn number(received: &testkit::Received) -> usize {
    let body: Value = serde_json::from_slice(&received.body).expect("JSON");
    body["n"]
        .as_u64()
        .and_then(|n| usize::try_from(n).ok())
        .expect("the number that was sent")
}
