//! Counters, derived from the rows that a statement writes.
//!
//! New rows of a group that refuses what exists are certain: either all of them are written or the
//! statement fails. All others are counted under a condition: the row's tag is among those that
//! its part of the statement returned.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use domain::counts::Metric;
use domain::id::{EndpointId, ProjectId};
use domain::state::{DeliveryState, EventState};
use uuid::Uuid;

use super::statement::{Array, Part, Statement};
use super::{Standing, WHOLE_PROJECT};

/// Hour, project, endpoint, and the number of the metric. Counters are always written in the order
/// of these, so that two statements can never wait for each other in a circle.
type Key = (DateTime<Utc>, ProjectId, EndpointId, i16);

/// When a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// In any case.
    Always,
    /// When its part returns this tag.
    Written(Uuid),
    /// Not at all: another row of the group stands for it.
    Never,
}

impl Condition {
    /// The tag that the row carries.
    pub(super) fn tag(self) -> Uuid {
        match self {
            Self::Written(tag) => tag,
            Self::Always | Self::Never => Uuid::nil(),
        }
    }
}

/// Conditions of new rows.
#[derive(Debug)]
pub(super) enum Conditions {
    Certain,
    /// By id; a second row of the same id is not written.
    Seen(HashSet<Uuid>),
}

impl Conditions {
    /// When the new row with this id counts.
    pub(super) fn of_row(&mut self, id: Uuid) -> Condition {
        match self {
            Self::Certain => Condition::Always,
            Self::Seen(seen) => {
                if seen.insert(id) {
                    Condition::Written(id)
                } else {
                    Condition::Never
                }
            }
        }
    }
}

/// The counters of one statement.
#[derive(Debug, Default)]
pub(super) struct Tally {
    certain: HashMap<Key, i64>,
    conditional: Vec<(Uuid, Key, i64)>,
    /// Parts that return tags.
    parts: Vec<String>,
    tags: u128,
}

impl Tally {
    /// A condition with a tag of its own, for a row that is changed.
    pub(super) fn condition(&mut self) -> Condition {
        // Small numbers are never ids.
        self.tags += 1;
        Condition::Written(Uuid::from_u128(self.tags))
    }

    /// Conditions of the new rows of `part`.
    pub(super) fn conditions(&mut self, part: &Part) -> Conditions {
        if part.returns_tags {
            self.tags_come_from(part);
            Conditions::Seen(HashSet::new())
        } else {
            Conditions::Certain
        }
    }

    /// `part` returns the tags of the rows that it changed.
    pub(super) fn tags_come_from(&mut self, part: &Part) {
        self.parts.push(part.name.clone());
    }

    /// Counts an event that came to its end.
    pub(super) fn event(
        &mut self,
        condition: Condition,
        at: DateTime<Utc>,
        project: ProjectId,
        bytes: usize,
        (state, duplicate): (EventState, bool),
    ) {
        let mut add = |metric, n| self.add(condition, at, (project, WHOLE_PROJECT), metric, n);
        add(Metric::Accepted, 1);
        add(Metric::AcceptedBytes, i64::try_from(bytes).unwrap_or(i64::MAX));
        if duplicate {
            add(Metric::Duplicate, 1);
        }
        if state == EventState::Failure {
            add(Metric::Unmatched, 1);
        }
    }

    /// Counts a delivery that came to stand somewhere.
    pub(super) fn delivery(
        &mut self,
        condition: Condition,
        at: DateTime<Utc>,
        whose: (ProjectId, EndpointId),
        standing: &Standing,
    ) {
        let metric = match standing.state {
            DeliveryState::Success => Metric::Delivered,
            DeliveryState::Failure => Metric::Failed,
            DeliveryState::Discarded => Metric::Discarded,
            DeliveryState::Retry => Metric::Retried,
            DeliveryState::Scheduled | DeliveryState::Processing => return,
        };
        self.add(condition, at, whose, metric, 1);
        if let Some(latency) = standing.latency_ms {
            let bucket = Metric::latency(u32::try_from(latency).unwrap_or(0));
            self.add(condition, at, whose, bucket, 1);
        }
    }

    fn add(
        &mut self,
        condition: Condition,
        at: DateTime<Utc>,
        (project, endpoint): (ProjectId, EndpointId),
        metric: Metric,
        n: i64,
    ) {
        let hour = at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at);
        let key = (hour, project, endpoint, metric.code());
        match condition {
            Condition::Always => *self.certain.entry(key).or_default() += n,
            Condition::Written(tag) => self.conditional.push((tag, key, n)),
            Condition::Never => {}
        }
    }

    /// Adds the part that writes the counters.
    pub(super) fn write(self, statement: &mut Statement<'_>, shard: i16) {
        let mut rows: Vec<(Option<Uuid>, Key, i64)> =
            self.certain.into_iter().map(|(key, n)| (None, key, n)).collect();
        let all_certain = self.conditional.is_empty();
        if all_certain {
            rows.sort_unstable_by_key(|(_, key, _)| *key);
        }
        rows.extend(
            self.conditional
                .into_iter()
                .map(|(tag, key, n)| (Some(tag), key, n)),
        );
        if rows.is_empty() {
            return;
        }
        let columns = vec![
            ("tag", Array::OptUuid(rows.iter().map(|(tag, ..)| *tag).collect())),
            (
                "hour",
                Array::Time(rows.iter().map(|(_, key, _)| key.0).collect()),
            ),
            ("n", Array::I64(rows.iter().map(|(.., n)| *n).collect())),
            (
                "metric",
                Array::I16(rows.iter().map(|(_, key, _)| key.3).collect()),
            ),
            (
                "project_id",
                Array::Uuid(rows.iter().map(|(_, key, _)| key.1.0).collect()),
            ),
            (
                "endpoint_id",
                Array::Uuid(rows.iter().map(|(_, key, _)| key.2.0).collect()),
            ),
        ];
        let parts = if all_certain { Vec::new() } else { self.parts };
        statement.count(columns, &parts, shard);
    }
}
