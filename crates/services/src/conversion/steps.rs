//! The steps of both directions. Each looks at how the table stands, so each may be repeated.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::NaiveDate;
use db::conversion::{Direction, Layout, Source, Tried};
use domain::lifecycle::KeepDays;
use uuid::Uuid;

use super::run::{Flow, Run};
use crate::error::{Error, Result};
use crate::partitions;

/// A round over the heap that moved fewer rows was the last one; the swap takes along the rest.
const SETTLED: u64 = 5_000;
/// Rows after which the space of moved ones is given free.
const VACUUM_AFTER: u64 = 1_000_000;

impl Run<'_> {
    /// Whether there is nothing to do.
    pub(super) async fn is_there(&mut self) -> Result<bool> {
        let wanted = match self.direction() {
            Direction::Partition => Layout::Partitioned,
            Direction::Unpartition => Layout::Plain,
        };
        Ok(self.session.layout().await? == wanted && !self.session.is_untidy().await?)
    }

    /// From one heap to days and leaves.
    pub(super) async fn partition(&mut self) -> Flow<()> {
        if self.session.layout().await? != Layout::Partitioned {
            self.check().await?;
            self.key().await?;
            self.leaves().await?;
            self.split().await?;
            self.swap_to_partitions().await?;
        }
        self.ahead().await?;
        self.begin("tidy").await?;
        while self.session.tidy_partitions().await? > 0 {
            self.missed().await?;
        }
        self.end("The old heap is gone".to_owned()).await
    }

    /// From days and leaves to one heap.
    pub(super) async fn unpartition(&mut self) -> Flow<()> {
        if self.session.layout().await? == Layout::Partitioned {
            self.check().await?;
            self.bounds().await?;
            self.swap_to_heap().await?;
        }
        self.gather().await?;
        self.begin("tidy").await?;
        self.vacuum_by_itself(true).await?;
        self.session.tidy_heap().await?;
        self.end("The old partitions are gone".to_owned()).await
    }

    async fn check(&mut self) -> Flow<()> {
        self.begin("check").await?;
        let found = self.session.check().await?;
        if !found.obstacles.is_empty() {
            let (table, why) = (self.table(), found.obstacles.join("; "));
            return Err(Error::Conflict(format!("{table} cannot be converted: {why}")).into());
        }
        let transactions = match found.long_transactions {
            0 => "no long transactions".to_owned(),
            n => format!("{n} transactions older than a minute; the swap waits for them"),
        };
        let megabytes = found.bytes / 1_000_000;
        self.end(format!(
            "{megabytes} MB; about as much must be free on the disk; {transactions}"
        ))
        .await
    }

    async fn key(&mut self) -> Flow<()> {
        self.begin("index").await?;
        let built = self.session.ensure_key().await?;
        self.end(if built { "Writes went on" } else { "It was there" }.to_owned())
            .await
    }

    /// Counts, and makes the leaves of what was counted.
    async fn leaves(&mut self) -> Flow<()> {
        self.begin("leaves").await?;
        self.vacuum_by_itself(false).await?;
        let survey = self.session.survey().await?;
        (self.done, self.total) = (survey.total - survey.waiting, survey.total);
        self.make_leaves(&survey.leaves).await?;
        let days: BTreeSet<_> = survey.leaves.iter().map(|(day, _)| day).collect();
        self.end(format!(
            "{} rows in {} leaves of {} days",
            survey.total,
            survey.leaves.len(),
            days.len()
        ))
        .await
    }

    /// What is written to now, so that the first row after the swap finds its leaf. Other days than
    /// these have the default partition to fall into.
    async fn leaves_in_use(&self) -> Flow<BTreeSet<(NaiveDate, KeepDays)>> {
        let today = self.services.clock.now().date_naive();
        let classes = db::partitions::classes(&self.services.db).await?;
        let days = [today.pred_opt().unwrap_or(today), today];
        Ok(days
            .into_iter()
            .flat_map(|day| classes.iter().map(move |class| (day, *class)))
            .collect())
    }

    async fn make_leaves(&mut self, leaves: &BTreeSet<(NaiveDate, KeepDays)>) -> Flow<()> {
        let others = self.session.in_the_way(leaves).await?;
        if !others.is_empty() {
            let names = others.join(", ");
            return Err(Error::Conflict(format!("{names} stands in the way and holds rows")).into());
        }
        loop {
            let tried = self.session.make_leaves(leaves).await?;
            if self.worked(tried).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Moves the rows of the heap into their leaves, until only the newest are left.
    async fn split(&mut self) -> Flow<()> {
        self.begin("split").await?;
        loop {
            let moved = self.split_round(&Source::Root).await?;
            if moved > 0 {
                self.session.vacuum(&Source::Root).await?;
            }
            if moved < SETTLED {
                break;
            }
        }
        // What a conversion in the other direction left behind, such as a default partition.
        for name in self.session.parts(false).await? {
            let source = Source::Child(name.clone());
            while self.split_round(&source).await? > 0 {}
            self.drop_emptied(&name).await?;
        }
        self.end(format!(
            "{} rows moved; writers were kept out for {} ms at most",
            self.moved,
            self.longest.as_millis()
        ))
        .await
    }

    async fn split_round(&mut self, source: &Source) -> Flow<u64> {
        let (mut after, mut moved, mut dead) = (Uuid::nil(), 0, 0);
        loop {
            let limit = self.pace.limit();
            let tried = self.session.split_batch(source, after, limit).await?;
            let Some(batch) = self.worked(tried).await? else {
                continue;
            };
            let rows = batch.what.rows;
            (moved, dead) = (moved + rows, dead + rows);
            self.moved(rows, batch.held).await?;
            let Some(next) = batch.what.next else {
                return Ok(moved);
            };
            after = next;
            if dead >= VACUUM_AFTER.max(self.total.unsigned_abs() / 4) {
                self.session.vacuum(source).await?;
                dead = 0;
            }
        }
    }

    async fn swap_to_partitions(&mut self) -> Flow<()> {
        self.begin("swap").await?;
        let mut tries = 0;
        let held = loop {
            tries += 1;
            while self.session.bound_leaves().await? > 0 {
                self.missed().await?;
            }
            let leaves = self.leaves_in_use().await?;
            self.make_leaves(&leaves).await?;
            let tried = self.session.swap_to_partitions().await?;
            if let Some(held) = self.worked(tried).await? {
                break held;
            }
            // What came while it waited.
            self.split_round(&Source::Root).await?;
        };
        self.swapped(held, tries).await
    }

    async fn bounds(&mut self) -> Flow<()> {
        self.begin("bounds").await?;
        while self.session.bound_leaves().await? > 0 {
            self.missed().await?;
        }
        self.end("Validated without a lock on writes".to_owned()).await
    }

    async fn swap_to_heap(&mut self) -> Flow<()> {
        self.begin("swap").await?;
        let mut tries = 0;
        let held = loop {
            tries += 1;
            let tried = self.session.swap_to_heap().await?;
            if let Some(held) = self.worked(tried).await? {
                break held;
            }
        };
        self.swapped(held, tries).await
    }

    async fn swapped(&mut self, held: Duration, tries: u32) -> Flow<()> {
        let missed = match tries {
            0 | 1 => String::new(),
            2 => "; second try, the first gave up waiting for its lock".to_owned(),
            n => format!("; try {n}, those before gave up waiting for their lock"),
        };
        self.longest = self.longest.max(held);
        self.end(format!("Locked {} ms{missed}", held.as_millis())).await
    }

    /// Moves the rows of the leaves into the heap, oldest day first.
    async fn gather(&mut self) -> Flow<()> {
        self.begin("gather").await?;
        self.vacuum_by_itself(false).await?;
        let survey = self.session.survey().await?;
        (self.done, self.total) = (survey.waiting, survey.total);
        let mut names = self.session.parts(true).await?;
        names.extend(self.session.parts(false).await?);
        for name in names {
            let source = Source::Child(name.clone());
            let mut after = Uuid::nil();
            loop {
                let limit = self.pace.limit();
                let tried = self.session.gather_batch(&source, after, limit).await?;
                let Some(batch) = self.worked(tried).await? else {
                    continue;
                };
                self.moved(batch.what.rows, batch.held).await?;
                match batch.what.next {
                    Some(next) => after = next,
                    None => break,
                }
            }
            self.drop_emptied(&name).await?;
        }
        self.end(format!(
            "{} rows moved; writers were kept out for {} ms at most",
            self.moved,
            self.longest.as_millis()
        ))
        .await
    }

    async fn drop_emptied(&mut self, name: &str) -> Flow<()> {
        loop {
            let tried = self.session.drop_emptied(name).await?;
            if self.worked(tried).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Days to come, and rows that came for them meanwhile.
    async fn ahead(&mut self) -> Flow<()> {
        self.begin("ahead").await?;
        let made = loop {
            match partitions::keep_ahead(self.services).await {
                Ok(made) => break made,
                Err(Error::Unavailable { .. }) => self.missed().await?,
                Err(error) => return Err(error.into()),
            }
        };
        self.end(format!("{} days and {} leaves made", made.days, made.leaves))
            .await
    }

    async fn vacuum_by_itself(&mut self, on: bool) -> Flow<()> {
        while self.session.automatic_vacuum(on).await? == Tried::Busy {
            self.missed().await?;
        }
        Ok(())
    }
}
