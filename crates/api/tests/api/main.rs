//! The API as callers see it.

mod access;
mod deliveries;
mod document;
mod harness;
mod input;
mod operations;
mod policies;
mod tier;
mod wire;
