//! Weeks of retention and backup in a minute: three projects, events on every day, and the jobs of
//! every night.
//!
//! The clock of this process starts in the past and arrives at the present, so that a server that is
//! started afterwards finds a history that ends today. No other process may act meanwhile: it would
//! live in another time.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domain::clock::{Clock, DevClock, SystemClock};
use domain::id::{EndpointId, ProjectId};
use domain::lifecycle::{KeepDays, next_day, start_of};
use domain::state::DeliveryState;
use domain::storage::{OnPremPolicy, StoragePolicy};
use indicatif::ProgressBar;
use ipnet::IpNet;
use services::Services;
use services::access::Actor;
use services::deliveries::DeliveryFilter;
use services::delivery::Engine;
use services::jobs::{self, Job, JobInput, Leader, RunState};
use services::projects::NewProject;
use services::retention::PolicyChange;
use services::storage_policies::{self, Origin, Saved, Scope};
use services::{features, organisations, partitions, projects, retention};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::promise::{self, Kept};
use super::{Demo, Failure, Outcome};
use crate::config::Config;
use crate::wiring;

/// The projects, and for how many days they keep events; `None`: for ever.
const PROJECTS: [(&str, Option<u16>); 3] = [
    ("Demo 7 days", Some(7)),
    ("Demo 30 days", Some(30)),
    ("Demo for ever", None),
];
/// How long deliveries of a day may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// Pause between two looks at them.
const POLL: Duration = Duration::from_millis(20);
/// How long attempts under way may take in the end.
const DRAIN: Duration = Duration::from_secs(5);

pub(super) async fn run(config: &Config, days: u16, command: &Demo) -> Outcome {
    let present = SystemClock.now();
    let first = present.date_naive() - Days::new(u64::from(days));
    let clock: Arc<dyn Clock> = Arc::new(DevClock::starting_at(start_of(first)));
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, command.port))).await?;
    let url = format!("http://{}/ok", listener.local_addr()?);
    let mut config = config.clone();
    config
        .delivery
        .allow_addresses
        .push(IpNet::from(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let services = wiring::services(&config, clock)?;
    let leader = Leader::new(&services);
    lead(&leader).await?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, super::receiver()).await {
            tracing::warn!(%error, "the receiver has ended");
        }
    });
    let outcome = async {
        prepare(&services, command).await?;
        let engine = work(&config, &services, &stop, &mut tasks)?;
        let outcome = live(&services, &leader, (first, present), command.events, &url).await;
        stop.cancel();
        engine.drain(DRAIN).await;
        outcome
    }
    .await;
    services.jobs.close().await;
    leader.resign().await;
    outcome
}

