//! Subscriptions: list, form with filter editor and tester, deletion.

pub mod dto;
pub mod form;
pub mod page;
pub mod server_fns;
