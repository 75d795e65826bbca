//! When a job runs.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::RunState;

/// How long a failed run is left alone before the job is tried again.
const TRY_AGAIN: TimeDelta = TimeDelta::hours(1);
/// A last run further ahead than this was made under a clock that was set back since.
const AHEAD: TimeDelta = TimeDelta::minutes(1);

/// When a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// So long after its last run started.
    Every(TimeDelta),
    /// Once a day at this time, UTC. A time that was missed is made up for at once.
    DailyAt(NaiveTime),
    /// When somebody asks for it.
    OnRequest,
}

impl Schedule {
    /// When the job is due, after its last scheduled run; in the past when it is late. `None` when
    /// it never is, or while it runs.
    pub(super) fn next(
        self,
        last: Option<(DateTime<Utc>, RunState)>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        if self == Self::OnRequest {
            return None;
        }
        let Some((started, state)) = last else {
            return Some(now);
        };
        let regular = match (self, state) {
            (_, RunState::Running) | (Self::OnRequest, _) => return None,
            _ if started > now + AHEAD => return Some(now),
            (Self::Every(period), _) => started + period,
            (Self::DailyAt(time), _) => first_after(started, time),
        };
        Some(if state == RunState::Failed {
            regular.min(started + TRY_AGAIN)
        } else {
            regular
        })
    }
}

/// The first instant after `instant` at which the clock shows `time`.
fn first_after(instant: DateTime<Utc>, time: NaiveTime) -> DateTime<Utc> {
    let today = instant.date_naive().and_time(time).and_utc();
    if today > instant {
        today
    } else {
        today + TimeDelta::days(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-{text}Z").parse().expect("an instant")
    }

    fn next(schedule: Schedule, last: &str, state: RunState) -> Option<DateTime<Utc>> {
        schedule.next(Some((at(last), state)), at("20T12:00:00"))
    }

    const QUARTER_PAST: Schedule = match NaiveTime::from_hms_opt(0, 15, 0) {
        Some(time) => Schedule::DailyAt(time),
        None => Schedule::OnRequest,
    };
    const TEN_MINUTES: Schedule = Schedule::Every(TimeDelta::minutes(10));

    #[test]
    fn a_daily_job_is_due_at_its_time_after_the_last_run() {
        let due = |last| next(QUARTER_PAST, last, RunState::Done);
        assert_eq!(due("20T00:14:59"), Some(at("20T00:15:00")));
        assert_eq!(due("20T00:15:00"), Some(at("21T00:15:00")));
        assert_eq!(due("20T09:00:00"), Some(at("21T00:15:00")));
    }

    #[test]
    fn days_without_a_run_are_made_up_for_by_one() {
        let due = next(QUARTER_PAST, "15T00:15:00", RunState::Done).expect("due");
        assert_eq!(due, at("16T00:15:00"), "which is long ago");
        assert_eq!(
            next(QUARTER_PAST, "20T12:00:00", RunState::Done),
            Some(at("21T00:15:00"))
        );
    }

    #[test]
    fn a_job_that_never_ran_is_due_at_once_and_one_on_request_never() {
        let now = at("20T12:00:00");
        assert_eq!(QUARTER_PAST.next(None, now), Some(now));
        assert_eq!(TEN_MINUTES.next(None, now), Some(now));
        assert_eq!(Schedule::OnRequest.next(None, now), None);
        assert_eq!(next(Schedule::OnRequest, "20T00:15:00", RunState::Failed), None);
    }

    #[test]
    fn a_failed_run_is_tried_again_within_an_hour() {
        assert_eq!(
            next(QUARTER_PAST, "20T11:30:00", RunState::Failed),
            Some(at("20T12:30:00"))
        );
        assert_eq!(
            next(TEN_MINUTES, "20T11:55:00", RunState::Failed),
            Some(at("20T12:05:00"))
        );
    }

    #[test]
    fn a_job_under_way_is_not_due() {
        assert_eq!(next(QUARTER_PAST, "10T00:15:00", RunState::Running), None);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hold_a_job_up() {
        assert_eq!(
            next(TEN_MINUTES, "25T00:00:00", RunState::Done),
            Some(at("20T12:00:00"))
        );
        assert_eq!(
            next(TEN_MINUTES, "20T12:00:30", RunState::Done),
            Some(at("20T12:10:30"))
        );
    }
}
