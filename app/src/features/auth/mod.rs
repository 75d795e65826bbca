//! Signing in and out, and the theme.

pub mod dto;
pub mod page;
pub mod server_fns;
