//! What a project's overview shows: from hourly counters and the small partial indexes, never from
//! a scan.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, DurationRound, NaiveDate, TimeDelta, Utc};
use db::counts::Count;
use domain::counts::{Metric, percentile};
use domain::id::{EndpointId, ProjectId};
use domain::page::PageRequest;
use domain::role::Role;
use domain::state::DeliveryState;

use crate::Services;
use crate::access::Actor;
use crate::deliveries::{Delivery, DeliveryFilter};
use crate::error::Result;
use crate::events::COUNT_LIMIT;

/// Days of the heat strip.
const STRIP_DAYS: i64 = 45;
/// Rows of the list of failures.
const FAILURES: u32 = 6;

/// Counters of one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events accepted.
    pub accepted: i64,
    /// Events that no subscription matched.
    pub unmatched: i64,
    /// Deliveries that ended well.
    pub delivered: i64,
    /// Deliveries whose attempts were used up.
    pub failed: i64,
    /// Deliveries that were not sent.
    pub discarded: i64,
    /// Attempts that failed and were followed by another.
    pub retried: i64,
}

impl Tally {
    /// Share of ended deliveries that ended well, in percent.
    pub fn success_rate(self) -> Option<f64> {
        let ended = self.delivered + self.failed;
        (ended > 0).then(|| self.delivered as f64 * 100.0 / ended as f64)
    }

    fn add(&mut self, metric: Metric, n: i64) {
        match metric {
            Metric::Accepted => self.accepted += n,
            Metric::Unmatched => self.unmatched += n,
            Metric::Delivered => self.delivered += n,
            Metric::Failed => self.failed += n,
            Metric::Discarded => self.discarded += n,
            Metric::Retried => self.retried += n,
            Metric::AcceptedBytes | Metric::Duplicate | Metric::Latency(_) => {}
        }
    }
}

/// Latencies from accepted to delivered, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// Median.
    pub p50: Option<f64>,
    /// 95 of 100 were faster.
    pub p95: Option<f64>,
    /// 99 of 100 were faster.
    pub p99: Option<f64>,
}

/// What one endpoint did in the range.
#[derive(Clone, Debug, Default)]
pub struct EndpointTally {
    /// The endpoint.
    pub id: Option<EndpointId>,
    /// Its counters.
    pub tally: Tally,
    /// Its latencies.
    pub latency: Latency,
}

/// The overview of a project.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Sums over the range.
    pub total: Tally,
    /// Sums over the range before.
    pub before: Tally,
    /// Latencies in the range.
    pub latency: Latency,
    /// One tally per hour, oldest first, without gaps.
    pub hours: Vec<(DateTime<Utc>, Tally)>,
    /// p95 of each of those hours.
    pub hourly_p95: Vec<Option<f64>>,
    /// Endpoints that did something, most failures first.
    pub endpoints: Vec<EndpointTally>,
    /// Deliveries that will be tried again, counted up to the limit.
    pub retrying: i64,
    /// Deliveries that wait for a first attempt or a held endpoint, counted up to the limit.
    pub scheduled: i64,
    /// Newest failures.
    pub failures: Vec<Delivery>,
    /// Events accepted per UTC day, oldest first, without gaps.
    pub days: Vec<(NaiveDate, i64)>,
}

/// The overview of a project over the last `hours`.
///
/// # Errors
/// [`crate::Error::Forbidden`]; [`crate::Error::Unavailable`] while PostgreSQL is away.
pub async fn overview(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    hours: u16,
) -> Result<Overview> {
    actor.require(project, Role::Viewer)?;
    let now = services.clock.now();
    let span = TimeDelta::hours(i64::from(hours.clamp(1, 24 * 31)));
    let end = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now) + TimeDelta::hours(1);
    let (start, before) = (end - span, end - span * 2);
    let counts = db::counts::hourly(&services.db, &[project], before, end).await?;
    let (now_counts, before_counts): (Vec<Count>, Vec<Count>) =
        counts.into_iter().partition(|c| c.hour >= start);
    let mut view = Overview {
        total: tally(&now_counts),
        before: tally(&before_counts),
        latency: latency(&now_counts),
        endpoints: by_endpoint(&now_counts),
        ..Overview::default()
    };
    by_hour(&mut view, &now_counts, start, end);
    view.days = days(services, project, now).await?;
    waiting(services, project, &mut view).await?;
    let failed = DeliveryFilter {
        states: vec![DeliveryState::Failure],
        from: Some(start),
        ..Default::default()
    };
    let page = db::deliveries::list(&services.db, project, &failed, PageRequest::first(FAILURES)).await?;
    view.failures = page.items;
    Ok(view)
}

