//! Dead entries: listed, put back, deleted.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use redis::{Script, Value};

use crate::entry::{EntryId, for_each_field, id_of, parse};
use crate::error::QueueError;
use crate::producer::Queue;

/// Most entries per call to Redis.
const BATCH: usize = 500;

/// An entry that failed for good.
#[derive(Debug, Clone)]
pub struct DeadEntry {
    /// Its id among the dead entries; newer ones have higher ids.
    pub id: EntryId,
    /// What was pushed.
    pub payload: Bytes,
    /// Why it failed the last time.
    pub reason: String,
    /// When it died.
    pub died_at: DateTime<Utc>,
    /// Failed attempts.
    pub attempts: u32,
    /// How often it was given out under its last id.
    pub deliveries: u32,
    /// Its last id in the stream.
    pub stream_id: Option<EntryId>,
}

/// Which dead entries to put back.
#[derive(Debug, Clone)]
pub enum Redrive {
    /// These ones.
    Ids(Vec<EntryId>),
    /// The oldest of those that are dead at the time of the call.
    All,
}

impl Queue {
    /// Up to `limit` dead entries, newest first, older than `before` when given.
    pub async fn dead_list(
        &self,
        limit: usize,
        before: Option<EntryId>,
    ) -> Result<Vec<DeadEntry>, QueueError> {
        let newest = before.map_or_else(|| "+".to_owned(), |id| format!("({id}"));
        let mut command = redis::cmd("XREVRANGE");
        command
            .arg(&self.keys().dead)
            .arg(newest)
            .arg("-")
            .arg("COUNT")
            .arg(limit);
        match self.redis().query(&command).await? {
            Value::Array(entries) => Ok(entries.into_iter().filter_map(dead_entry).collect()),
            _ => Err(QueueError::unexpected("XREVRANGE")),
        }
    }

    /// Puts up to `limit` dead entries back into the queue with no attempt counted; answers how many.
    ///
    /// Each is moved in one step. An error in between leaves the rest where it was.
    pub async fn dead_redrive(&self, which: Redrive, limit: usize) -> Result<usize, QueueError> {
        match which {
            Redrive::Ids(ids) => {
                let mut moved = 0;
                for batch in ids[..limit.min(ids.len())].chunks(BATCH) {
                    moved += self.redrive_batch(batch).await?;
                }
                Ok(moved)
            }
            Redrive::All => self.redrive_all(limit).await,
        }
    }

    /// Deletes dead entries; answers how many there were.
    pub async fn dead_delete(&self, ids: &[EntryId]) -> Result<usize, QueueError> {
        let mut deleted = 0;
        for batch in ids.chunks(BATCH) {
            let mut command = redis::cmd("XDEL");
            command.arg(&self.keys().dead);
            for id in batch {
                command.arg(id.to_string());
            }
            deleted += self.redis().query::<usize>(&command).await?;
        }
        Ok(deleted)
    }

    async fn redrive_all(&self, limit: usize) -> Result<usize, QueueError> {
        // Entries that die again meanwhile come after it, so that this ends.
        let Some(last) = self.dead_list(1, None).await?.first().map(|entry| entry.id) else {
            return Ok(0);
        };
        let mut moved = 0;
        while moved < limit {
            let batch = self.oldest_dead(last, BATCH.min(limit - moved)).await?;
            if batch.is_empty() {
                break;
            }
            moved += self.redrive_batch(&batch).await?;
        }
        Ok(moved)
    }

    async fn oldest_dead(&self, last: EntryId, limit: usize) -> Result<Vec<EntryId>, QueueError> {
        let mut command = redis::cmd("XRANGE");
        command
            .arg(&self.keys().dead)
            .arg("-")
            .arg(last.to_string())
            .arg("COUNT")
            .arg(limit);
        match self.redis().query(&command).await? {
            Value::Array(entries) => Ok(entries.iter().filter_map(entry_id).collect()),
            _ => Err(QueueError::unexpected("XRANGE")),
        }
    }

    async fn redrive_batch(&self, ids: &[EntryId]) -> Result<usize, QueueError> {
        let script = Script::new(include_str!("lua/redrive.lua"));
        let mut call = script.key(&self.keys().dead);
        call.key(&self.keys().stream);
        for id in ids {
            call.arg(id.to_string());
        }
        self.redis().invoke(&call).await
    }
}

fn entry_id(entry: &Value) -> Option<EntryId> {
    match entry {
        Value::Array(parts) => id_of(parts.first()?),
        _ => None,
    }
}

fn dead_entry(entry: Value) -> Option<DeadEntry> {
    let Value::Array(parts) = entry else { return None };
    let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
    let mut dead = DeadEntry {
        id: id_of(&id)?,
        payload: Bytes::new(),
        reason: String::new(),
        died_at: DateTime::UNIX_EPOCH,
        attempts: 0,
        deliveries: 0,
        stream_id: None,
    };
    for_each_field(fields, |name, value| match name {
        b"p" => dead.payload = Bytes::from(value),
        b"r" => dead.reason = String::from_utf8_lossy(&value).into_owned(),
        b"t" => {
            dead.died_at = parse(&value)
                .and_then(DateTime::from_timestamp_millis)
                .unwrap_or_default();
        }
        b"a" => dead.attempts = parse(&value).unwrap_or(0),
        b"d" => dead.deliveries = parse(&value).unwrap_or(0),
        b"i" => dead.stream_id = std::str::from_utf8(&value).ok().and_then(|id| id.parse().ok()),
        _ => {}
    });
    Some(dead)
}
