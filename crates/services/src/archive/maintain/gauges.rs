//! The archive in figures for `/metrics`. They come from PostgreSQL, so every process tells the same.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::backups::{self, Subject};
use domain::lifecycle::{Part, next_day, start_of};
use domain::state::SegmentState;
use metrics::gauge;

use crate::Services;
use crate::error::Result;

/// Projects that have figures of their own: labels must not grow without end.
const PROJECTS: usize = 100;
/// Segments not read back for longer than this want a person.
pub const OVERDUE: TimeDelta = TimeDelta::days(60);

/// Takes the figures anew. For the schedule, once a minute.
///
/// # Errors
/// [`crate::Error::Unavailable`] while PostgreSQL is away: the old figures stay.
pub async fn measure(services: &Services) -> Result<()> {
    let now = services.clock.now();
    let subjects = backups::subjects(&services.db).await?;
    let uncovered = backups::uncovered(&services.db).await?;
    let figures = db::segment_figures::figures(&services.db, now - OVERDUE).await?;
    let failing = uncovered.iter().filter_map(|day| day.failed_since).min();
    gauge!("longhaul_backup_uncovered_days").set(uncovered.len() as f64);
    gauge!("longhaul_backup_failing_seconds").set(failing.map_or(0.0, |since| seconds(now - since)));
    let first = backups::first_day(&services.db).await?;
    let ages = subjects.iter().map(|subject| age(subject, first, now));
    gauge!("longhaul_backup_age_seconds").set(ages.fold(0.0, f64::max));
    for subject in subjects.iter().take(PROJECTS) {
        for (part, through) in Part::ALL.into_iter().zip(subject.through) {
            let Some(through) = through else { continue };
            let labels = [
                ("project", subject.id.to_string()),
                ("part", part.as_str().to_owned()),
            ];
            gauge!("longhaul_backup_watermark_timestamp_seconds", &labels)
                .set(start_of(next_day(through)).timestamp() as f64);
        }
    }
    for state in SegmentState::ALL {
        let n = figures
            .states
            .iter()
            .find(|(known, _)| known == state)
            .map_or(0, |(_, n)| *n);
        gauge!("longhaul_archive_segments", "state" => state.as_str()).set(n as f64);
    }
    gauge!("longhaul_archive_unverified_segments").set(figures.unverified as f64);
    let verified = figures.oldest_verified.map_or(0.0, |at| seconds(now - at));
    gauge!("longhaul_archive_verified_age_seconds").set(verified);
    gauge!("longhaul_dropped_rows").set(figures.dropped_rows as f64);
    gauge!("longhaul_dropped_bytes").set(figures.dropped_bytes as f64);
    Ok(())
}

/// How long the first day that is not covered has been over, in seconds; 0 when every ended day is.
fn age(subject: &Subject, first: Option<NaiveDate>, now: DateTime<Utc>) -> f64 {
    let open = subject
        .through
        .iter()
        .filter_map(|through| through.map(next_day).or(first));
    let Some(day) = open.min() else {
        return 0.0;
    };
    seconds(now - start_of(next_day(day)))
}

fn seconds(time: TimeDelta) -> f64 {
    (time.num_milliseconds() as f64 / 1000.0).max(0.0)
}
