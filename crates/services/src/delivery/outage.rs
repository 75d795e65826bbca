//! Whether PostgreSQL is known to be away.
//!
//! A pool without a connection says nothing before its time limit, be it that PostgreSQL is gone or
//! that it is busy. Who can be told to come back should not wait that long: work that is slow makes
//! this look whether anybody is there at all, and once nobody is, everybody is told at once until
//! a look in the background finds PostgreSQL again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use db::reach::{Reach, look};
use db::{Db, DbError};

/// Work that takes longer makes one look.
const SLOW: Duration = Duration::from_millis(250);
/// Pause between two looks while PostgreSQL is away.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest time of one look. A network that swallows everything is as good as away.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// What is known, shared by all who ask. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Outage {
    db: Db,
    away: Arc<AtomicBool>,
}

impl Outage {
    /// PostgreSQL counts as there until it is found away.
    pub(super) fn new(db: Db) -> Self {
        Self {
            db,
            away: Arc::default(),
        }
    }

    /// Whether PostgreSQL was away a moment ago.
    pub(super) fn is_known(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Does `work`, unless PostgreSQL is away or turns out to be while the work waits for it. Work
    /// that is only slow goes on.
    pub(super) async fn or_tell<T>(
        &self,
        work: impl Future<Output = Result<T, DbError>>,
    ) -> Result<T, DbError> {
        let away = || DbError::Unavailable("nobody answers".into());
        if self.is_known() {
            return Err(away());
        }
        let done = tokio::select! {
            biased;
            done = work => done,
            () = self.found_refusing() => {
                self.begin();
                return Err(away());
            }
        };
        if matches!(done, Err(DbError::Unavailable(_))) && !self.answers().await {
            self.begin();
        }
        done
    }

    /// Returns when a look after a slow while is refused. A look without an answer proves nothing.
    async fn found_refusing(&self) {
        loop {
            tokio::time::sleep(SLOW).await;
            let found = tokio::time::timeout(LOOK_LIMIT, look(&self.db)).await;
            if found == Ok(Reach::Away) {
                return;
            }
        }
    }

    async fn answers(&self) -> bool {
        tokio::time::timeout(LOOK_LIMIT, look(&self.db)).await == Ok(Reach::Answers)
    }

    /// Tells everybody from now on, and looks in the background until PostgreSQL is back.
    fn begin(&self) {
        if self.away.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!("PostgreSQL is away: what cannot wait for it is refused");
        let (db, away) = (self.db.clone(), Arc::downgrade(&self.away));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                // Nobody asks any more.
                let Some(away) = away.upgrade() else { return };
                let here = Self { db: db.clone(), away };
                if here.answers().await {
                    here.away.store(false, Ordering::Relaxed);
                    return tracing::info!("PostgreSQL is back");
                }
            }
        });
    }
}
