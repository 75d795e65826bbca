//! Shapes on the wire that are too long to stand beside their handlers.

pub mod attempt;
pub mod delivery;
pub mod endpoint;
pub mod event;
