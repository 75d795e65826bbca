//! From the use cases to the overview.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    id::{EndpointId, ProjectId},
    state::EndpointState,
};
use services::{
    Services, catalog,
    overview::{self, EndpointTally, Overview, Tally},
};

use super::{
    dto::{EndpointSummary, OverviewDto},
    life,
    shapes::{self, Slice},
};
use crate::{
    context::in_project,
    error::UiError,
    features::{
        common::{Attention, first_event_command},
        deliveries::present::{Names, rows},
        query::value_of,
        words,
    },
    format::{self, Stamp},
    ui::{
        heat::{HeatDay, Strip},
        load::Place,
        stat::Stat,
        tabs::Tab,
    },
};

/// Ranges: value, short words, long words, hours, hours of one slice.
const RANGES: [(&str, &str, &str, u16, usize); 3] = [
    ("24h", "24 h", "Last 24 hours", 24, 1),
    ("7d", "7 d", "Last 7 days", 168, 2),
    ("30d", "30 d", "Last 30 days", 720, 8),
];
/// Endpoints in the list.
const ENDPOINTS: usize = 7;

/// What the overview shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
pub async fn overview(place: Place) -> Result<OverviewDto, UiError> {
    let at = in_project(&place.project).await?;
    let asked = value_of(&place.query, "range").unwrap_or_default();
    let range = RANGES.iter().find(|r| r.0 == asked).unwrap_or(&RANGES[0]);
    let (services, now) = (&at.by.services, at.by.now);
    let view = overview::overview(services, &at.by.actor, at.id, range.3).await?;
    let live = services.catalog.project(at.id);
    let names = Names::of(&at, view.failures.iter().map(|d| d.endpoint_id)).await?;
    let first_event = first_event(services, &at.by.actor, at.id, live.as_deref()).await?;
    let mut wants = life::wants(&at.by, Some(at.id)).await?;
    wants.extend(attention(&at.project.at(""), live.as_deref(), &view));
    let ranges = RANGES
        .iter()
        .map(|r| Tab::new(r.1, format!("?range={}", r.0), r.0 == range.0));
    Ok(OverviewDto {
        meta: meta(live.as_deref()),
        ranges: ranges.collect(),
        range: range.2.to_owned(),
        attention: wants,
        stats: stats(&view, range.4),
        chart: shapes::success(&slices(&view, range.4), hours(&view)),
        chart_note: if range.4 == 1 {
            "per hour, UTC".to_owned()
        } else {
            format!("per {} hours, UTC", range.4)
        },
        endpoints: endpoints(live.as_deref(), &view),
        days: days(&at.project.at("events"), &view, now),
        days_note: format!("Events accepted per UTC day, {} days", view.days.len()),
        failures: rows(&view.failures, &names, |d| {
            Stamp::ago(d.ended_at.unwrap_or(d.accepted_at), now)
        }),
        failed: words::counted(view.total.failed),
        first_event,
        project: at.project,
    })
}

/// Command that sends the first event; empty once there was one.
///
/// # Errors
/// When a store is away.
pub async fn first_event(
    services: &Services,
    actor: &services::access::Actor,
    id: ProjectId,
    live: Option<&catalog::Project>,
) -> Result<String, UiError> {
    let known = services::projects::get(services, actor, id).await?;
    if known.counts.events_exist {
        return Ok(String::new());
    }
    let endpoint = live
        .and_then(|p| p.endpoints.keys().next())
        .map_or_else(|| "ENDPOINT_ID".to_owned(), ToString::to_string);
    Ok(first_event_command(
        &services.options.public_url,
        &id.to_string(),
        &endpoint,
    ))
}

fn meta(live: Option<&catalog::Project>) -> Vec<String> {
    let Some(live) = live else { return Vec::new() };
    let count = |n: usize, one: &str, many: &str| {
        if n == 1 {
            format!("1 {one}")
        } else {
            format!("{} {many}", format::count(n as i64))
        }
    };
    vec![
        count(live.endpoints.len(), "endpoint", "endpoints"),
        count(live.subscriptions.len(), "subscription", "subscriptions"),
        format!("Kept {}", live.keep_days),
    ]
}

