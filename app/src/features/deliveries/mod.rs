//! Deliveries: list, detail with attempts, resend.

pub mod detail;
pub mod dto;
pub mod page;
pub mod server_fns;
