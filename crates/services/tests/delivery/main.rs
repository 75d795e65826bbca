//! The way of an event against real stores and a real receiver.

mod addresses;
mod duplicates;
mod endpoints;
mod first_attempt;
mod later_attempts;
mod outages;
mod partitions;
mod sending_again;
