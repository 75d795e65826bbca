//! Is the process alive, and can it work?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};
use services::Services;

/// Liveness: the process answers. Asks no store, because restarting the process heals none.
pub async fn live() -> Json<Value> {
    let version = env!("CARGO_PKG_VERSION");
    Json(json!({ "status": true, "message": format!("Longhaul {version}"), "data": null }))
}

/// Readiness: which store is away. One of the two is enough to accept events, but not to serve
/// pages; so only both together, or a catalog that was never loaded, make the process unready.
pub async fn ready(State(services): State<Arc<Services>>) -> (StatusCode, Json<Value>) {
    let (postgres, redis) = tokio::join!(services.db.ping(), services.queues.redis.ping());
    let ready = services.catalog.is_loaded() && (postgres.is_ok() || redis.is_ok());
    let word = |up: bool| if up { "up" } else { "away" };
    let body = json!({
        "status": ready,
        "message": if ready { "ready" } else { "not ready" },
        "data": {
            "postgres": word(postgres.is_ok()),
            "redis": word(redis.is_ok()),
            "catalog": if services.catalog.is_loaded() { "loaded" } else { "not loaded" },
        },
    });
    (
        if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        Json(body),
    )
}
