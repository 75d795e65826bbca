//! From an accepted event to the end of its deliveries.
//!
//! - [`engine`]: what all of it works with.
//! - [`pipeline`]: an event is matched, its first attempts are made, and event, deliveries and
//!   attempts are written together.
//! - [`due`]: what is to be sent later (retries, resends, releases) is leased and attempted.
//! - [`replay`]: sending again.
//! - `rows`: an event and a delivery as they are first written.
//! - [`sweeper`]: what nobody brought back in time is found in PostgreSQL and done.
//! - [`attempt`]: one attempt: sign, send, judge.
//! - [`sender`]: the HTTP client with the address guard.
//! - [`gate`]: how many attempts one endpoint may have under way.
//! - [`journal`]: groups of rows on their way to PostgreSQL.
//! - `outage`: whether PostgreSQL is known to be away.

pub mod attempt;
pub mod due;
pub mod engine;
pub mod gate;
pub mod journal;
mod limiter;
mod outage;
pub mod pipeline;
pub mod replay;
pub(crate) mod rows;
pub mod sender;
pub mod sweeper;

pub use engine::Engine;
pub use pipeline::Hand;
