//! Erasure against real stores: gone from rows, from every version of every object, and from what
//! readers see, whatever fails on the way.

mod archived;
mod blocked;
mod hot;
mod restored;
mod trouble;
mod world;
