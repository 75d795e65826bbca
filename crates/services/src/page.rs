//! Paging, as every list of the use cases takes and gives it.

pub use domain::page::{DEFAULT_PER_PAGE, Direction, MAX_PER_PAGE, Page, PageRequest, Sort};
