//! Where copies lie: the storage of the instance, and that of a project.

#[cfg(feature = "ssr")]
pub mod act;
#[cfg(feature = "ssr")]
mod config;
pub mod dto;
mod form;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
mod probe;
pub mod server_fns;
