//! Keeping the archive true, against real stores.

mod attention;
mod index;
mod scrubbing;
mod sweeping;
mod world;
