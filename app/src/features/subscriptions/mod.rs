//! Subscriptions: list, form with filter editor and tester, deletion.

#[cfg(feature = "ssr")]
pub mod act;
pub mod dto;
pub mod form;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
pub mod server_fns;
