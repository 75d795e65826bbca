//! The binary as people run it: real processes, real stores, killed and stopped on purpose.
//!
//! Tests that kill processes or stop stores stand in `mod alone`, so that they run by themselves.

mod api;
mod child;
mod site;
mod stores;

mod bootstrap;
mod configuration;
mod health;
mod jobs;
mod kill;
mod lifecycle;
mod outage;
mod policies;
mod restart;
mod scheduler;
mod sdk;
mod shutdown;
