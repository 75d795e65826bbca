//! Rows of the archive in the order of their ids, day by day and block by block.
//!
//! A day's segments, one or more per event type, are merged by id. A segment's block is fetched only
//! when its nearest row is the next one, so no more is read than a page needs.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use chrono::NaiveDate;
use db::segment_reads::{self, ColdSegment};
use domain::segment::Kind;
use storage::segment::Block;
use uuid::Uuid;

use super::cold::{Cold, Key};
use super::fault::Fault;
use super::object::Opened;
use super::span::{Span, day_of};
use crate::error::Error;

/// Which rows are read, and what they become.
pub(super) trait Rows: Send + Sync + 'static {
    /// What a wanted row becomes.
    type Row: Send + 'static;
    /// The kind of segments that hold them.
    const KIND: Kind;

    /// The only topic they lie in.
    fn topic(&self) -> Option<&str> {
        None
    }

    /// The idempotency key that all of them have.
    fn key(&self) -> Option<&str> {
        None
    }

    /// Between which ids they lie.
    fn span(&self) -> Span;

    /// A row as it stands in a segment; `None` when it is not wanted.
    fn pick(&self, json: &str) -> Result<Option<Self::Row>, serde_json::Error>;

    /// The id of a row.
    fn id(row: &Self::Row) -> Uuid;
}

/// How a part of a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As many rows as were asked for; there may be more.
    Full,
    /// There are no more before the limit.
    Over,
    /// No more bytes may be fetched; rows from this id on were not looked at.
    Spent(Uuid),
}

/// A scan under way.
pub(super) struct Scan<'a, R: Rows> {
    cold: &'a Cold<'a>,
    rows: Arc<R>,
    span: Span,
    /// Days that were not looked at yet.
    days: Option<(NaiveDate, NaiveDate)>,
    sources: Vec<Source<R::Row>>,
    /// Whether it may fetch no more than its reader.
    is_bound: bool,
}

impl<'a, R: Rows> Scan<'a, R> {
    pub(super) fn new(cold: &'a Cold<'a>, rows: &Arc<R>) -> Self {
        let span = rows.span();
        Self {
            cold,
            rows: Arc::clone(rows),
            span,
            days: (!span.is_empty()).then(|| span.days()),
            sources: Vec::new(),
            is_bound: true,
        }
    }

    /// Every row, for a reader that has to know all of them before it goes on.
    pub(super) async fn all(cold: &'a Cold<'a>, rows: &Arc<R>) -> Result<Vec<R::Row>, Fault> {
        let mut scan = Self::new(cold, rows);
        // A background run would be stuck there for ever.
        scan.is_bound = !cold.reads_on;
        match scan.take(usize::MAX, None).await? {
            (_, End::Spent(_)) => Err(Fault::Spent),
            (rows, _) => Ok(rows),
        }
    }

    /// Up to `most` further rows, none of them read after `until`.
    pub(super) async fn take(
        &mut self,
        most: usize,
        until: Option<Uuid>,
    ) -> Result<(Vec<R::Row>, End), Fault> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(at) = self.nearest() else {
                if self.begin_day(until).await? {
                    continue;
                }
                return Ok((taken, End::Over));
            };
            let source = &mut self.sources[at];
            let near = source.near;
            if until.is_some_and(|until| self.span.is_before(until, near)) {
                return Ok((taken, End::Over));
            }
            if let Some(row) = source.ready.pop_front() {
                taken.push(row);
            } else {
                let reader = (self.cold, self.is_bound);
                match source
                    .go_on(reader, &self.rows, self.span, most - taken.len())
                    .await
                {
                    Err(Fault::Spent) => return Ok((taken, End::Spent(near))),
                    done => done?,
                }
            }
            if !source.settle::<R>(self.span) {
                self.sources.swap_remove(at);
            }
        }
        Ok((taken, End::Full))
    }

    /// The source whose next row is read next.
    fn nearest(&self) -> Option<usize> {
        let mut nearest: Option<usize> = None;
        for (at, source) in self.sources.iter().enumerate() {
            if nearest.is_none_or(|best| self.span.is_before(source.near, self.sources[best].near)) {
                nearest = Some(at);
            }
        }
        nearest
    }

    /// Looks for the next day with segments; `false` when there is none that begins before `until`.
    async fn begin_day(&mut self, until: Option<Uuid>) -> Result<bool, Fault> {
        let Some((first, last)) = self.days else {
            return Ok(false);
        };
        let days = match until.map(day_of) {
            Some(day) if self.span.down => (first.max(day), last),
            Some(day) => (first, last.min(day)),
            None => (first, last),
        };
        if days.0 > days.1 {
            return Ok(false);
        }
        let wanted = self
            .cold
            .wanted(R::KIND, self.rows.topic(), (self.span.first, self.span.last));
        let segments =
            segment_reads::nearest_day(&self.cold.services.db, wanted, days, self.span.down).await?;
        let Some(day) = segments.first().map(|segment| segment.day) else {
            // Later calls may look further.
            return Ok(false);
        };
        self.days = if self.span.down {
            day.pred_opt().filter(|day| *day >= first).map(|day| (first, day))
        } else {
            day.succ_opt().filter(|day| *day <= last).map(|day| (day, last))
        };
        for segment in segments {
            if self.may_matter(&segment).await? {
                self.sources.push(Source::new(segment, self.span));
            }
        }
        Ok(true)
    }

    async fn may_matter(&self, segment: &ColdSegment) -> Result<bool, Fault> {
        match self.rows.key() {
            Some(key) => self.cold.may_have(segment, Key::Text(key)).await,
            None => Ok(true),
        }
    }
}

