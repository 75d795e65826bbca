//! How long data stays, against real stores.

mod backup;
mod overview;
mod reclass;
mod world;
