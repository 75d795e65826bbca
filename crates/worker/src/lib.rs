//! Workers and the schedule: what runs beside the API.
//!
//! - [`queues`]: apalis workers on the queues of events and deliveries.
//! - [`loops`]: the sweeper and the batches, which find their work in PostgreSQL.
//! - [`schedule`]: recurring jobs, done by whoever holds the leader lease.
//!
//! Nothing here decides anything: each task calls one use case of `services`.
//!
//! May import: `domain`, `queue`, `services`.

pub mod loops;
pub mod queues;
pub mod schedule;
