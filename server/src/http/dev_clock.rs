//! `PUT /dev/clock`: lets tests and demonstrations live through months in seconds.
//!
//! Mounted only with `LONGHAUL_DEV_CLOCK=1`, which the configuration refuses unless every listener
//! is on loopback.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::put;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use services::Services;

/// An instant, in and out.
#[derive(Debug, Deserialize, Serialize)]
struct Instant {
    now: DateTime<Utc>,
}

/// The route.
pub fn router(services: Arc<Services>) -> Router {
    Router::new()
        .route("/dev/clock", put(set).get(get))
        .with_state(services)
}

async fn get(State(services): State<Arc<Services>>) -> Json<Instant> {
    Json(Instant {
        now: services.clock.now(),
    })
}

async fn set(
    State(services): State<Arc<Services>>,
    Json(wanted): Json<Instant>,
) -> (StatusCode, Json<Instant>) {
    let set = services.clock.set(wanted.now);
    let status = if set { StatusCode::OK } else { StatusCode::CONFLICT };
    (
        status,
        Json(Instant {
            now: services.clock.now(),
        }),
    )
}
