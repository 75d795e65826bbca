//! Days and leaves against a real PostgreSQL: how they come, stand, go, and change hands.

mod dropping;
mod listing;
mod making;
mod reclassing;
mod scene;
