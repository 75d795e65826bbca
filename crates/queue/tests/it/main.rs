//! The queue against a real Redis: the one of `REDIS_URL`, or a private one started for each test.

mod common;
mod dead;
mod delayed;
mod flow;
mod outage;
mod takeover;
