//! Trouble on demand, by the number of the call.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::lock;

/// What goes wrong with one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this status and code; nothing happens.
    Refuse(u16, &'static str),
    /// It is done, but later.
    Delay(Duration),
    /// The connection ends; nothing happens.
    CutBefore,
    /// It is done, and the connection ends without an answer.
    CutAfter,
    /// It is done, and the connection ends after so many bytes of the answer's body.
    CutBody(usize),
    /// It is done, and the answer's body has a flipped bit.
    Damage,
    /// Nothing happens, and no answer ever comes.
    Hang,
}

#[derive(Debug, Default)]
struct Plan {
    calls: u64,
    made: u64,
    at: BTreeMap<u64, Fault>,
    always: Option<Fault>,
}

/// What will go wrong.
#[derive(Debug, Default)]
pub struct Faults {
    plan: Mutex<Plan>,
}

impl Faults {
    /// The next call.
    pub fn next(&self, fault: Fault) {
        self.on_call(1, fault);
    }

    /// The `number`-th call from now on, counted from 1.
    pub fn on_call(&self, number: u64, fault: Fault) {
        let mut plan = lock(&self.plan);
        let at = plan.calls + number;
        plan.at.insert(at, fault);
    }

    /// Every call from now on.
    pub fn always(&self, fault: Fault) {
        lock(&self.plan).always = Some(fault);
    }

    /// Nothing any more.
    pub fn clear(&self) {
        let mut plan = lock(&self.plan);
        plan.at.clear();
        plan.always = None;
    }

    /// How many calls came in.
    pub fn calls(&self) -> u64 {
        lock(&self.plan).calls
    }

    /// How many of them went wrong.
    pub fn made(&self) -> u64 {
        lock(&self.plan).made
    }

    /// Counts a call and says what goes wrong with it.
    pub(super) fn take(&self) -> Option<Fault> {
        let mut plan = lock(&self.plan);
        plan.calls += 1;
        let number = plan.calls;
        let fault = plan.at.remove(&number).or_else(|| plan.always.clone());
        plan.made += u64::from(fault.is_some());
        fault
    }
}
