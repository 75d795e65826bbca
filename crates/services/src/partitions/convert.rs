//! The jobs that convert the hot tables: what the command does, with its progress in a run.

use domain::lifecycle::PARTITIONED_TABLES;
use serde_json::json;
use tokio::sync::watch;

use crate::access::Actor;
use crate::conversion::{self, Direction, Progress};
use crate::error::Result;
use crate::jobs::{Counts, JobContext};

/// Converts every hot table that is not laid out as asked. Goes on where an earlier run stopped.
///
/// # Errors
/// As [`conversion::convert`].
pub async fn convert(context: JobContext, direction: Direction) -> Result<Counts> {
    let (tell, mut told) = watch::channel(None::<Progress>);
    let watch = |progress: &Progress| {
        tell.send_replace(Some(progress.clone()));
    };
    let actor = Actor::system();
    let work = conversion::convert(&context.services, &actor, direction, &PARTITIONED_TABLES, &watch);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                let tables = done?;
                let moved: u64 = tables.iter().map(|table| table.rows_moved).sum();
                let longest = tables.iter().map(|table| table.longest_lock_ms).max().unwrap_or(0);
                return Counts::of(&json!({"rows_moved": moved, "longest_lock_ms": longest, "tables": tables}));
            }
            _ = told.changed() => {
                let news = told.borrow_and_update().clone();
                if let Some(news) = news {
                    let at = format!("{}, {}", news.table, news.step);
                    let (done, total) = (news.rows_done.max(0) as u64, news.rows_total.max(0) as u64);
                    context.progress.tell(done, total, &at).await;
                }
            }
        }
    }
}
