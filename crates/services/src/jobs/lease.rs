//! Who acts: the leader of all schedulers, and the owner of a run.

use std::time::Duration;

use tokio::time::Instant;

use crate::Services;
use crate::error::Result;

/// How long a holder that died keeps others waiting.
const TERM: Duration = Duration::from_secs(15);
/// How often the owner of a run renews its lease.
const BEAT: Duration = Duration::from_secs(5);
/// Name of the leader's lease.
const LEADER: &str = "scheduler";

/// A candidate for the leadership of all schedulers.
#[derive(Debug)]
pub struct Leader<'a> {
    services: &'a Services,
    holder: String,
}

impl<'a> Leader<'a> {
    /// A candidate with a name of its own.
    pub fn new(services: &'a Services) -> Self {
        Self {
            services,
            holder: format!("{}-{:08x}", std::process::id(), rand::random::<u32>()),
        }
    }

    /// Takes or renews the lease; whether this candidate leads now.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] while PostgreSQL is away: nobody leads then.
    pub async fn lead(&self) -> Result<bool> {
        let fence = db::leases::acquire(&self.services.db, LEADER, &self.holder, TERM).await?;
        Ok(fence.is_some())
    }

    /// Gives the lease back, so that the next leader need not wait for its end.
    pub async fn resign(&self) {
        if let Err(error) = db::leases::release(&self.services.db, LEADER, &self.holder).await {
            tracing::debug!(%error, "the lease ends by itself");
        }
    }
}

/// The lease of a run.
#[derive(Debug)]
pub(super) struct RunLease {
    name: String,
    holder: String,
    /// Its fencing number.
    pub(super) fence: i64,
    /// When it was renewed last, seen from here: never later than the database saw it.
    renewed: Instant,
}

impl RunLease {
    /// Takes the lease of `job`; `None` while somebody else runs it.
    pub(super) async fn take(db: &db::Db, job: &str, run: &str) -> Result<Option<Self>> {
        let (name, renewed) = (db::runs::lease_of(job), Instant::now());
        let fence = db::leases::acquire(db, &name, run, TERM).await?;
        Ok(fence.map(|fence| Self {
            name,
            holder: run.to_owned(),
            fence,
            renewed,
        }))
    }

    /// Keeps the lease; returns when it is lost, so that the work can end before somebody else
    /// may begin it.
    pub(super) async fn keep(&mut self, db: &db::Db) {
        loop {
            tokio::time::sleep_until((self.renewed + BEAT).max(Instant::now() + BEAT / 5)).await;
            let asked = Instant::now();
            let renewal = db::leases::acquire(db, &self.name, &self.holder, TERM);
            match tokio::time::timeout_at(self.renewed + TERM, renewal).await {
                Ok(Ok(Some(fence))) if fence == self.fence => self.renewed = asked,
                Ok(Err(_)) if Instant::now() < self.renewed + TERM => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Gives the lease back.
    pub(super) async fn release(&self, db: &db::Db) {
        if let Err(error) = db::leases::release(db, &self.name, &self.holder).await {
            tracing::debug!(%error, "the lease ends by itself");
        }
    }
}
