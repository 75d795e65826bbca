//! The `longhaul` binary: command line, configuration, wiring, telemetry, shutdown.
//!
//! The only place that knows every crate. Each subcommand has a file of its own below [`cli`].

pub mod cli;
pub mod config;
pub mod http;
pub mod sessions;
pub mod telemetry;
pub mod wiring;
