//! The first page of a project.

pub mod dto;
#[cfg(feature = "ssr")]
pub mod life;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
pub mod server_fns;
#[cfg(feature = "ssr")]
pub mod shapes;
