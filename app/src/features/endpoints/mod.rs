//! Endpoints: list, detail, form, secrets, pause, test event, deletion.

#[cfg(feature = "ssr")]
pub mod act;
pub mod dto;
pub mod form;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
pub mod server_fns;
