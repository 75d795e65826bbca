//! Conversion of hot tables on a real PostgreSQL, with writers and readers beside it.

mod bed;
mod interrupted;
mod layouts;
mod refused;
mod traffic;
mod whole;
