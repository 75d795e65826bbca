//! Pure text of numbers, bytes, durations and times, as every page prints them.
//!
//! There is no clock here: `now` is an argument. The server formats and the browser shows, so that
//! both halves print the same text and the browser half stays small.

mod amount;
mod time;

pub use amount::{bytes, count, count_at_most, duration_ms, percent, short_count};
pub use time::{Stamp, clock, day, day_compact, day_time, relative, span};

/// The sign of "does not apply".
pub const NONE: &str = "—";

/// Keeps a number and its unit on one line.
pub const NBSP: char = '\u{a0}';
