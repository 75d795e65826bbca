//! The statement of the delivery path on a real PostgreSQL.

mod collisions;
mod counters;
mod fences;
mod moved_rows;
mod world;
