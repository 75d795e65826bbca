//! REST API `/api/v1`, its OpenAPI document and the page that shows it.
//!
//! Handlers take a request apart, call one use case of `services`, and put the answer into its
//! shape on the wire. No SQL, no rule of the product.
//!
//! May import: `domain`, `services`.

pub mod api_keys;
pub mod auth;
pub mod batches;
pub mod body;
pub mod delivery_attempts;
pub mod docs_page;
pub mod endpoints;
pub mod envelope;
pub mod erasures;
pub mod error;
pub mod event_deliveries;
pub mod event_types;
pub mod events;
pub mod fields;
pub mod filters;
pub mod headers;
pub mod holds;
pub mod openapi;
pub mod path;
pub mod projects;
pub mod query;
pub mod retention;
pub mod state;
pub mod storage;
pub mod subscriptions;
pub mod tier;
pub mod version;
pub mod wire;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use tower::ServiceBuilder;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::Mount as _;
pub use crate::state::ApiState;

/// Everything below `/api`, ready to be merged into the router of a server.
pub fn router(state: ApiState) -> Router {
    let edge = ServiceBuilder::new()
        .layer(headers::EdgeLayer::new(Arc::clone(&state.services.clock)))
        .layer(headers::cors(&state.services.options.public_url));
    let (router, _) = openapi::split(routes());
    router
        .route("/api/openapi.json", get(openapi::serve))
        .route("/api/docs", get(docs_page::serve))
        .route("/api/docs/", get(docs_page::serve))
        .route("/api/docs/style.css", get(docs_page::style))
        .route("/api", any(error::no_route))
        .route("/api/{*rest}", any(error::no_route))
        .method_not_allowed_fallback(error::wrong_method)
        .layer(edge)
        .with_state(state)
}

/// The routes of the API with their documentation.
fn routes() -> OpenApiRouter<ApiState> {
    let router = openapi::router();
    let router = settings(router);
    let router = lifecycle(router);
    data(router)
}

/// What is set up: projects, keys, endpoints, event types, subscriptions, filters.
fn settings(router: OpenApiRouter<ApiState>) -> OpenApiRouter<ApiState> {
    router
        .mount(routes!(projects::list, projects::create))
        .mount(routes!(projects::get, projects::update, projects::delete))
        .mount(routes!(api_keys::list, api_keys::create))
        .mount(routes!(api_keys::revoke))
        .mount(routes!(endpoints::list, endpoints::create))
        .mount(routes!(endpoints::get, endpoints::update, endpoints::delete))
        .mount(routes!(endpoints::expire_secret))
        .mount(routes!(endpoints::pause))
        .mount(routes!(endpoints::activate))
        .mount(routes!(event_types::list, event_types::create))
        .mount(routes!(event_types::import))
        .mount(routes!(event_types::update))
        .mount(routes!(event_types::deprecate))
        .mount(routes!(subscriptions::list, subscriptions::create))
        .mount(routes!(subscriptions::test_filter))
        .mount(routes!(
            subscriptions::get,
            subscriptions::update,
            subscriptions::delete
        ))
        .mount(routes!(subscriptions::toggle))
        .mount(routes!(filters::list, filters::create))
        .mount(routes!(filters::create_many))
        .mount(routes!(filters::update_many, filters::update_many_post))
        .mount(routes!(filters::test))
        .mount(routes!(filters::get, filters::update, filters::delete))
}

/// How long data lives: retention, holds, storage of copies.
fn lifecycle(router: OpenApiRouter<ApiState>) -> OpenApiRouter<ApiState> {
    router
        .mount(routes!(retention::get, retention::update))
        .mount(routes!(retention::preview))
        .mount(routes!(holds::list, holds::place))
        .mount(routes!(holds::release))
        .mount(routes!(erasures::list, erasures::request))
        .mount(routes!(erasures::preview))
        .mount(routes!(erasures::get))
        .mount(routes!(storage::get, storage::update))
        .mount(routes!(storage::test))
}

/// What happens: events, deliveries, attempts, batches.
fn data(router: OpenApiRouter<ApiState>) -> OpenApiRouter<ApiState> {
    router
        .mount(routes!(events::list, events::accept::create))
        .mount(routes!(events::accept::fanout))
        .mount(routes!(events::accept::broadcast))
        .mount(routes!(events::replay_many))
        .mount(routes!(events::count))
        .mount(routes!(events::get))
        .mount(routes!(events::replay))
        .mount(routes!(event_deliveries::list))
        .mount(routes!(event_deliveries::force_resend))
        .mount(routes!(
            event_deliveries::retry_many,
            event_deliveries::retry_many_put
        ))
        .mount(routes!(event_deliveries::count))
        .mount(routes!(event_deliveries::totals))
        .mount(routes!(event_deliveries::get))
        .mount(routes!(event_deliveries::resend))
        .mount(routes!(delivery_attempts::list))
        .mount(routes!(delivery_attempts::get))
        .mount(routes!(batches::list))
        .mount(routes!(batches::get))
        .mount(routes!(batches::cancel))
}
