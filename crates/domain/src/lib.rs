//! Nouns, ids, rules and state machines of Longhaul.
//!
//! The only code that the server and the browser share: no IO, no system clock, no entropy
//! (except behind the feature `generate`), and it builds for `wasm32`.
//!
//! May import: nothing of the house.

pub mod clock;
pub mod counts;
pub mod duration;
pub mod erasure;
pub mod event;
pub mod filter;
pub mod id;
pub mod lifecycle;
pub mod page;
pub mod project;
pub mod retry;
pub mod role;
pub mod run;
pub mod segment;
pub mod signature;
pub mod ssrf;
pub mod state;
pub mod storage;
