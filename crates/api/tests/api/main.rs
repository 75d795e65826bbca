//! Tests of the API as callers see it.

mod document;
mod operations;
