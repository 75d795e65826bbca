//! Settings of a project: general, signature, keys, danger.

#[cfg(feature = "ssr")]
pub mod act;
pub mod dto;
pub mod keys;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
pub mod server_fns;
