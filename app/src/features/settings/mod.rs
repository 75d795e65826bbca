//! Settings of a project: general, signature, keys, danger.

pub mod dto;
pub mod keys;
pub mod page;
pub mod server_fns;
