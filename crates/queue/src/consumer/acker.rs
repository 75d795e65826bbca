//! Settles handled entries in groups: done, again later, or buried.

use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, Script, Value};
use tokio::sync::mpsc;

use super::Shared;
use crate::backoff::RECONNECT;
use crate::delayed::Stamper;
use crate::entry::{EntryId, RawEntry};
use crate::error::QueueError;
use crate::name::GROUP;

/// Most outcomes settled together.
const BATCH: usize = 512;
/// Most entries moved by one call of a script.
const MOVES: usize = 64;
/// Longest reason kept with a dead entry, in characters.
const REASON: usize = 500;

/// What the acker must know about a handled entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    pub(crate) id: EntryId,
    pub(crate) attempts: u32,
    pub(crate) deliveries: u32,
}

impl From<&RawEntry> for Ticket {
    fn from(entry: &RawEntry) -> Self {
        Self {
            id: entry.id,
            attempts: entry.attempts,
            deliveries: entry.deliveries,
        }
    }
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Verdict {
    Done,
    /// Failed; `None` stands for the queue's back-off.
    Retry {
        after: Option<Duration>,
        reason: String,
    },
    /// Failed for good.
    Bury {
        reason: String,
    },
}

/// An entry to be handed out again.
struct Retry {
    id: EntryId,
    due_ms: i64,
    attempts: u32,
}

/// An entry that failed for good.
struct Burial {
    ticket: Ticket,
    reason: String,
}

/// Settles outcomes until the last sender is gone.
pub(super) async fn run(shared: Arc<Shared>, mut handled: mpsc::UnboundedReceiver<(Ticket, Verdict)>) {
    let acker = Acker {
        stamper: Stamper::new(shared.clock.as_ref()),
        retry: Script::new(include_str!("../lua/retry.lua")),
        bury: Script::new(include_str!("../lua/bury.lua")),
        shared,
    };
    let mut outcomes = Vec::with_capacity(BATCH);
    while handled.recv_many(&mut outcomes, BATCH).await > 0 {
        acker.settle(&mut outcomes).await;
    }
}

struct Acker {
    shared: Arc<Shared>,
    stamper: Stamper,
    retry: Script,
    bury: Script,
}

impl Acker {
    async fn settle(&self, outcomes: &mut Vec<(Ticket, Verdict)>) {
        let mut done = Vec::with_capacity(outcomes.len());
        let mut retries = Vec::new();
        let mut burials = Vec::new();
        for (ticket, verdict) in outcomes.drain(..) {
            match verdict {
                Verdict::Done => done.push(ticket.id),
                Verdict::Retry { reason, .. } if ticket.attempts + 1 >= self.shared.options.max_attempts => {
                    burials.push(Burial {
                        ticket: Ticket {
                            attempts: ticket.attempts + 1,
                            ..ticket
                        },
                        reason,
                    });
                }
                Verdict::Retry { after, reason } => {
                    tracing::debug!(id = %ticket.id, attempts = ticket.attempts + 1, reason, "entry will be tried again");
                    retries.push(self.retry_of(ticket, after));
                }
                Verdict::Bury { reason } => burials.push(Burial { ticket, reason }),
            }
        }
        if !done.is_empty() {
            self.insist(&done, || self.acknowledge(&done)).await;
        }
        for group in retries.chunks(MOVES) {
            let ids: Vec<EntryId> = group.iter().map(|retry| retry.id).collect();
            self.insist(&ids, || self.delay(group)).await;
        }
        for Burial { ticket, reason } in &burials {
            tracing::warn!(id = %ticket.id, attempts = ticket.attempts, reason, "entry is dead");
        }
        for group in burials.chunks(MOVES) {
            let ids: Vec<EntryId> = group.iter().map(|burial| burial.ticket.id).collect();
            self.insist(&ids, || self.bury(group)).await;
        }
    }

    fn retry_of(&self, ticket: Ticket, after: Option<Duration>) -> Retry {
        let attempts = ticket.attempts + 1;
        let pause = after.unwrap_or_else(|| self.shared.options.backoff.delay(attempts));
        let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2);
        let due_ms = self
            .shared
            .clock
            .now()
            .timestamp_millis()
            .saturating_add(pause_ms);
        Retry {
            id: ticket.id,
            due_ms,
            attempts,
        }
    }

    /// Repeats `attempt` while Redis is away; every attempt may be repeated without harm.
    ///
    /// Afterwards the places of `ids` are free. An entry that Redis refuses to settle stays pending
    /// and is given out again when its visibility timeout has passed.
    async fn insist<F: Future<Output = Result<(), QueueError>>>(
        &self,
        ids: &[EntryId],
        attempt: impl Fn() -> F,
    ) {
        let mut failures = 0;
        while let Err(error) = attempt().await {
            if !error.is_transient() {
                tracing::error!(%error, entries = ids.len(), "cannot settle entries");
                break;
            }
            failures += 1;
            tokio::time::sleep(RECONNECT.delay(failures)).await;
        }
        {
            let mut in_flight = self.shared.in_flight();
            for id in ids {
                in_flight.remove(id);
            }
        }
        self.shared.free_places(ids.len());
    }

    /// Deletes first: an entry that is only deleted leaves the group when it is next claimed, one that is
    /// only acknowledged would stay in the stream for ever. (`MULTI` is refused when Redis is full.)
    async fn acknowledge(&self, ids: &[EntryId]) -> Result<(), QueueError> {
        let stream = &self.shared.keys.stream;
        let ids: Vec<String> = ids.iter().map(EntryId::to_string).collect();
        let mut commands = Pipeline::with_capacity(2);
        commands
            .cmd("XDEL")
            .arg(stream)
            .arg(&ids)
            .cmd("XACK")
            .arg(stream)
            .arg(GROUP)
            .arg(&ids);
        for answer in self.shared.redis.pipeline(&commands).await? {
            if let Value::ServerError(error) = answer {
                return Err(QueueError::from(&error));
            }
        }
        Ok(())
    }

    async fn delay(&self, group: &[Retry]) -> Result<(), QueueError> {
        let mut call = self.retry.key(&self.shared.keys.stream);
        call.key(&self.shared.keys.delayed).arg(GROUP);
        for retry in group {
            let header = self.stamper.header(retry.attempts);
            call.arg(retry.id.to_string()).arg(retry.due_ms).arg(&header[..]);
        }
        self.shared.redis.invoke(&call).await
    }

    async fn bury(&self, group: &[Burial]) -> Result<(), QueueError> {
        let keys = &self.shared.keys;
        let mut call = self.bury.key(&keys.stream);
        call.key(&keys.dead)
            .key(&keys.counters)
            .arg(GROUP)
            .arg(self.shared.dead_limit);
        call.arg(self.shared.clock.now().timestamp_millis());
        for Burial { ticket, reason } in group {
            let reason: String = reason.chars().take(REASON).collect();
            call.arg(ticket.id.to_string())
                .arg(ticket.attempts)
                .arg(ticket.deliveries)
                .arg(reason);
        }
        self.shared.redis.invoke(&call).await
    }
}
