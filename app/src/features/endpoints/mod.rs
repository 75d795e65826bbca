//! Endpoints: list, detail, form, secrets, pause, test event, deletion.

pub mod dto;
pub mod form;
pub mod page;
pub mod server_fns;
