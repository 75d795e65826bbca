//! The control plane on a real PostgreSQL: settings, people, keys and who may touch them.

mod api_keys;
mod audit;
mod bootstrap;
mod endpoints;
mod event_types;
mod filters;
mod jobs;
mod people;
mod projects;
mod sessions;
mod subscriptions;
mod world;
