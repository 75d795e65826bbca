//! How many attempts one endpoint may have under way in this process.
//!
//! One slow or dead endpoint must never take the places of the others. Every endpoint starts with
//! a fair number of places; each timeout halves it, each answer gives one back. So an endpoint that
//! hangs on every request soon holds two places only, and what finds no place is put off in
//! PostgreSQL and the queue instead of waiting in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::id::EndpointId;

/// Places that an endpoint keeps however badly it behaves: one to work, one to notice recovery.
const LEAST_PLACES: u32 = 2;
/// Shortest and longest time that a delivery without a place is put off.
const PUT_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The gates of all endpoints.
#[derive(Debug)]
pub struct Gates {
    most: u32,
    gates: Mutex<HashMap<EndpointId, Arc<Gate>>>,
}

impl Gates {
    /// Gates that let `most` attempts through at a time.
    pub fn new(most: u32) -> Self {
        Self { most: most.max(LEAST_PLACES), gates: Mutex::default() }
    }

    /// The gate of an endpoint.
    pub fn of(&self, endpoint: EndpointId) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(endpoint).or_insert_with(|| {
            Arc::new(Gate {
                most: self.most,
                places: AtomicU32::new(self.most),
                taken: AtomicU32::new(0),
                put_off: AtomicU32::new(0),
            })
        });
        Arc::clone(gate)
    }
}

/// The gate of one endpoint.
#[derive(Debug)]
pub struct Gate {
    most: u32,
    places: AtomicU32,
    taken: AtomicU32,
    /// Deliveries put off since the last one got through, which tells how long the line is.
    put_off: AtomicU32,
}

/// A place at the gate; free again when dropped.
#[derive(Debug)]
pub struct Place(Arc<Gate>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Gate {
    /// A place, or how long to put the delivery off.
    ///
    /// # Errors
    /// The time after which to try again. It grows with the line of those put off.
    pub fn enter(self: &Arc<Self>) -> Result<Place, Duration> {
        let places = self.places.load(Ordering::Acquire);
        let entered = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| (taken < places).then_some(taken + 1));
        if entered.is_ok() {
            let line = self.put_off.load(Ordering::Relaxed);
            self.put_off.store(line / 2, Ordering::Relaxed);
            return Ok(Place(Arc::clone(self)));
        }
        let line = self.put_off.fetch_add(1, Ordering::Relaxed) + 1;
        let wait = Duration::from_secs_f64(f64::from(line) / f64::from(places) * (0.5 + rand::random::<f64>()));
        Err(wait.clamp(PUT_OFF.0, PUT_OFF.1))
    }

    /// The endpoint answered, whatever it said.
    pub fn answered(&self) {
        let _ = self
            .places
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < self.most).then_some(n + 1));
    }

    /// The endpoint let an attempt run into its time limit.
    pub fn timed_out(&self) {
        let _ = self
            .places
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| Some((n / 2).max(LEAST_PLACES)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(most: u32) -> Arc<Gate> {
        Gates::new(most).of(EndpointId(uuid::Uuid::nil()))
    }

    #[test]
    fn an_endpoint_never_has_more_attempts_than_places() {
        let gate = gate(3);
        let held: Vec<_> = (0..3).map(|_| gate.enter().expect("free")).collect();
        assert!(gate.enter().is_err());
        drop(held);
        assert!(gate.enter().is_ok());
    }

    #[test]
    fn timeouts_take_places_down_to_two_and_answers_give_them_back() {
        let gate = gate(64);
        for _ in 0..10 {
            gate.timed_out();
        }
        let held: Vec<_> = (0..2).map(|_| gate.enter().expect("two stay")).collect();
        assert!(gate.enter().is_err());
        for _ in 0..100 {
            gate.answered();
        }
        assert!(gate.enter().is_ok());
        drop(held);
        assert!((0..64).map(|_| gate.enter()).collect::<Vec<_>>().iter().all(Result::is_ok));
    }
}
