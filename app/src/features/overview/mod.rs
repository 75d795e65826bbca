//! The first page of a project.

pub mod dto;
pub mod page;
pub mod server_fns;
#[cfg(feature = "ssr")]
pub mod shapes;
