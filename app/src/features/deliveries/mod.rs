//! Deliveries: list, detail with attempts, resend.

#[cfg(feature = "ssr")]
pub mod act;
pub mod detail;
pub mod dto;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
#[cfg(feature = "ssr")]
mod present_detail;
pub mod server_fns;
