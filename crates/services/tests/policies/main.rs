//! Retention, holds, storage policies and the feature that guards them, on a real PostgreSQL.

mod features;
mod holds;
mod preview;
mod retention;
mod storage;
mod world;
