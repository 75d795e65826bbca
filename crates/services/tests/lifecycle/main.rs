//! How long data stays, against real stores.

mod backup;
mod reclass;
mod world;