/// One segment of the day.
struct Source<T> {
    segment: ColdSegment,
    opened: Option<Arc<Opened>>,
    /// Blocks that were not read yet.
    blocks: Range<usize>,
    /// A block, and its rows that were not looked at yet.
    block: Option<(Arc<Block>, Range<usize>)>,
    /// Wanted rows of the block.
    ready: VecDeque<T>,
    /// No row of the segment that was not given yet is read before this id.
    near: Uuid,
}

impl<T: Send + 'static> Source<T> {
    fn new(segment: ColdSegment, span: Span) -> Self {
        Self {
            near: span.nearest(segment.ids.0, segment.ids.1),
            segment,
            opened: None,
            blocks: 0..0,
            block: None,
            ready: VecDeque::new(),
        }
    }

    /// One step nearer to the next row: opens the object, gets a block, or looks at its rows.
    async fn go_on<R: Rows<Row = T>>(
        &mut self,
        (cold, is_bound): (&Cold<'_>, bool),
        rows: &Arc<R>,
        span: Span,
        most: usize,
    ) -> Result<(), Fault> {
        let Some(opened) = &self.opened else {
            let opened = cold.open(&self.segment).await?;
            self.blocks = opened.index.find_range(span.first, span.last);
            self.opened = Some(opened);
            return Ok(());
        };
        if let Some((block, left)) = &mut self.block {
            let chosen = choose(opened, rows, block, left.clone(), (span, most)).await?;
            (self.ready, *left) = chosen;
            return Ok(());
        }
        let mut left = self.blocks.clone();
        let number = if span.down { left.next_back() } else { left.next() };
        if let Some(number) = number {
            let block = cold.block(opened, number, is_bound).await?;
            let within = rows_within(&block, span);
            self.block = Some((block, within));
            self.blocks = left;
            cold.look_ahead(opened, &self.blocks, span.down);
        }
        Ok(())
    }

    /// Finds out what comes next; `false` when nothing does.
    fn settle<R: Rows<Row = T>>(&mut self, span: Span) -> bool {
        if let Some(row) = self.ready.front() {
            self.near = R::id(row);
            return true;
        }
        if let Some((block, left)) = &self.block {
            if let Some(id) = edge(block, left, span.down) {
                self.near = id;
                return true;
            }
            self.block = None;
        }
        let Some(opened) = &self.opened else {
            return true;
        };
        let entries = opened
            .index
            .entries()
            .get(self.blocks.clone())
            .unwrap_or_default();
        let next = if span.down {
            entries.last()
        } else {
            entries.first()
        };
        match next {
            Some(entry) => self.near = span.nearest(entry.first, entry.last),
            None => return false,
        }
        true
    }
}

/// The id of the row of `left` that is read first.
fn edge(block: &Block, left: &Range<usize>, down: bool) -> Option<Uuid> {
    if left.is_empty() {
        return None;
    }
    let at = if down { left.end - 1 } else { left.start };
    block.rows().nth(at).map(|row| row.id)
}

/// The rows of a block that lie within the span.
fn rows_within(block: &Block, span: Span) -> Range<usize> {
    let before = block.rows().take_while(|row| row.id < span.first).count();
    let behind = block.rows().rev().take_while(|row| row.id > span.last).count();
    before..(block.len() - behind).max(before)
}

/// Looks at rows of `left` until `most` wanted ones are found; gives these, and what is left. Apart
/// from the threads that wait for the network, because rows may be large and many.
async fn choose<R: Rows>(
    opened: &Opened,
    rows: &Arc<R>,
    block: &Arc<Block>,
    left: Range<usize>,
    (span, most): (Span, usize),
) -> Result<(VecDeque<R::Row>, Range<usize>), Fault> {
    let (rows, block) = (Arc::clone(rows), Arc::clone(block));
    let chosen = tokio::task::spawn_blocking(move || {
        let (mut left, mut chosen) = (left, VecDeque::new());
        let within = block.rows().skip(left.start).take(left.len());
        let mut look = |row: storage::segment::Row<'_>| {
            if span.down {
                left.end -= 1;
            } else {
                left.start += 1;
            }
            if let Some(row) = rows.pick(row.json)? {
                chosen.push_back(row);
            }
            Ok::<bool, serde_json::Error>(chosen.len() < most)
        };
        if span.down {
            for row in within.rev() {
                if !look(row)? {
                    break;
                }
            }
        } else {
            for row in within {
                if !look(row)? {
                    break;
                }
            }
        }
        Ok::<_, serde_json::Error>((chosen, left))
    });
    let chosen = chosen.await.map_err(Error::internal)?;
    chosen.map_err(|error| Cold::unreadable(opened, &error.to_string()))
}
