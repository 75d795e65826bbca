//! The HTTP side of the process: API, dashboard, health, metrics.

pub mod client_address;
pub mod dev_clock;
pub mod health;
pub mod origin;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use leptos::prelude::provide_context;
use leptos_axum::{LeptosRoutes, generate_route_list};
use metrics_exporter_prometheus::PrometheusHandle;
use services::Services;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::config::Config;
use crate::sessions::Sessions;

/// Name of the session cookie.
const COOKIE: &str = "longhaul_session";

/// Everything the process serves.
///
/// # Errors
/// When the dashboard's settings cannot be read.
pub fn router(
    config: &Config,
    services: &Arc<Services>,
    metrics: Option<PrometheusHandle>,
    dashboard: bool,
) -> anyhow::Result<Router> {
    let mut router = Router::new()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(Arc::clone(services));
    if let Some(metrics) = metrics {
        router = router.route("/metrics", get(move || async move { metrics.render() }));
    }
    if config.dev.clock {
        router = router.merge(dev_clock::router(Arc::clone(services)));
    }
    router = router.merge(api::router(api::ApiState {
        services: Arc::clone(services),
    }));
    if dashboard {
        router = router.merge(dashboard_router(config, services)?);
    }
    let proxies = client_address::Proxies::new(&config.server.trusted_proxies);
    router = router.layer(axum::middleware::from_fn_with_state(
        proxies,
        client_address::find,
    ));
    Ok(
        if config.server.root_path.is_empty() || config.server.root_path == "/" {
            router
        } else {
            Router::new()
                .nest(&config.server.root_path, router.clone())
                .merge(router)
        },
    )
}

fn dashboard_router(config: &Config, services: &Arc<Services>) -> anyhow::Result<Router> {
    let options = leptos::config::get_configuration(None)?.leptos_options;
    let routes = generate_route_list(app::App);
    let sessions = SessionManagerLayer::new(Sessions(Arc::clone(services)))
        .with_name(COOKIE)
        .with_secure(config.security.secure_cookies(&config.server))
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        // Every request prolongs the session, not only those that change it: it ends for lack of use.
        .with_always_save(true)
        .with_expiry(Expiry::OnInactivity(time::Duration::try_from(config.security.session_lifetime)?));
    let context = {
        let services = Arc::clone(services);
        move || provide_context(Arc::clone(&services))
    };
    let shell = {
        let options = options.clone();
        move || app::shell(options.clone())
    };
    let allowed = origin::Allowed::new(&config.server.public_base());
    Ok(Router::new()
        .leptos_routes_with_context(&options, routes, context, shell)
        .layer(sessions)
        // Files need no session, and must not ask the database for one.
        .fallback(leptos_axum::file_and_error_handler(app::shell))
        .layer(axum::middleware::from_fn_with_state(allowed, origin::check))
        .layer(CompressionLayer::new())
        .with_state(options))
}

/// Serves until `stop`, then lets requests under way end, at most for `grace`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    grace: Duration,
) -> anyhow::Result<()> {
    let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    let out_of_time = async {
        stop.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        ended = serving => Ok(ended?),
        () = out_of_time => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    }
}
