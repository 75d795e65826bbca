//! Events: list, search and detail.

pub mod dto;
pub mod page;
pub mod server_fns;
