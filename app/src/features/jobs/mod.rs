//! Jobs of the instance: schedule, runs, running one by hand.

#[cfg(feature = "ssr")]
pub mod act;
pub mod detail;
pub mod dto;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
pub mod server_fns;
