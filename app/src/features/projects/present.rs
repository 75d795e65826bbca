//! From the use cases to the pages about projects, and to the frame.

use domain::{
    id::{DeliveryId, EndpointId, EventId, ProjectId, SubscriptionId},
    state::EndpointState,
};
use services::{
    deliveries, endpoints, events,
    overview::{self, Tally},
    projects::{self, NewProject, ProjectSummary},
    subscriptions,
};
use uuid::Uuid;

use super::dto::{JumpDto, NewProjectDto, ProjectForm, ProjectRow, ProjectsDto};
use crate::{
    context::{Viewing, go, keep_for_next_page, viewing},
    error::UiError,
    features::{
        common::Attention,
        overview::{life, present::attention},
        query::value_of,
        settings::present::FRESH_KEY,
        words,
    },
    format::{self, Stamp},
    ui::{
        load::Place,
        nav::{FrameDto, ProjectItem, ViewerDto},
        stat::Stat,
    },
};

/// Projects whose attention is looked at in full on the start page.
const ATTENTION_PROJECTS: usize = 20;
/// Rows of the attention list on the start page.
const ATTENTION_ROWS: usize = 12;
/// Projects that are searched for an id.
const SEARCHED_PROJECTS: usize = 200;

/// What the frame around every page shows.
///
/// # Errors
/// When nobody is signed in.
pub async fn frame(place: Place) -> Result<FrameDto, UiError> {
    let by = viewing().await?;
    let current = by
        .viewer
        .projects
        .iter()
        .find(|p| p.id.to_string() == place.project);
    let live = current.and_then(|p| by.services.catalog.project(p.id));
    let paused = live.map_or(0, |p| {
        p.endpoints
            .values()
            .filter(|e| e.state == EndpointState::Paused)
            .count()
    });
    let organisation = match current {
        Some(project) => by
            .viewer
            .organisations
            .iter()
            .find(|o| o.id == project.organisation_id),
        None => by.viewer.organisations.first(),
    };
    let now = by.now;
    Ok(FrameDto {
        organisation: organisation.map_or_else(|| "Longhaul".to_owned(), |o| o.name.clone()),
        projects: by
            .viewer
            .projects
            .iter()
            .map(|p| ProjectItem {
                id: p.id.to_string(),
                name: p.name.clone(),
            })
            .collect(),
        current: current.map(|p| p.id.to_string()).unwrap_or_default(),
        paused_endpoints: u32::try_from(paused).unwrap_or(u32::MAX),
        now: Stamp {
            text: format!(
                "{} UTC, {}",
                format::clock(now),
                format::day(now.date_naive(), now)
            ),
            ..Stamp::ago(now, now)
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
        viewer: viewer(&by),
    })
}

fn viewer(by: &Viewing) -> ViewerDto {
    let user = &by.viewer.user;
    let role = if user.instance_admin {
        "Instance admin"
    } else {
        by.viewer
            .projects
            .iter()
            .map(|p| p.role)
            .max()
            .map_or("No project", domain::role::Role::label)
    };
    let names = [&user.first_name, &user.last_name];
    let mut initials: String = names.iter().filter_map(|n| n.chars().next()).collect();
    if initials.is_empty() {
        initials = user
            .email
            .chars()
            .filter(|c| c.is_alphanumeric())
            .take(2)
            .collect();
    }
    ViewerDto {
        email: user.email.clone(),
        role: role.to_owned(),
        initials: initials.to_uppercase(),
        instance_admin: user.instance_admin,
    }
}

/// What the start page shows.
///
/// # Errors
/// When nobody is signed in or a store is away.
pub async fn list(_place: Place) -> Result<ProjectsDto, UiError> {
    let by = viewing().await?;
    let known = projects::list(&by.services, &by.actor, None).await?;
    let ids: Vec<ProjectId> = known.iter().map(|p| p.project.id).collect();
    let tallies = overview::last_day(&by.services, &by.actor, &ids).await?;
    let tally = |id: ProjectId| tallies.get(&id).copied().unwrap_or_default();
    let mut wants = life::wants(&by, None).await?;
    for id in ids.iter().take(ATTENTION_PROJECTS) {
        wants.extend(attention_of(&by, *id).await?);
    }
    wants.truncate(ATTENTION_ROWS);
    let total = ids.iter().fold(Tally::default(), |sum, id| add(sum, tally(*id)));
    Ok(ProjectsDto {
        attention: wants,
        stats: if known.is_empty() {
            Vec::new()
        } else {
            stats(total)
        },
        rows: known.iter().map(|p| row(p, tally(p.project.id))).collect(),
        can_create: by.viewer.user.instance_admin,
    })
}

/// What wants a person in one project, with the project's name in front.
async fn attention_of(by: &Viewing, id: ProjectId) -> Result<Vec<Attention>, UiError> {
    let Some(live) = by.services.catalog.project(id) else {
        return Ok(Vec::new());
    };
    let view = overview::overview(&by.services, &by.actor, id, 24).await?;
    let mut list = attention(&format!("/projects/{id}"), Some(&live), &view);
    for item in &mut list {
        item.title = format!("{}: {}", live.name, item.title);
    }
    Ok(list)
}

fn add(a: Tally, b: Tally) -> Tally {
    Tally {
        accepted: a.accepted + b.accepted,
        unmatched: a.unmatched + b.unmatched,
        delivered: a.delivered + b.delivered,
        failed: a.failed + b.failed,
        discarded: a.discarded + b.discarded,
        retried: a.retried + b.retried,
    }
}

fn stats(total: Tally) -> Vec<Stat> {
    let stat = |label: &str, value: String, unit: &str, note: String| Stat {
        label: label.to_owned(),
        value,
        unit: unit.to_owned(),
        note,
        ..Stat::default()
    };
    let rate = total.success_rate();
    let share = rate.map_or_else(
        || format::NONE.to_owned(),
        |r| format::percent(r / 100.0).replace([format::NBSP, '%'], ""),
    );
    vec![
        stat(
            "Events accepted",
            format::short_count(total.accepted),
            "",
            "last 24 hours".to_owned(),
        ),
        stat(
            "Delivered",
            share,
            if rate.is_some() { "%" } else { "" },
            match total.delivered {
                1 => "1 delivery".to_owned(),
                n => format!("{} deliveries", format::count(n)),
            },
        ),
        stat(
            "Failed",
            format::count(total.failed),
            "",
            words::tried_again(total.retried),
        ),
        stat(
            "Unmatched",
            format::count(total.unmatched),
            "",
            "events that no subscription takes".to_owned(),
        ),
    ]
}

fn row(known: &ProjectSummary, tally: Tally) -> ProjectRow {
    ProjectRow {
        id: known.project.id.to_string(),
        name: known.project.name.clone(),
        kind: words::kind(known.project.kind).to_owned(),
        endpoints: format::count(known.counts.endpoints as i64),
        events: format::count(tally.accepted),
        success: tally
            .success_rate()
            .map_or_else(String::new, |r| format::percent(r / 100.0)),
        failed: format::count(tally.failed),
        keep: known.project.keep_days.to_string(),
    }
}

/// What the page for a new project shows.
///
/// # Errors
/// When the viewer is no instance admin.
pub async fn new(_place: Place) -> Result<NewProjectDto, UiError> {
    let by = viewing().await?;
    by.actor.require_instance()?;
    let organisations = &by.viewer.organisations;
    let list = organisations
        .iter()
        .map(|o| (o.id.to_string(), o.name.clone()))
        .collect();
    Ok(NewProjectDto { organisations: list })
}

/// Creates a project and goes to its keys, where the first one is shown once.
///
/// # Errors
/// Names the refused fields.
pub async fn create(form: ProjectForm) -> Result<String, UiError> {
    let by = viewing().await?;
    let organisation = if form.organisation.is_empty() {
        None
    } else {
        Some(crate::context::parse_id(&form.organisation)?)
    };
    let new = NewProject {
        organisation,
        name: form.name,
        kind: form.kind,
        ..NewProject::default()
    };
    let made = projects::create(&by.services, &by.actor, new)
        .await
        .map_err(|error| {
            UiError::from(error).with_names(&[
                ("name", "name"),
                ("type", "kind"),
                ("organisation_id", "organisation"),
            ])
        })?;
    keep_for_next_page(FRESH_KEY, &made.api_key.clear).await?;
    Ok(format!(
        "/projects/{}/settings/keys?saved=project",
        made.project.id
    ))
}

/// Finds whatever has the id in `q` and goes there.
///
/// # Errors
/// When nobody is signed in or a store is away.
pub async fn jump(place: Place) -> Result<JumpDto, UiError> {
    let by = viewing().await?;
    let query = value_of(&place.query, "q").unwrap_or_default().trim().to_owned();
    if let Ok(id) = query.parse::<Uuid>()
        && let Some(path) = find(&by, id).await?
    {
        go(&path);
    }
    Ok(JumpDto { query })
}

async fn find(by: &Viewing, id: Uuid) -> Result<Option<String>, UiError> {
    if by.viewer.projects.iter().any(|p| p.id.0 == id) {
        return Ok(Some(format!("/projects/{id}")));
    }
    let (services, actor) = (&by.services, &by.actor);
    for project in by.viewer.projects.iter().take(SEARCHED_PROJECTS) {
        let base = format!("/projects/{}", project.id);
        let places = [
            (
                "events",
                found(events::get(services, actor, project.id, EventId(id)).await)?,
            ),
            (
                "deliveries",
                found(deliveries::get(services, actor, project.id, DeliveryId(id)).await)?,
            ),
            (
                "endpoints",
                found(endpoints::get(services, actor, project.id, EndpointId(id)).await)?,
            ),
            (
                "subscriptions",
                found(subscriptions::get(services, actor, project.id, SubscriptionId(id)).await)?,
            ),
        ];
        if let Some((page, _)) = places.iter().find(|(_, here)| *here) {
            return Ok(Some(format!("{base}/{page}/{id}")));
        }
    }
    Ok(None)
}

/// Whether something was found; a failure other than "not found" stays one.
fn found<T>(result: services::Result<T>) -> Result<bool, UiError> {
    match result {
        Ok(_) => Ok(true),
        Err(services::Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
