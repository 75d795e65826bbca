//! Partitions of the instance: days, leaves, conversions, and how the disk fills.

#[cfg(feature = "ssr")]
pub mod act;
pub mod convert;
pub mod dto;
pub mod forecast;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
#[cfg(feature = "ssr")]
pub mod present_more;
pub mod server_fns;