/// What wants a person in one project: endpoints that fail, are held or off, and what is retried.
pub fn attention(base: &str, live: Option<&catalog::Project>, view: &Overview) -> Vec<Attention> {
    let mut list = Vec::new();
    let names: HashMap<EndpointId, &str> = live
        .map(|p| p.endpoints.iter().map(|(id, e)| (*id, e.name.as_str())).collect())
        .unwrap_or_default();
    for row in view.endpoints.iter().filter(|e| fails(e)).take(3) {
        let Some((id, name)) = row.id.and_then(|id| Some((id, *names.get(&id)?))) else {
            continue;
        };
        list.push(Attention {
            state: "failure".to_owned(),
            icon: "failure".to_owned(),
            title: format!("{} to {name} failed", words::deliveries(row.tally.failed)),
            text: format!(
                "{} succeeded in the same time.",
                words::deliveries(row.tally.delivered)
            ),
            since: Stamp::default(),
            action: "See failures".to_owned(),
            href: format!("{base}/deliveries?state=Failure&q=endpoint:{id}"),
        });
    }
    let mut held: Vec<_> = live.map(|p| p.endpoints.values().collect()).unwrap_or_default();
    held.retain(|e| e.state != EndpointState::Active);
    held.sort_by(|a, b| a.name.cmp(&b.name));
    for endpoint in held.iter().take(3) {
        let look = endpoint.state.look();
        let text = match endpoint.state {
            EndpointState::Paused => "Its deliveries wait until it is activated.",
            _ => "Its deliveries are discarded until it is activated.",
        };
        list.push(Attention {
            state: look.state.to_owned(),
            icon: look.icon.to_owned(),
            title: format!("{} is {}", endpoint.name, look.word.to_lowercase()),
            text: text.to_owned(),
            since: Stamp::default(),
            action: "Open endpoint".to_owned(),
            href: format!("{base}/endpoints/{}", endpoint.id),
        });
    }
    if let Some(row) = retrying(base, view) {
        list.push(row);
    }
    list
}

fn fails(row: &EndpointTally) -> bool {
    // One failure in a thousand is not news; one in a hundred is.
    row.tally.failed > 0 && row.tally.failed * 100 >= row.tally.delivered
}

fn retrying(base: &str, view: &Overview) -> Option<Attention> {
    (view.retrying > 0).then(|| Attention {
        state: "retry".to_owned(),
        icon: "retry".to_owned(),
        title: format!("{} retrying", words::deliveries(view.retrying)),
        text: "Each is tried again by its own schedule.".to_owned(),
        since: Stamp::default(),
        action: "See deliveries".to_owned(),
        href: format!("{base}/deliveries?state=Retry"),
    })
}

/// The four numbers. `step` hours make one point of a line.
pub fn stats(view: &Overview, step: usize) -> Vec<Stat> {
    let sums = |of: fn(&Tally) -> i64| -> Vec<f64> {
        view.hours
            .chunks(step)
            .map(|c| c.iter().map(|(_, t)| of(t)).sum::<i64>() as f64)
            .collect()
    };
    let accepted = Stat {
        label: "Events accepted".to_owned(),
        value: format::short_count(view.total.accepted),
        spark: shapes::spark(&sums(|t| t.accepted), ""),
        delta: change(view.total.accepted, view.before.accepted),
        note: if view.before.accepted > 0 {
            "on the time before".to_owned()
        } else {
            String::new()
        },
        ..Stat::default()
    };
    vec![
        accepted,
        delivered(view, step),
        latency(view, step),
        waiting(view),
    ]
}

fn change(now: i64, before: i64) -> String {
    if before <= 0 {
        return String::new();
    }
    let percent = (now - before) as f64 * 100.0 / before as f64;
    if percent.abs() < 0.05 {
        return format!("0{}%", format::NBSP);
    }
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{:.1}{}%", percent.abs(), format::NBSP)
}

fn delivered(view: &Overview, step: usize) -> Stat {
    let label = "Delivered".to_owned();
    let Some(rate) = view.total.success_rate() else {
        return Stat {
            label,
            value: format::NONE.to_owned(),
            note: "nothing was delivered yet".to_owned(),
            ..Stat::default()
        };
    };
    let ended = view.total.delivered + view.total.failed;
    let points = view
        .before
        .success_rate()
        .map(|before| rate - before)
        .filter(|d| d.abs() >= 0.005);
    let delta = points.map_or_else(String::new, |d| {
        format!("{}{:.2} points,", if d < 0.0 { "−" } else { "+" }, d.abs())
    });
    let worse = points.is_some_and(|d| d < 0.0);
    let rates: Vec<f64> = view
        .hours
        .chunks(step)
        .map(|chunk| share(chunk.iter().map(|(_, t)| *t)))
        .collect();
    Stat {
        label,
        value: format::percent(rate / 100.0).replace([format::NBSP, '%'], ""),
        unit: "%".to_owned(),
        spark: shapes::spark(&rates, ""),
        delta,
        delta_state: if worse {
            "failure".to_owned()
        } else {
            String::new()
        },
        note: format!(
            "{} failed of {}",
            format::count(view.total.failed),
            format::count(ended)
        ),
    }
}

