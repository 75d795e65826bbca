//! One erasure, from where it stands to where it can get.

use chrono::{DateTime, TimeDelta, Utc};
use db::erasures::Standing;
use domain::segment::Kind;

use super::archive::{self, Found};
use super::hot::{self, Holds};
use super::{Counts, Open, RETRY, ledger, leftovers};
use crate::Services;
use crate::error::{Error, Result};

/// A queue that never is empty has passed an event after this long, while its oldest entry is younger.
const LONG: TimeDelta = TimeDelta::hours(1);
/// See [`LONG`].
const YOUNG: u64 = 30 * 60 * 1000;

/// What is in the way of an erasure.
#[derive(Debug, Default)]
pub(super) struct Obstacles {
    /// Somebody has to act: release a hold, lift a lock, repair.
    pub(super) blocked: Vec<String>,
    /// It goes away by itself.
    pub(super) later: Vec<String>,
    /// Segments that may still hold something.
    pub(super) segments: i32,
}

impl Obstacles {
    fn standing(&self) -> (&'static str, Option<String>) {
        let all: Vec<&str> = self
            .blocked
            .iter()
            .chain(&self.later)
            .map(String::as_str)
            .collect();
        match (self.blocked.is_empty(), all.is_empty()) {
            (false, _) => ("blocked", Some(all.join("; "))),
            (true, false) => ("pending", Some(all.join("; "))),
            (true, true) => ("done", None),
        }
    }
}

/// The first steps, for whoever asked for the erasure: rows in PostgreSQL.
pub(super) async fn begin(services: &Services, mut open: Open) -> Result<()> {
    let mut obstacles = Obstacles::default();
    enter(services, &mut open, &mut obstacles).await?;
    let holds = Holds::load(services, open.project).await?;
    look_through(services, &mut open, &holds).await?;
    save(services, &open, "pending", None, None).await
}

/// Goes as far as it gets.
pub(super) async fn advance(services: &Services, mut open: Open, counts: &mut Counts) -> Result<()> {
    let (now, before) = (services.clock.now(), open.progress.clone());
    let mut obstacles = Obstacles::default();
    enter(services, &mut open, &mut obstacles).await?;
    let holds = Holds::load(services, open.project).await?;
    let held = db::erasures::hot::hold(&services.db, open.id, &holds.0).await?;
    // The end of a hold frees at once; other things in the way are tried from time to time.
    let freed = held < before.held_events;
    let retry = if freed { now } else { now - RETRY };
    let waits = before.held_events > 0 && !freed && before.hot_tried_at.is_some_and(|at| at > retry);
    if freed || (open.progress.hot_done_at.is_none() && !waits) {
        look_through(services, &mut open, &holds).await?;
        save(services, &open, "pending", None, None).await?;
    }
    let found = into_the_archive(services, &mut open, &holds, retry, &mut obstacles).await?;
    // The archive may have told of further events.
    hot::follow(services, &mut open, &holds).await?;
    if open.progress.held_events > 0 {
        let n = open.progress.held_events;
        obstacles.blocked.push(format!("a legal hold keeps {n} events"));
    } else if open.progress.hot_done_at.is_none() {
        obstacles
            .later
            .push("events accepted before it may still be on their way".to_owned());
    }
    counts.events += open.progress.events - before.events;
    counts.segments += found.rewritten;
    let (state, why) = obstacles.standing();
    match state {
        "done" => counts.done += 1,
        "blocked" => counts.blocked += 1,
        _ => {}
    }
    save(services, &open, state, why.as_deref(), Some(obstacles.segments)).await
}

/// Remembers the erasure in the store.
async fn enter(services: &Services, open: &mut Open, obstacles: &mut Obstacles) -> Result<()> {
    match ledger::enter(services, open).await {
        Ok(()) => Ok(()),
        Err(ledger::EntryError::Store(error)) => {
            obstacles
                .later
                .push(format!("the store does not take the ledger's entry: {error}"));
            Ok(())
        }
        Err(ledger::EntryError::Service(error)) => Err(error),
    }
}

/// Looks through PostgreSQL; notes when nothing can have been missed.
async fn look_through(services: &Services, open: &mut Open, holds: &Holds) -> Result<()> {
    let now = services.clock.now();
    let settled = open.progress.settled_at.is_none_or(|at| at <= now);
    let passed = has_passed(services, open, now).await;
    let before = open.progress.settled_at;
    hot::pass(services, open, holds).await?;
    open.progress.hot_tried_at = Some(now);
    let quiet = settled && passed && open.progress.settled_at == before;
    if quiet && open.progress.held_events == 0 {
        open.progress.hot_done_at = Some(now);
    }
    // Whoever has read rows before they were changed must not make a backup of them.
    Ok(db::erasures::outdate_backups(&services.db, open.project).await?)
}

/// Whether no event accepted before the erasure can still be in the queue.
async fn has_passed(services: &Services, open: &Open, now: DateTime<Utc>) -> bool {
    match services.queues.events.stats().await {
        Ok(stats) => {
            let empty = stats.waiting + stats.in_flight + stats.delayed == 0;
            empty || (now - open.requested_at > LONG && stats.oldest_waiting_ms < YOUNG)
        }
        Err(error) => {
            tracing::debug!(%error, "an erasure waits for Redis");
            false
        }
    }
}

/// Segments: events first, because they tell which attempts are meant.
async fn into_the_archive(
    services: &Services,
    open: &mut Open,
    holds: &Holds,
    retry: DateTime<Utc>,
    obstacles: &mut Obstacles,
) -> Result<Found> {
    let mut found = Found::default();
    for kind in [Kind::Events, Kind::Attempts] {
        let more = archive::look_into(services, open, holds, kind, retry).await?;
        if kind == Kind::Events && more.later.is_empty() {
            open.progress.events_known = true;
        }
        let done = more.later.is_empty();
        found.rewritten += more.rewritten;
        obstacles.later.extend(more.later);
        if !done {
            break;
        }
    }
    leftovers::remove(services, open, retry, obstacles).await?;
    let (segments, _) = db::erasures::objects::done(&services.db, open.id).await?;
    for segment in segments.iter().filter(|one| one.outcome == "blocked") {
        let reason = segment.reason.as_deref().unwrap_or("it cannot be changed");
        obstacles
            .blocked
            .push(format!("segment {}: {reason}", segment.segment));
        obstacles.segments += 1;
    }
    Ok(found)
}

async fn save(
    services: &Services,
    open: &Open,
    state: &str,
    blocked_by: Option<&str>,
    segments_left: Option<i32>,
) -> Result<()> {
    let receipt = serde_json::to_value(&open.progress).map_err(Error::internal)?;
    let standing = Standing {
        state,
        blocked_by,
        receipt: &receipt,
        segments_left,
        done_at: (state == "done").then(|| services.clock.now()),
    };
    Ok(db::erasures::stand(&services.db, open.id, &standing).await?)
}
