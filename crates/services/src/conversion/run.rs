//! One conversion of one table: its session, its row, and how it ends.

use std::time::Duration;

use db::DbError;
use db::conversion::{Direction, NewConversion, Session, StepRow, Tried};
use tokio::time::Instant;

use super::pace::Pace;
use super::{Converted, End, Progress, Watch};
use crate::Services;
use crate::access::Actor;
use crate::audit;
use crate::error::{Error, Result};

/// How long to wait for the connection of a run that died a moment ago to end.
const PREDECESSOR: Duration = Duration::from_secs(5);
/// Shortest time between two rows of progress.
const TELL: Duration = Duration::from_millis(250);

/// Why a step did not come to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Somebody paused the conversion.
    Paused,
    /// It failed.
    Failed(Error),
}

impl From<DbError> for Stop {
    fn from(error: DbError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Result of a step.
pub(super) type Flow<T> = std::result::Result<T, Stop>;

/// A conversion that runs.
pub(super) struct Run<'a> {
    pub(super) services: &'a Services,
    pub(super) session: Session,
    pub(super) pace: Pace,
    pub(super) done: i64,
    pub(super) total: i64,
    pub(super) moved: u64,
    pub(super) longest: Duration,
    direction: Direction,
    watch: Watch<'a>,
    step: (&'static str, Instant),
    told: Instant,
}

/// Converts one table, or finds that it is as asked.
pub(super) async fn convert_table(
    services: &Services,
    actor: &Actor,
    direction: Direction,
    table: &'static str,
    watch: Watch<'_>,
) -> Result<Converted> {
    let started = Instant::now();
    let session = open(services, table).await?;
    let mut run = Run {
        services,
        session,
        pace: Pace::new(),
        done: 0,
        total: 0,
        moved: 0,
        longest: Duration::ZERO,
        direction,
        watch,
        step: ("check", started),
        told: started,
    };
    let end = if run.is_there().await? {
        End::Unchanged
    } else {
        run.whole(actor).await?
    };
    let converted = Converted {
        table,
        direction,
        end,
        rows_moved: run.moved,
        longest_lock_ms: run.longest.as_millis() as u64,
        took_ms: started.elapsed().as_millis() as u64,
    };
    run.session.close().await;
    Ok(converted)
}

/// The session; waits a moment for that of a run that just died.
pub(super) async fn open(services: &Services, table: &'static str) -> Result<Session> {
    let until = Instant::now() + PREDECESSOR;
    loop {
        if let Some(session) = Session::open(&services.db, table).await? {
            return Ok(session);
        }
        if Instant::now() > until {
            return Err(Error::Conflict(
                "another conversion is running; one goes on at a time".to_owned(),
            ));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl Run<'_> {
    pub(super) fn table(&self) -> &'static str {
        self.session.table()
    }

    /// Runs every step that is left, and writes down how it ended.
    async fn whole(&mut self, actor: &Actor) -> Result<End> {
        let (services, table, direction) = (self.services, self.table(), self.direction);
        let new = NewConversion {
            table,
            direction,
            by: &actor.label,
            at: services.clock.now(),
        };
        db::conversion::start(&services.db, &new).await?;
        let action = format!("table.{}_started", direction.as_str());
        audit::note(services, actor, &action, None, (table, None)).await?;
        let outcome = match direction {
            Direction::Partition => self.partition().await,
            Direction::Unpartition => self.unpartition().await,
        };
        if outcome.is_err() {
            // Best done now; settle_dead and the next run do it as well.
            let _ = self.session.automatic_vacuum(true).await;
        }
        match outcome {
            Ok(()) => {
                db::conversion::finish(&services.db, table, None, services.clock.now()).await?;
                Ok(End::Done)
            }
            Err(Stop::Paused) => Ok(End::Paused),
            Err(Stop::Failed(error)) => {
                let said = error.to_string();
                db::conversion::finish(&services.db, table, Some(&said), services.clock.now()).await?;
                Err(error)
            }
        }
    }

    /// A step begins.
    pub(super) async fn begin(&mut self, step: &'static str) -> Flow<()> {
        self.step = (step, Instant::now());
        self.tell(None);
        self.write_down().await
    }

    /// The step ended; `say` is for people.
    pub(super) async fn end(&mut self, say: String) -> Flow<()> {
        let (step, since) = self.step;
        let row = StepRow {
            step: step.to_owned(),
            ms: since.elapsed().as_millis() as i64,
            say: say.clone(),
        };
        db::conversion::record_step(&self.services.db, self.table(), &row, self.services.clock.now()).await?;
        self.tell(Some(say));
        Ok(())
    }

    /// Rows moved, and how long writers were kept out for it.
    pub(super) async fn moved(&mut self, rows: u64, held: Duration) -> Flow<()> {
        self.moved += rows;
        self.done += rows as i64;
        self.total = self.total.max(self.done);
        self.longest = self.longest.max(held);
        let pause = self.pace.held(held);
        self.now_and_then().await?;
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Waits after a try that did not get its lock, longer each time.
    pub(super) async fn missed(&mut self) -> Flow<()> {
        let wait = self.pace.missed();
        self.write_down().await?;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// What a try did; when it did not get its lock, waits and answers `None`.
    pub(super) async fn worked<T>(&mut self, tried: Tried<T>) -> Flow<Option<T>> {
        match tried {
            Tried::Done(what) => Ok(Some(what)),
            Tried::Busy => {
                self.missed().await?;
                Ok(None)
            }
        }
    }

    async fn now_and_then(&mut self) -> Flow<()> {
        if self.told.elapsed() < TELL {
            return Ok(());
        }
        self.tell(None);
        self.write_down().await
    }

    async fn write_down(&mut self) -> Flow<()> {
        self.told = Instant::now();
        let rows = (self.done, self.total);
        let now = self.services.clock.now();
        if db::conversion::progress(&self.services.db, self.table(), self.step.0, rows, now).await? {
            Ok(())
        } else {
            Err(Stop::Paused)
        }
    }

    fn tell(&self, say: Option<String>) {
        (self.watch)(&Progress {
            table: self.table(),
            direction: self.direction,
            step: self.step.0,
            rows_done: self.done,
            rows_total: self.total,
            say,
        });
    }

    pub(super) fn direction(&self) -> Direction {
        self.direction
    }
}