fn share(tallies: impl Iterator<Item = Tally>) -> f64 {
    let (mut good, mut bad) = (0, 0);
    for tally in tallies {
        good += tally.delivered;
        bad += tally.failed;
    }
    if good + bad == 0 {
        1.0
    } else {
        good as f64 / (good + bad) as f64
    }
}

fn latency(view: &Overview, step: usize) -> Stat {
    let (value, unit) = words::latency(view.latency.p95);
    let text = |ms: Option<f64>| {
        let (value, unit) = words::latency(ms);
        format!("{value}{}{unit}", format::NBSP)
    };
    let worst = |chunk: &[Option<f64>]| chunk.iter().flatten().copied().fold(0.0, f64::max);
    let line: Vec<f64> = view.hourly_p95.chunks(step).map(worst).collect();
    let note = if view.latency.p50.is_some() {
        format!("p50 {}, p99 {}", text(view.latency.p50), text(view.latency.p99))
    } else {
        "nothing was delivered yet".to_owned()
    };
    Stat {
        label: "Accepted to delivered, p95".to_owned(),
        value,
        unit,
        spark: shapes::spark(&line, ""),
        note,
        ..Stat::default()
    }
}

fn waiting(view: &Overview) -> Stat {
    Stat {
        label: "Waiting".to_owned(),
        value: words::counted(view.retrying + view.scheduled),
        note: format!(
            "{} retrying, {} scheduled",
            words::counted(view.retrying),
            words::counted(view.scheduled)
        ),
        ..Stat::default()
    }
}

fn slices(view: &Overview, step: usize) -> Vec<Slice> {
    let sum = |chunk: &[(DateTime<Utc>, Tally)]| {
        chunk.iter().fold(Slice::default(), |s, (_, t)| Slice {
            succeeded: s.succeeded + t.delivered,
            failed: s.failed + t.failed,
            retried: s.retried + t.retried,
        })
    };
    view.hours.chunks(step).map(sum).collect()
}

/// Seven words of the time axis.
fn hours(view: &Overview) -> Vec<String> {
    let (Some((first, _)), Some((last, _))) = (view.hours.first(), view.hours.last()) else {
        return Vec::new();
    };
    let end = *last + TimeDelta::hours(1);
    let long = end - *first > TimeDelta::days(2);
    (0..=6)
        .map(|i| {
            let at = *first + (end - *first) * i / 6;
            if long {
                format::day(at.date_naive(), end)
            } else {
                at.format("%H:%M").to_string()
            }
        })
        .collect()
}

fn endpoints(live: Option<&catalog::Project>, view: &Overview) -> Vec<EndpointSummary> {
    let Some(live) = live else { return Vec::new() };
    let tallies: HashMap<EndpointId, &EndpointTally> =
        view.endpoints.iter().filter_map(|e| Some((e.id?, e))).collect();
    let mut all: Vec<_> = live.endpoints.values().collect();
    let failed = |id| tallies.get(id).map_or(0, |t| t.tally.failed);
    all.sort_by(|a, b| {
        failed(&b.id)
            .cmp(&failed(&a.id))
            .then_with(|| a.name.cmp(&b.name))
    });
    all.into_iter()
        .take(ENDPOINTS)
        .map(|endpoint| {
            let tally = tallies.get(&endpoint.id);
            let p95 = tally
                .and_then(|t| t.latency.p95)
                .map(|ms| format::duration_ms(ms.round() as u64));
            EndpointSummary {
                id: endpoint.id.to_string(),
                name: endpoint.name.clone(),
                state: endpoint.state,
                delivered: format::count(tally.map_or(0, |t| t.tally.delivered)),
                failed: format::count(tally.map_or(0, |t| t.tally.failed)),
                p95: p95.unwrap_or_default(),
            }
        })
        .collect()
}

fn days(events: &str, view: &Overview, now: DateTime<Utc>) -> Strip {
    let most = view.days.iter().map(|(_, n)| *n).max().unwrap_or(0);
    let days = view.days.iter().map(|(date, n)| HeatDay {
        day: format::day(*date, now),
        events: format::count(*n),
        level: shapes::level(*n, most),
        href: format!("{events}?q=day:{}", format::day_compact(*date)),
    });
    Strip::new(days.collect())
}
