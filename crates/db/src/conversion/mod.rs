//! Online conversion of a hot table between one plain heap and day partitions, both ways.
//!
//! PostgreSQL cannot hold a row of a partitioned table in one of two overlapping partitions, so a
//! heap that is attached as a partition could never hand its rows over in batches. Between the two
//! layouts a table is therefore **spread**: the plain heap is the root of ordinary inheritance, and
//! its leaves, named and built as the leaves of the partitioned table, are its children.
//!
//! ```text
//! plain                 spread                              partitioned
//! events (heap)  <-->   events (heap, takes inserts)  <-->  events
//!                         events_20261119_k30                 events_20261119
//!                         events_20261120_k30                   events_20261119_k30
//! ```
//!
//! - A statement on the root sees root and children alike, so reads, updates and deletes need not
//!   know. Inserts go to the root. Checks on the leaves let the planner skip days.
//! - A batch deletes rows in one place and inserts them in the other, in one transaction: every
//!   snapshot sees each row exactly once.
//! - A batch first takes EXCLUSIVE on the root, which lets readers through and keeps writers out.
//!   Without it an update that met a row on its way would find it deleted, and be lost. A writer
//!   that waited takes its snapshot after the lock, so it sees the row where it is now.
//! - A child joins under ACCESS EXCLUSIVE on the root: no statement whose plan was made without
//!   the child may still run when rows move there.
//! - Between spread and partitioned nothing is copied: the leaves change their parent in one short
//!   transaction, and their checks spare PostgreSQL the scan.
//!
//! Every locked transaction goes to the server in one message and gives up after a bounded wait,
//! so neither a slow nor a stopped client can keep writers out. What is done can be read from the
//! catalog at any time: a conversion that died goes on where the tables stand.
//!
//! While a table is spread, `keep_days` of a row in a leaf cannot change (its leaf's check refuses
//! it), and a row that is inserted a second time is caught only among rows that still lie in the
//! root. [`in_progress`] tells those who would do either.

mod batch;
mod check;
mod expire;
mod layout;
mod leaves;
mod record;
mod session;
mod swap;
mod tidy;

pub use batch::{Moved, Source};
pub use check::Findings;
pub use expire::expire_rows;
pub use layout::{Layout, in_progress, layout};
pub use leaves::Survey;
pub use record::{Conversion, Direction, NewConversion, StepRow};
pub use record::{finish, list, pause, progress, record_step, start};
pub use session::{Locked, Session, Tried};
