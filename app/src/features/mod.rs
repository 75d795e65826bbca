//! One folder per feature: what its pages show (`dto`), how they look (`page`, `form`), and the
//! server functions behind them (`server_fns`).

pub mod audit;
pub mod auth;
pub mod common;
pub mod deliveries;
pub mod endpoints;
pub mod events;
pub mod jobs;
pub mod overview;
pub mod partitions;
pub mod projects;
#[cfg(feature = "ssr")]
pub mod query;
pub mod retention;
pub mod settings;
pub mod storage;
pub mod subscriptions;
#[cfg(feature = "ssr")]
pub mod words;
