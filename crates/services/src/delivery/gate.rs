//! How many attempts one endpoint may have under way in this process.
//!
//! One slow or dead endpoint must never take the places of the others. Every endpoint starts with
//! a fair number of places; each timeout halves it, each answer gives one back. Who finds no place
//! at an endpoint that answers quickly waits a moment for one. Where the line would take too long,
//! the delivery is put off in PostgreSQL and the queue instead of waiting in memory, so an endpoint
//! that hangs on every request soon holds two places and nothing else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::id::EndpointId;
use tokio::sync::Notify;

/// Places that an endpoint keeps however badly it behaves: one to work, one to notice recovery.
const LEAST_PLACES: u32 = 2;
/// Longest time to wait for a place in memory.
const PATIENCE: Duration = Duration::from_millis(500);
/// Shortest and longest time that a delivery without a place is put off.
const PUT_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The gates of all endpoints.
#[derive(Debug)]
pub struct Gates {
    most: u32,
    gates: Mutex<HashMap<EndpointId, Arc<Gate>>>,
}

impl Gates {
    /// Gates that let `most` attempts through at a time.
    pub fn new(most: u32) -> Self {
        Self {
            most: most.max(LEAST_PLACES),
            gates: Mutex::default(),
        }
    }

    /// The gate of an endpoint.
    pub fn of(&self, endpoint: EndpointId) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            gates
                .entry(endpoint)
                .or_insert_with(|| Arc::new(Gate::new(self.most))),
        )
    }
}

/// The gate of one endpoint.
#[derive(Debug)]
pub struct Gate {
    most: u32,
    places: AtomicU32,
    taken: AtomicU32,
    /// How long an attempt takes these days, in microseconds.
    pace_us: AtomicU64,
    /// Those who wait in memory.
    line: AtomicU32,
    /// Those put off since somebody got through, which tells how long the line outside is.
    put_off: AtomicU32,
    freed: Notify,
}

/// A place at the gate; free again when dropped.
#[derive(Debug)]
pub struct Place(Arc<Gate>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}

/// Somebody in the line; leaves it when dropped.
struct InLine<'a>(&'a Gate);

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.line.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Gate {
    fn new(most: u32) -> Self {
        Self {
            most,
            places: AtomicU32::new(most),
            taken: AtomicU32::new(0),
            pace_us: AtomicU64::new(0),
            line: AtomicU32::new(0),
            put_off: AtomicU32::new(0),
            freed: Notify::new(),
        }
    }

    /// A place, at once or after a short wait.
    ///
    /// # Errors
    /// The time after which to try again, when the wait would be long. It grows with the number of
    /// those who were put off.
    pub async fn enter(self: &Arc<Self>) -> Result<Place, Duration> {
        if let Some(place) = self.try_enter() {
            return Ok(place);
        }
        let line = self.line.fetch_add(1, Ordering::AcqRel) + 1;
        let _in_line = InLine(self);
        if self.expected_wait(line) > PATIENCE {
            return Err(self.wait_outside());
        }
        let waiting = async {
            loop {
                let freed = self.freed.notified();
                if let Some(place) = self.try_enter() {
                    return place;
                }
                freed.await;
            }
        };
        if let Ok(place) = tokio::time::timeout(PATIENCE, waiting).await {
            return Ok(place);
        }
        // Nobody got out for so long: the next ones need not find out for themselves.
        self.slow_down_to(PATIENCE * self.places.load(Ordering::Relaxed));
        Err(self.wait_outside())
    }

    fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let places = self.places.load(Ordering::Acquire);
        let enter = |taken| (taken < places).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, enter)
            .ok()?;
        let outside = self.put_off.load(Ordering::Relaxed);
        if outside > 0 {
            self.put_off.store(outside / 2, Ordering::Relaxed);
        }
        Some(Place(Arc::clone(self)))
    }

    fn expected_wait(&self, line: u32) -> Duration {
        let places = u64::from(self.places.load(Ordering::Relaxed));
        Duration::from_micros(self.pace_us.load(Ordering::Relaxed) * u64::from(line) / places.max(1))
    }

    fn wait_outside(&self) -> Duration {
        let outside = self.put_off.fetch_add(1, Ordering::Relaxed) + 1;
        let places = self.places.load(Ordering::Relaxed).max(1);
        let share = f64::from(outside) / f64::from(places) * (0.5 + rand::random::<f64>());
        Duration::from_secs_f64(share).clamp(PUT_OFF.0, PUT_OFF.1)
    }

    /// The endpoint answered after `took`, whatever it said.
    pub fn answered(&self, took: Duration) {
        let more = |n| (n < self.most).then_some(n + 1);
        let _ = self
            .places
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        let pace = self.pace_us.load(Ordering::Relaxed);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX / 16);
        self.pace_us.store((pace * 7 + took) / 8, Ordering::Relaxed);
    }

    /// The endpoint let an attempt run into its time limit of `limit`.
    pub fn timed_out(&self, limit: Duration) {
        let fewer = |n: u32| Some((n / 2).max(LEAST_PLACES));
        let _ = self
            .places
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer);
        self.slow_down_to(limit);
    }

    fn slow_down_to(&self, pace: Duration) {
        let pace = u64::try_from(pace.as_micros()).unwrap_or(u64::MAX / 16);
        self.pace_us.fetch_max(pace, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(most: u32) -> Arc<Gate> {
        Gates::new(most).of(EndpointId(uuid::Uuid::nil()))
    }

    async fn fill(gate: &Arc<Gate>, count: usize) -> Vec<Place> {
        let mut places = Vec::new();
        for _ in 0..count {
            places.push(gate.enter().await.expect("a free place"));
        }
        places
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_never_has_more_attempts_than_places() {
        let gate = gate(3);
        let held = fill(&gate, 3).await;
        assert!(gate.enter().await.is_err());
        drop(held);
        assert!(gate.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_next_place_that_is_freed() {
        let gate = gate(2);
        let mut held = fill(&gate, 2).await;
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter().await.is_ok() }
        });
        tokio::task::yield_now().await;
        held.pop();
        assert!(waiting.await.expect("no panic"));
    }

    #[tokio::test(start_paused = true)]
    async fn timeouts_take_places_down_to_two_and_answers_give_them_back() {
        let gate = gate(64);
        for _ in 0..10 {
            gate.timed_out(Duration::from_secs(10));
        }
        let held = fill(&gate, 2).await;
        assert!(gate.enter().await.is_err(), "the line is too slow to wait in");
        for _ in 0..200 {
            gate.answered(Duration::from_millis(1));
        }
        assert!(gate.enter().await.is_ok());
        drop(held);
        assert_eq!(fill(&gate, 64).await.len(), 64);
    }
}
