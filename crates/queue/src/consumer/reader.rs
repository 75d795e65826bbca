//! Reads new entries into free places.

use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;
use tokio::time::Instant;

use super::{Intake, Shared, claimer};
use crate::backoff::RECONNECT;
use crate::connection::Redis;
use crate::entry::from_read;
use crate::error::QueueError;
use crate::name::GROUP;

/// Reads until dropped.
pub(super) async fn run(intake: Intake) {
    let shared = Arc::clone(&intake.shared);
    let connection = shared.redis.dedicated(shared.options.block);
    let mut reader = Reader {
        connection,
        intake,
        joined: false,
        lost: None,
    };
    let mut failures = 0;
    loop {
        match reader.step().await {
            Ok(()) => failures = 0,
            Err(error) if error.is_missing_group() && failures == 0 => {
                tracing::warn!(
                    queue = shared.keys.stream,
                    "consumer group is missing: creating it again"
                );
                failures = 1;
            }
            Err(error) => {
                failures += 1;
                tracing::debug!(%error, "cannot read from the queue");
                tokio::time::sleep(RECONNECT.delay(failures)).await;
            }
        }
    }
}

struct Reader {
    connection: Redis,
    intake: Intake,
    /// Heartbeat written and group there, as far as known.
    joined: bool,
    lost: Option<Lost>,
}

/// After a failed read: Redis may have given us entries that never arrived here.
struct Lost {
    /// When to look for them.
    next: Instant,
    /// After this the failed read cannot be given entries any more.
    last: Instant,
}

impl Reader {
    async fn step(&mut self) -> Result<(), QueueError> {
        let shared = Arc::clone(&self.intake.shared);
        if !self.joined {
            shared.join().await?;
            self.joined = true;
        }
        self.recover().await?;
        let places = shared.take_places(shared.options.read_count).await;
        match self.read(&shared, places).await {
            Ok(answer) => {
                self.intake.accept(from_read(answer), places);
                Ok(())
            }
            Err(error) => {
                shared.free_places(places);
                self.joined = false;
                if !error.is_missing_group() {
                    let now = Instant::now();
                    self.lost = Some(Lost {
                        next: now,
                        last: now + shared.options.block * 2,
                    });
                }
                Err(error)
            }
        }
    }

    async fn read(&self, shared: &Shared, places: usize) -> Result<redis::Value, QueueError> {
        let mut command = Cmd::with_capacity(12, 128 + shared.keys.stream.len());
        command
            .arg("XREADGROUP")
            .arg("GROUP")
            .arg(GROUP)
            .arg(&shared.name)
            .arg("COUNT")
            .arg(places);
        command.arg("BLOCK").arg(shared.options.block.as_millis() as u64);
        command.arg("STREAMS").arg(&shared.keys.stream).arg(">");
        self.connection.query(&command).await
    }

    /// Fetches entries that were given to this consumer but got lost on the way.
    async fn recover(&mut self) -> Result<(), QueueError> {
        let Some(lost) = &mut self.lost else { return Ok(()) };
        let now = Instant::now();
        if now < lost.next {
            return Ok(());
        }
        claimer::take_lost(&self.intake).await?;
        if now >= lost.last {
            self.lost = None;
        } else {
            lost.next = now + Duration::from_millis(500);
        }
        Ok(())
    }
}
