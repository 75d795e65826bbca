//! Rows of the settings-like tables, as sea-orm sees them.
//!
//! A row is complete when it is written: use cases make or change a whole `Model`, the
//! repositories beside this folder store it. Ids are plain here and typed in the use cases.

pub mod api_key;
pub mod audit;
pub mod endpoint;
pub mod endpoint_secret;
pub mod event_type;
pub mod filter;
pub mod hold;
pub mod member;
pub mod organisation;
pub mod project;
pub mod run;
pub mod source;
pub mod storage_policy;
pub mod subscription;
pub mod user;
