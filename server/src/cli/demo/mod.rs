//! `longhaul demo`: something to look at. A receiver on this machine, two endpoints that lead to
//! it, a subscription each, and some traffic.
//!
//! Works beside a running instance, through the same use cases as the API; needs
//! `delivery.allow_addresses` to hold 127.0.0.0/8 there.
//!
//! With `--days`, [`days`] lives through weeks of retention and backup on its own instead, and
//! [`promise`] compares what was promised with what is there.

mod days;
mod promise;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bytestring::ByteString;
use clap::Args;
use domain::event::Target;
use domain::id::{EndpointId, EventId, ProjectId};
use http::StatusCode;
use serde_json::json;
use services::Services;
use services::access::Actor;
use services::endpoints::{EndpointQuery, NewEndpoint};
use services::ingest::{NewEvent, accept};
use services::projects;
use services::subscriptions::NewSubscription;
use tokio::net::TcpListener;

use super::{Failure, Outcome};
use crate::config::Config;
use crate::wiring;

/// Types of the events that are sent in turn.
const TYPES: [&str; 4] = [
    "order.created",
    "payment.captured",
    "shipment.updated",
    "customer.updated",
];
/// One request in so many to the shaky endpoint fails.
const SHAKY: usize = 4;

/// A receiver on this machine with an endpoint, a subscription and some traffic.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Name of an existing project; `longhaul bootstrap --project demo` makes one.
    #[arg(long, default_value = "demo")]
    project: String,
    /// Port of the receiver; 0 takes a free one.
    #[arg(long, default_value_t = 5010)]
    port: u16,
    /// Events to send at once; with --days, to each project on each day.
    #[arg(long, default_value_t = 40)]
    events: usize,
    /// Seconds between further events; 0 sends none.
    #[arg(long, default_value_t = 15)]
    every: u64,
    /// Lives through so many days up to today instead, in three new projects that keep events for 7
    /// days, for 30 days and for ever; tells what is where in the end. No other process may run.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=400))]
    days: Option<u16>,
    /// With --days: folder for the archive, if nobody has said where copies lie.
    #[arg(long, default_value = "demo-archive", value_name = "PATH", requires = "days")]
    archive: PathBuf,
}

pub(super) async fn run(config: &Config, command: Demo) -> Outcome {
    if let Some(days) = command.days {
        return days::run(config, days, &command).await;
    }
    let services = wiring::services(config, wiring::clock(config))?;
    services.catalog.reload().await?;
    let actor = Actor::system();
    let project = find_project(&services, &actor, &command.project).await?;
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, command.port))).await?;
    let base = format!("http://{}", listener.local_addr()?);
    let receiver = tokio::spawn(async move { axum::serve(listener, receiver()).await });
    let targets = [
        endpoint(
            &services,
            &actor,
            project,
            "Local receiver",
            &format!("{base}/ok"),
        )
        .await?,
        endpoint(
            &services,
            &actor,
            project,
            "Shaky receiver",
            &format!("{base}/shaky"),
        )
        .await?,
    ];
    println!("Receiver on {base}: /ok takes everything, /shaky refuses one request in {SHAKY}.");
    for n in 0..command.events {
        send(&services, &actor, project, &targets, n).await?;
    }
    println!("{} events sent.", command.events);
    if command.every == 0 {
        receiver.abort();
        return Ok(());
    }
    for n in command.events.. {
        tokio::time::sleep(Duration::from_secs(command.every)).await;
        send(&services, &actor, project, &targets, n).await?;
    }
    Ok(())
}

async fn find_project(services: &Services, actor: &Actor, name: &str) -> Result<ProjectId, Failure> {
    let found = projects::list(services, actor, None)
        .await?
        .into_iter()
        .find(|p| p.project.name == name);
    found.map(|found| found.project.id).ok_or_else(|| {
        Failure::BadArguments(format!(
            "there is no project {name}; `longhaul bootstrap --project {name}` makes it"
        ))
    })
}

/// The endpoint with this name, made when it does not exist, leading to `url`, with a subscription
/// to every event type.
async fn endpoint(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    name: &str,
    url: &str,
) -> Result<EndpointId, Failure> {
    use services::endpoints;
    let query = EndpointQuery {
        q: Some(name.to_owned()),
        ..EndpointQuery::default()
    };
    let known = endpoints::list(services, actor, project, query)
        .await?
        .items
        .into_iter()
        .find(|e| e.name == name);
    if let Some(known) = known {
        let update = endpoints::EndpointUpdate {
            url: Some(url.to_owned()),
            ..Default::default()
        };
        return Ok(endpoints::update(services, actor, project, known.id, update)
            .await?
            .id);
    }
    let new = NewEndpoint {
        name: name.to_owned(),
        url: url.to_owned(),
        ..NewEndpoint::default()
    };
    let endpoint = endpoints::create(services, actor, project, new).await?;
    let subscription = NewSubscription {
        name: format!("Everything to {name}"),
        endpoint_id: endpoint.id.to_string(),
        ..NewSubscription::default()
    };
    services::subscriptions::create(services, actor, project, subscription).await?;
    Ok(endpoint.id)
}

async fn send(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    targets: &[EndpointId],
    n: usize,
) -> Result<(EventId, String), Failure> {
    let data = json!({
        "order": { "id": format!("ord_{:06}", n + 1), "lines": [{ "sku": "A-17", "count": 1 + n % 3 }] },
        "amount": { "value": 1200 + 35 * n, "currency": "EUR" },
        "paid": n.is_multiple_of(2),
    })
    .to_string();
    let event = NewEvent {
        target: Target::Endpoint(targets[n % targets.len()]),
        event_type: TYPES[n % TYPES.len()],
        data: ByteString::from(data.as_str()),
        headers: Vec::new(),
        idempotency_key: None,
    };
    Ok((accept(services, actor, project, event).await?.id, data))
}

fn receiver() -> Router {
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let shaky = move || {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            if n % SHAKY == SHAKY - 1 {
                StatusCode::SERVICE_UNAVAILABLE
            } else {
                StatusCode::OK
            }
        }
    };
    Router::new()
        .route("/ok", post(|| async { "ok" }))
        .route("/shaky", post(shaky))
}
