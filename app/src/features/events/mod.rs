//! Events: list, search and detail.

pub mod dto;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
pub mod server_fns;
