//! Signing in and out, and the theme.

#[cfg(feature = "ssr")]
pub mod act;
pub mod dto;
pub mod page;
pub mod server_fns;
