//! All projects, a new project, the frame around pages, and finding things by id.

pub mod dto;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
pub mod server_fns;