/// Sums of the last 24 hours of several projects, for the list of projects.
///
/// # Errors
/// [`crate::Error::Forbidden`] when one of them is not the actor's.
pub async fn last_day(
    services: &Services,
    actor: &Actor,
    projects: &[ProjectId],
) -> Result<HashMap<ProjectId, Tally>> {
    for project in projects {
        actor.require(*project, Role::Viewer)?;
    }
    let now = services.clock.now();
    let counts = db::counts::hourly(&services.db, projects, now - TimeDelta::hours(24), now).await?;
    let mut tallies: HashMap<ProjectId, Tally> = HashMap::new();
    for count in counts {
        tallies
            .entry(count.project)
            .or_default()
            .add(count.metric, count.n);
    }
    Ok(tallies)
}

fn tally(counts: &[Count]) -> Tally {
    let mut tally = Tally::default();
    for count in counts {
        tally.add(count.metric, count.n);
    }
    tally
}

fn latency<'a>(counts: impl IntoIterator<Item = &'a Count>) -> Latency {
    let mut buckets: BTreeMap<u8, u64> = BTreeMap::new();
    for count in counts {
        if let Metric::Latency(bucket) = count.metric {
            *buckets.entry(bucket).or_default() += count.n.max(0) as u64;
        }
    }
    let buckets: Vec<(u8, u64)> = buckets.into_iter().collect();
    Latency {
        p50: percentile(&buckets, 0.5),
        p95: percentile(&buckets, 0.95),
        p99: percentile(&buckets, 0.99),
    }
}

fn by_endpoint(counts: &[Count]) -> Vec<EndpointTally> {
    let mut groups: HashMap<EndpointId, Vec<&Count>> = HashMap::new();
    for count in counts.iter().filter(|c| c.endpoint != db::hot::WHOLE_PROJECT) {
        groups.entry(count.endpoint).or_default().push(count);
    }
    let mut endpoints: Vec<EndpointTally> = groups
        .into_iter()
        .map(|(id, counts)| {
            let mut tally = Tally::default();
            for count in &counts {
                tally.add(count.metric, count.n);
            }
            EndpointTally {
                id: Some(id),
                tally,
                latency: latency(counts),
            }
        })
        .collect();
    endpoints.sort_by_key(|e| {
        (
            std::cmp::Reverse(e.tally.failed),
            std::cmp::Reverse(e.tally.delivered),
            e.id,
        )
    });
    endpoints
}

fn by_hour(view: &mut Overview, counts: &[Count], start: DateTime<Utc>, end: DateTime<Utc>) {
    let mut groups: HashMap<DateTime<Utc>, Vec<&Count>> = HashMap::new();
    for count in counts {
        groups.entry(count.hour).or_default().push(count);
    }
    let mut hour = start;
    while hour < end {
        let counts = groups.remove(&hour).unwrap_or_default();
        let mut tally = Tally::default();
        for count in &counts {
            tally.add(count.metric, count.n);
        }
        view.hours.push((hour, tally));
        view.hourly_p95.push(latency(counts).p95);
        hour += TimeDelta::hours(1);
    }
}

async fn days(services: &Services, project: ProjectId, now: DateTime<Utc>) -> Result<Vec<(NaiveDate, i64)>> {
    let today = now.date_naive();
    let first = today - TimeDelta::days(STRIP_DAYS - 1);
    let from = domain::lifecycle::start_of(first);
    let known: HashMap<NaiveDate, i64> = db::counts::accepted_daily(&services.db, project, from, now)
        .await?
        .into_iter()
        .collect();
    let days = first.iter_days().take(STRIP_DAYS as usize);
    Ok(days
        .map(|day| (day, known.get(&day).copied().unwrap_or(0)))
        .collect())
}

async fn waiting(services: &Services, project: ProjectId, view: &mut Overview) -> Result<()> {
    let in_state = |state| DeliveryFilter {
        states: vec![state],
        ..Default::default()
    };
    let retry = in_state(DeliveryState::Retry);
    view.retrying = db::deliveries::count(&services.db, project, &retry, COUNT_LIMIT).await?;
    let scheduled = in_state(DeliveryState::Scheduled);
    view.scheduled = db::deliveries::count(&services.db, project, &scheduled, COUNT_LIMIT).await?;
    Ok(())
}
