//! How long data stays, against real stores.

mod backup;
mod broken_backup;
mod changes;
mod faults;
mod overview;
mod reclass;
mod wire;
mod world;
