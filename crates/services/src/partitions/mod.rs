//! Keeps days and leaves ahead: a reconciler without input, safe to repeat at any time.

use chrono::{Days, NaiveDate};
use db::partitions::Made;
use domain::lifecycle::KeepDays;

use crate::Services;
use crate::error::Result;

mod convert;
mod reclass;
pub mod view;

pub use convert::convert;
pub use reclass::{ProjectMoves, ReclassCounts, reclass};

/// Makes what is missing for today and the days ahead, and brings home what default leaves caught,
/// of whichever day it is.
///
/// # Errors
/// [`crate::Error::Unavailable`] while PostgreSQL is away or locked; the next round goes on.
pub async fn keep_ahead(services: &Services) -> Result<Made> {
    db::partitions::retire_classes(&services.db).await?;
    let classes = db::partitions::classes(&services.db).await?;
    let (first, last) = span(services);
    let mut made = db::partitions::ensure(&services.db, first, last, &classes).await?;
    made += db::partitions::bring_home(&services.db).await?;
    if made != Made::default() {
        tracing::info!(
            days = made.days,
            leaves = made.leaves,
            moved = made.moved,
            blocked = made.blocked,
            "partitions made"
        );
    }
    Ok(made)
}

/// Puts a keep class to use: its leaves exist before the first row may carry it.
///
/// # Errors
/// As [`keep_ahead`].
pub async fn use_class(services: &Services, class: KeepDays) -> Result<()> {
    let (first, last) = span(services);
    db::partitions::ensure(&services.db, first, last, &[class]).await?;
    Ok(db::partitions::add_class(&services.db, class).await?)
}

/// From yesterday, for events still in the queue at midnight, to the last day ahead.
fn span(services: &Services) -> (NaiveDate, NaiveDate) {
    let today = services.clock.now().date_naive();
    let ahead = Days::new(u64::from(services.options.partitions.days_ahead));
    (
        today.pred_opt().unwrap_or(today),
        today.checked_add_days(ahead).unwrap_or(today),
    )
}
