//! Figures of a queue, from counters that Redis keeps anyway.

use redis::{Pipeline, Value};

use crate::entry::{id_of, number_of};
use crate::error::QueueError;
use crate::name::GROUP;
use crate::producer::Queue;

/// What a queue holds at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Entries that no consumer was given yet.
    pub waiting: u64,
    /// Entries given out and not yet acknowledged.
    pub in_flight: u64,
    /// Entries that are not due yet, or not yet promoted.
    pub delayed: u64,
    /// Dead entries.
    pub dead: u64,
    /// Dead entries dropped so far because there were too many.
    pub dead_trimmed: u64,
    /// For how long the oldest waiting entry waits; 0 when none does.
    pub oldest_waiting_ms: u64,
    /// Members of the consumer group.
    pub consumers: u64,
}

/// The consumer group as Redis lists it.
#[derive(Default)]
struct Group {
    consumers: u64,
    pending: u64,
    last_delivered: Option<String>,
}

impl Queue {
    /// The figures of now, in two round trips whatever the queue holds.
    pub async fn stats(&self) -> Result<QueueStats, QueueError> {
        let keys = self.keys();
        let mut commands = Pipeline::with_capacity(5);
        commands
            .cmd("XLEN")
            .arg(&keys.stream)
            .cmd("ZCARD")
            .arg(&keys.delayed)
            .cmd("XLEN")
            .arg(&keys.dead);
        commands.cmd("HGET").arg(&keys.counters).arg("dead_trimmed");
        commands.cmd("XINFO").arg("GROUPS").arg(&keys.stream);
        let answers = self.redis().pipeline(&commands).await?;
        let [entries, delayed, dead, trimmed, groups] = <[Value; 5]>::try_from(answers)
            .map_err(|_| QueueError::unexpected("five answers were expected"))?;
        let count = |answer: &Value| match answer {
            Value::Nil => Ok(0),
            Value::ServerError(error) => Err(QueueError::from(error)),
            answer => number_of(answer).ok_or_else(|| QueueError::unexpected("a number was expected")),
        };
        let entries: u64 = count(&entries)?;
        // Before the first push or worker there is neither stream nor group.
        let group = workers_group(groups).unwrap_or_default();
        let waiting = entries.saturating_sub(group.pending);
        Ok(QueueStats {
            waiting,
            in_flight: group.pending,
            delayed: count(&delayed)?,
            dead: count(&dead)?,
            dead_trimmed: count(&trimmed)?,
            oldest_waiting_ms: if waiting > 0 {
                self.oldest_waiting(group.last_delivered).await?
            } else {
                0
            },
            consumers: group.consumers,
        })
    }

    /// Age of the first entry after the last one given out, by the clock of Redis, which made the id.
    async fn oldest_waiting(&self, last_delivered: Option<String>) -> Result<u64, QueueError> {
        let start = last_delivered.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        let mut commands = Pipeline::with_capacity(2);
        commands
            .cmd("XRANGE")
            .arg(&self.keys().stream)
            .arg(start)
            .arg("+")
            .arg("COUNT")
            .arg(1);
        commands.cmd("TIME");
        let answers = self.redis().pipeline(&commands).await?;
        let age = match answers.as_slice() {
            [Value::Array(found), Value::Array(time)] => {
                found.first().and_then(first_id).zip(milliseconds(time))
            }
            _ => None,
        };
        Ok(age.map_or(0, |(oldest, now)| now.saturating_sub(oldest)))
    }
}

fn first_id(entry: &Value) -> Option<u64> {
    match entry {
        Value::Array(parts) => Some(id_of(parts.first()?)?.ms),
        _ => None,
    }
}

/// The answer of `TIME`: seconds and microseconds.
fn milliseconds(time: &[Value]) -> Option<u64> {
    let [seconds, micros] = time else { return None };
    Some(number_of::<u64>(seconds)? * 1000 + number_of::<u64>(micros)? / 1000)
}

fn workers_group(groups: Value) -> Option<Group> {
    let Value::Array(groups) = groups else { return None };
    groups.into_iter().find_map(|row| {
        let mut group = Group::default();
        let mut is_ours = false;
        for (field, value) in row.into_map_iter().ok()? {
            let Value::BulkString(field) = field else { continue };
            match (field.as_slice(), value) {
                (b"name", Value::BulkString(name)) => is_ours = name == GROUP.as_bytes(),
                (b"consumers", value) => group.consumers = number_of(&value)?,
                (b"pending", value) => group.pending = number_of(&value)?,
                (b"last-delivered-id", Value::BulkString(id)) => {
                    group.last_delivered = String::from_utf8(id).ok();
                }
                _ => {}
            }
        }
        is_ours.then_some(group)
    })
}
