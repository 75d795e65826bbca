//! Reading across PostgreSQL and the archive, on real stores.

mod limits;
mod lists;
mod points;
mod sending_again;
mod trouble;
mod walks;
mod world;
