//! How long a project keeps its events: the policy, what a change would do, holds, last runs.

#[cfg(feature = "ssr")]
pub mod act;
pub mod dto;
pub mod feature;
pub mod holds;
pub mod page;
#[cfg(feature = "ssr")]
pub mod present;
#[cfg(feature = "ssr")]
mod present_preview;
pub mod preview;
pub mod server_fns;
