//! Groups of rows on their way to PostgreSQL.
//!
//! Whoever has rows hands them in and waits for the commit. While PostgreSQL is away the journal
//! keeps trying; those who wait hold their queue entries meanwhile, so nothing is lost and nothing
//! new is read: that is the back-pressure.

use std::time::Duration;

use bytestring::ByteString;
use db::hot::{Existing, Group};
use db::{Db, DbError};
use domain::lifecycle::KeepDays;

use super::outage::Outage;
use crate::error::{Error, Result};
use crate::grouping::{GroupOptions, Grouped, Weighed, Weight};

/// Rows of one task.
pub type Rows = Group<ByteString>;

/// Closing rules of a group: `make bench` tells what they are worth. The weight keeps large payloads
/// and wide fan-outs from making statements that PostgreSQL chews on for seconds.
const GROUP: GroupOptions = GroupOptions {
    size: 512,
    weight: Weight {
        rows: 4096,
        bytes: 4 * 1024 * 1024,
    },
    linger: Duration::from_millis(4),
};
/// Pauses between tries while PostgreSQL is away.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Counter rows of two writers with the same number wait for each other, which is harmless.
const SHARDS: i16 = 64;

/// Whether a journal waits for PostgreSQL to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until it is back: for rows that a queue entry stands behind.
    Waits,
    /// Not at all: for a caller who can be told to come back.
    Asks,
}

/// Why rows were not written.
#[derive(Clone, Debug)]
struct Unwritable {
    transient: bool,
    text: String,
}

impl Weighed for Rows {
    fn weight(&self) -> Weight {
        Weight {
            rows: self.rows(),
            bytes: self.bytes(),
        }
    }
}

/// The writing end: cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    grouped: Grouped<Rows, std::result::Result<(), Unwritable>>,
    outage: Outage,
}

/// Where and how a journal writes.
#[derive(Clone, Debug)]
struct Pen {
    db: Db,
    shard: i16,
    patience: Patience,
    outage: Outage,
}

impl Journal {
    /// Starts a journal on `db`.
    pub fn start(db: Db, patience: Patience) -> Self {
        let outage = Outage::new(db.clone());
        let pen = Pen {
            db,
            shard: rand::random::<u16>() as i16 & (SHARDS - 1),
            patience,
            outage: outage.clone(),
        };
        let grouped = Grouped::start(GROUP, move |requests: Vec<Rows>| {
            let pen = pen.clone();
            async move { pen.write_all(requests).await }
        });
        Self { grouped, outage }
    }

    /// Whether PostgreSQL is known to be away; only a journal that does not wait finds out.
    pub(crate) fn is_away(&self) -> bool {
        self.outage.is_known()
    }

    /// Writes rows and returns after their commit.
    ///
    /// # Errors
    /// [`Error::Internal`] when PostgreSQL refuses these rows for good; [`Error::Unavailable`] while
    /// it is away, from a journal that does not wait.
    pub async fn write(&self, rows: Rows) -> Result<()> {
        const AWAY: Error = Error::Unavailable {
            what: "PostgreSQL",
            retry_after: 1,
        };
        if self.is_away() {
            return Err(AWAY);
        }
        self.grouped.request(rows).await?.map_err(|refused| {
            if refused.transient {
                AWAY
            } else {
                Error::internal(refused.text)
            }
        })
    }
}

impl Pen {
    async fn write_all(&self, mut requests: Vec<Rows>) -> Vec<std::result::Result<(), Unwritable>> {
        if let [only] = requests.as_slice() {
            return vec![self.write(only).await.map_err(|error| unwritable(&error))];
        }
        let sizes: Vec<Sizes> = requests.iter().map(Sizes::of).collect();
        let mut together = Rows::default();
        for rows in &mut requests {
            together.append(std::mem::take(rows));
        }
        match self.write(&together).await {
            Ok(()) => sizes.iter().map(|_| Ok(())).collect(),
            Err(error) if error.is_transient() => sizes.iter().map(|_| Err(unwritable(&error))).collect(),
            Err(_) => self.write_apart(together, &sizes).await,
        }
    }

    /// One request is refused for good: each by itself, so that it takes no others along.
    async fn write_apart(
        &self,
        mut together: Rows,
        sizes: &[Sizes],
    ) -> Vec<std::result::Result<(), Unwritable>> {
        let mut outcomes = Vec::with_capacity(sizes.len());
        for size in sizes {
            let rows = size.split(&mut together);
            let outcome = self.write(&rows).await;
            outcomes.push(outcome.map_err(|error| unwritable(&error)));
        }
        outcomes
    }