/// Starts workers in this process.
fn work(
    config: &Config,
    services: &Arc<Services>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Engine> {
    let engine = Engine::start(Arc::clone(services))?;
    let (working, services) = (engine.clone(), Arc::clone(services));
    let (settings, stop) = (wiring::queue_workers(config), stop.clone());
    tasks.spawn(async move {
        tokio::join!(
            services.catalog.follow(stop.clone()),
            worker::queues::run(&working, &services.queues, &settings, &stop),
            worker::loops::run(&working, &services, &stop),
        );
    });
    Ok(engine)
}

/// Keeps every scheduler from acting.
async fn lead(leader: &Leader<'_>) -> Outcome {
    if leader.lead().await? {
        return Ok(());
    }
    Err(Failure::Refused(
        "another process runs on these stores, in the present; stop it first".to_owned(),
    ))
}

/// Partitions, the feature, and a place for copies.
async fn prepare(services: &Services, command: &Demo) -> Outcome {
    let actor = Actor::system();
    partitions::keep_ahead(services).await?;
    services.catalog.reload().await?;
    if !features::retention_policy(services).await?.on {
        features::set_retention_policy(services, &actor, true).await?;
        println!("The feature retention-policy is on now.");
    }
    storage_policies::sync_configuration(services).await?;
    if storage_policies::newest(services, Scope::Instance)
        .await?
        .is_none()
    {
        let path = std::path::absolute(&command.archive)?.display().to_string();
        let policy = StoragePolicy::OnPrem(OnPremPolicy { path: path.clone() });
        match storage_policies::save(services, &actor, Scope::Instance, Origin::Command, policy, false)
            .await?
        {
            Saved::Done { .. } => println!("Copies lie in {path} now."),
            Saved::Unfit(_) => {
                return Err(Failure::Refused(format!(
                    "{path} cannot hold copies; name another one with --archive"
                )));
            }
        }
    }
    Ok(())
}

/// Lives from the morning of the first day to the present.
async fn live(
    services: &Arc<Services>,
    leader: &Leader<'_>,
    (first, present): (NaiveDate, DateTime<Utc>),
    events: usize,
    url: &str,
) -> Outcome {
    let mut subjects = make_projects(services, url).await?;
    let today = present.date_naive();
    let days: Vec<NaiveDate> = std::iter::successors(Some(first), |day| Some(next_day(*day)))
        .take_while(|day| *day < today)
        .collect();
    let bar = ProgressBar::new(days.len() as u64);
    for day in days {
        lead(leader).await?;
        services.clock.set(start_of(day) + TimeDelta::hours(9));
        for (kept, endpoint) in &mut subjects {
            for n in 0..events {
                let sent = super::send(services, &Actor::system(), kept.id, &[*endpoint], n).await?;
                kept.accepted.extend([sent]);
            }
        }
        for (kept, _) in &subjects {
            delivered(services, kept.id, day, events).await?;
        }
        night(services, next_day(day), present).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    conclude(services, &subjects).await
}

/// The jobs of the night in which `day` begins. The copies come first: jobs that are due at once
/// would run side by side.
async fn night(services: &Arc<Services>, day: NaiveDate, present: DateTime<Utc>) -> Outcome {
    let lifecycle = &services.options.lifecycle;
    let (backup, deletion) = (
        lifecycle.backup_at,
        lifecycle.deletion_at.max(lifecycle.backup_at),
    );
    let plan = [
        ("keep_partitions_ahead", start_of(day)),
        ("backup", day.and_time(backup).and_utc()),
        ("deletion", day.and_time(deletion).and_utc()),
    ];
    for (name, at) in plan {
        services.clock.set(at.min(present));
        let input = JobInput::default();
        let run = jobs::run_now(services, &Actor::system(), Job::called(name)?, input).await?;
        if run.state != RunState::Done {
            let why = run.error.unwrap_or_default();
            return Err(anyhow::anyhow!("{name} in the night to {day}: {why}").into());
        }
    }
    Ok(())
}

/// Waits until every event of the day is delivered.
async fn delivered(services: &Services, project: ProjectId, day: NaiveDate, events: usize) -> Outcome {
    let filter = DeliveryFilter {
        from: Some(start_of(day)),
        states: vec![DeliveryState::Success],
        ..DeliveryFilter::default()
    };
    let waiting = async {
        loop {
            let n = services::deliveries::count(services, &Actor::system(), project, &filter).await?;
            if usize::try_from(n).is_ok_and(|n| n >= events) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(outcome) => outcome,
        Err(_) => Err(anyhow::anyhow!("events of {day} were not delivered within {PATIENCE:?}").into()),
    }
}

async fn make_projects(services: &Services, url: &str) -> Result<Vec<(Kept, EndpointId)>, Failure> {
    let actor = Actor::system();
    let known = projects::list(services, &actor, None).await?;
    if let Some((name, _)) = PROJECTS
        .iter()
        .find(|(name, _)| known.iter().any(|one| one.project.name == *name))
    {
        let text = format!("there is a project {name} already; --days wants to make it");
        return Err(Failure::Refused(text));
    }
    let organisation = match organisations::list(services, &actor).await?.into_iter().next() {
        Some(organisation) => organisation,
        None => organisations::create(services, &actor, "Demo").await?,
    };
    let mut made = Vec::new();
    for (name, days) in PROJECTS {
        let new = NewProject {
            organisation: Some(organisation.id),
            name: name.to_owned(),
            kind: "outgoing".to_owned(),
            ..NewProject::default()
        };
        let created = projects::create(services, &actor, new).await?;
        let id = created.project.id;
        println!("{name}: project {id}, API key {}", created.api_key.clear);
        let change = PolicyChange {
            on: Some(days.is_some()),
            days: days.map(|days| days.to_string()),
            backup: Some(true),
            own_storage: None,
        };
        retention::save(services, &actor, id, &change, Some(name)).await?;
        let endpoint = super::endpoint(services, &actor, id, "Local receiver", url).await?;
        let kept = Kept {
            name,
            id,
            class: days.map_or(KeepDays::FOR_EVER, |days| KeepDays(days.cast_signed())),
            accepted: BTreeMap::new(),
        };
        made.push((kept, endpoint));
    }
    services.catalog.reload().await?;
    Ok(made)
}

/// Prints what is where; an error when a promise was broken.
async fn conclude(services: &Services, subjects: &[(Kept, EndpointId)]) -> Outcome {
    let mut found = Vec::new();
    for (kept, _) in subjects {
        found.push((kept, kept.look(services, services.clock.now()).await?));
    }
    promise::print(&found);
    let broken: Vec<String> = found
        .iter()
        .flat_map(|(kept, found)| found.broken.iter().map(|text| format!("{}: {text}", kept.name)))
        .collect();
    if broken.is_empty() {
        println!("Every promise was kept.");
        return Ok(());
    }
    Err(anyhow::anyhow!("promises were broken:\n{}", broken.join("\n")).into())
}
