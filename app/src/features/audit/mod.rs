//! The audit log of the instance.

pub mod dto;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
pub mod server_fns;