    async fn write(&self, rows: &Rows) -> std::result::Result<(), DbError> {
        match self.patience {
            Patience::Waits => self.write_now(rows).await,
            Patience::Asks => self.outage.or_tell(self.write_now(rows)).await,
        }
    }

    /// Tries until the rows are in, refused for good, or patience ends.
    async fn write_now(&self, rows: &Rows) -> std::result::Result<(), DbError> {
        let (db, waits) = (&self.db, self.patience == Patience::Waits);
        let mut existing = if rows.repeats {
            Existing::Keep
        } else {
            Existing::Refuse
        };
        let mut made_leaves = false;
        let mut pause = PAUSE.0;
        loop {
            match db::hot::write(db, rows, self.shard, existing).await {
                Ok(()) => return Ok(()),
                // A repetition whose first commit may have happened.
                Err(DbError::Duplicate { .. }) if existing == Existing::Refuse => existing = Existing::Keep,
                Err(DbError::NoLeaf) if !made_leaves => match make_leaves(db, rows).await {
                    Ok(()) => made_leaves = true,
                    Err(error) if error.is_transient() && waits => tokio::time::sleep(PAUSE.1).await,
                    Err(error) => return Err(error),
                },
                Err(error) if error.is_transient() && waits => {
                    tracing::warn!(
                        %error,
                        pause_ms = pause.as_millis() as u64,
                        "cannot write deliveries, trying again"
                    );
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                    // The commit may have happened before the connection broke.
                    existing = Existing::Keep;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// How many rows of each kind a request brought, to take a group apart again without having kept
/// copies.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    events: usize,
    event_outcomes: usize,
    deliveries: usize,
    delivery_outcomes: usize,
    attempts: usize,
    repeats: bool,
}

impl Sizes {
    fn of(rows: &Rows) -> Self {
        Self {
            events: rows.events.len(),
            event_outcomes: rows.event_outcomes.len(),
            deliveries: rows.deliveries.len(),
            delivery_outcomes: rows.delivery_outcomes.len(),
            attempts: rows.attempts.len(),
            repeats: rows.repeats,
        }
    }

    /// Takes this request's rows off the front.
    fn split(self, together: &mut Rows) -> Rows {
        Rows {
            events: together.events.drain(..self.events).collect(),
            event_outcomes: together.event_outcomes.drain(..self.event_outcomes).collect(),
            deliveries: together.deliveries.drain(..self.deliveries).collect(),
            delivery_outcomes: together
                .delivery_outcomes
                .drain(..self.delivery_outcomes)
                .collect(),
            attempts: together.attempts.drain(..self.attempts).collect(),
            repeats: self.repeats,
        }
    }
}

fn unwritable(error: &DbError) -> Unwritable {
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    if !error.is_transient() {
        tracing::error!(%error, cause, "rows cannot be written");
    }
    Unwritable {
        transient: error.is_transient(),
        text: format!("{error}: {cause}"),
    }
}

/// Leaves for the days and classes of `rows`: somebody used a class before its leaf was made.
async fn make_leaves(db: &Db, rows: &Rows) -> std::result::Result<(), DbError> {
    let wanted: std::collections::BTreeSet<(chrono::NaiveDate, KeepDays)> = rows
        .events
        .iter()
        .map(|r| (r.id.day(), r.keep_days))
        .chain(rows.deliveries.iter().map(|r| (r.id.day(), r.keep_days)))
        .chain(rows.attempts.iter().map(|r| (r.id.day(), r.keep_days)))
        .collect();
    for (day, class) in wanted {
        db::partitions::ensure(db, day, day, &[class]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::event::Target;
    use domain::id::{EventId, ProjectId};
    use domain::state::EventState;
    use queue::payload::Facts;

    use super::*;
    use crate::delivery::rows::new_event;

    #[test]
    fn a_large_payload_weighs_on_its_group() {
        let facts = Facts {
            id: EventId(uuid::Uuid::nil()),
            project: ProjectId(uuid::Uuid::nil()),
            catalog_version: 0,
            target: Target::Broadcast,
            event_type: "order.created".to_owned(),
            headers: Vec::new(),
            idempotency_key: None,
            stored: false,
        };
        let payload = ByteString::from("x".repeat(GROUP.weight.bytes));
        let texts = (ByteString::from("order.created"), payload);
        let mut rows = Rows::default();
        assert_eq!(rows.weight(), Weight::default());
        rows.events.push(new_event(
            &facts,
            texts,
            KeepDays::FOR_EVER,
            EventState::Success,
            None,
        ));
        assert_eq!(rows.weight().rows, 1);
        assert!(rows.weight().bytes >= GROUP.weight.bytes);
    }
}
