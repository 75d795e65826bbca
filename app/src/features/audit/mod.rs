//! The audit log of the instance.

pub mod dto;
pub mod page;
pub mod server_fns;
