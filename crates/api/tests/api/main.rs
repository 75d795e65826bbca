//! The API as callers see it.

mod access;
mod deliveries;
mod document;
mod erasures;
mod harness;
mod input;
mod operations;
mod policies;
mod tier;
mod wire;
